"""The certificate of the endpoint: read, refused with the name of its file, and read again. No socket is opened."""

import logging
import os
import shutil
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from receiver.errors import ConfigError
from receiver.server import tls
from receiver.server.tls import ServerTls, TlsFiles
from tests.support.authority import Authority, Pair, encrypted


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pairs(authority: Authority) -> tuple[Pair, Pair]:
    return authority.sign("one"), authority.sign("two")


@pytest.fixture
def files(tmp_path: Path, pairs: tuple[Pair, Pair], authority: Authority) -> TlsFiles:
    found = TlsFiles(cert=tmp_path / "tls.crt", key=tmp_path / "tls.key", client_ca=tmp_path / "ca.crt")
    put(files=found, pair=pairs[0])
    shutil.copy(authority.cert, tmp_path / "ca.crt")
    return found


def put(files: TlsFiles, pair: Pair) -> None:
    """As a rotation does: a new file for each name."""
    for source, target in ((pair.cert, files.cert), (pair.key, files.key)):
        fresh = target.with_suffix(".fresh")
        shutil.copy(source, fresh)
        fresh.chmod(0o600)
        fresh.replace(target)


def loaded(files: TlsFiles) -> ServerTls:
    found = ServerTls(files)
    found.load()
    return found


class Careless(ssl.SSLContext):
    """OpenSSL where the system's policy is an old one, and where it has a terminal to ask at."""

    def __new__(cls, protocol: int) -> "Careless":
        context = super().__new__(cls, protocol)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        return context

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        assert password is not None, "it would ask at the terminal"
        super().load_cert_chain(certfile, keyfile, password)


def test_old_versions_and_renegotiation_are_off(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS 1.2 at least (RFC 9325), whatever the system allows; clients cannot make us negotiate again and again."""
    monkeypatch.setattr(tls, "ssl", SimpleNamespace(**{**vars(ssl), "SSLContext": Careless}))
    context = loaded(files).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_client_certificates_are_asked_for_only_where_they_are_wanted(files: TlsFiles) -> None:
    """And then not demanded at once, since probes have none."""
    assert loaded(files).context.verify_mode == ssl.CERT_OPTIONAL
    assert loaded(TlsFiles(cert=files.cert, key=files.key)).context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
@pytest.mark.parametrize("damage", ["absent", "empty", "no PEM", "cut"])
def test_a_file_that_cannot_be_used_is_named(files: TlsFiles, tmp_path: Path, name: str, damage: str) -> None:
    """With its setting; the other files are not."""
    path = tmp_path / name
    if damage == "absent":
        path.unlink()
    else:
        text = path.read_text()
        path.write_text({"empty": "", "no PEM": "certificate", "cut": text[: len(text) // 2]}[damage])
    setting = {"tls.crt": "TLS_CERT", "tls.key": "TLS_KEY", "ca.crt": "TLS_CLIENT_CA"}[name]
    with pytest.raises(ConfigError) as caught:
        loaded(files)
    assert str(caught.value).startswith(f"ADDON_SYNC_{setting} {str(path)!r} ")


def test_a_key_of_another_certificate_is_told_from_a_damaged_one(files: TlsFiles, pairs: tuple[Pair, Pair]) -> None:
    """Half of a rotation is the usual reason."""
    shutil.copy(pairs[1].key, files.key)
    with pytest.raises(ConfigError, match=r"ADDON_SYNC_TLS_KEY .* is not the key of the certificate in"):
        loaded(files)


@pytest.mark.timeout(20)
def test_an_encrypted_key_is_refused_and_nobody_is_asked(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL would wait at the terminal of a service for ever."""
    monkeypatch.setattr(tls, "ssl", SimpleNamespace(**{**vars(ssl), "SSLContext": Careless}))
    shutil.copy(encrypted(files.key), files.key)
    with pytest.raises(ConfigError, match=r"ADDON_SYNC_TLS_KEY .* with a password"):
        loaded(files)


def test_a_changed_certificate_is_used_once_it_has_come_to_rest(
    files: TlsFiles, pairs: tuple[Pair, Pair], caplog: pytest.LogCaptureFixture
) -> None:
    """Between certificate and key, a rotation is half done: not a reason to wake anybody."""
    caplog.set_level(logging.INFO)
    found = loaded(files)
    before = found.context
    found.look()
    shutil.copy(pairs[1].cert, files.cert)
    found.look()
    assert found.context is before
    put(files, pairs[1])
    found.look()
    assert found.context is before
    found.look()
    assert found.context is not before
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    after = found.context
    found.look()
    assert found.context is after


def test_a_broken_certificate_leaves_the_one_from_before_and_is_told_once(
    files: TlsFiles, pairs: tuple[Pair, Pair], caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is looked at; a good one is taken again."""
    found = loaded(files)
    before = found.context
    files.cert.write_text("no certificate")
    for _ in range(5):
        found.look()
    assert found.context is before
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert str(files.cert) in record.message
    assert "from before stays in use" in record.message
    put(files, pairs[1])
    found.look()
    found.look()
    assert found.context is not before
    assert len(caplog.records) == 1


def test_a_certificate_that_goes_away_for_a_moment_is_no_error(
    files: TlsFiles, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Between two links of a Kubernetes volume there may be nothing."""
    found = loaded(files)
    files.cert.rename(tmp_path / "away")
    found.look()
    (tmp_path / "away").rename(files.cert)
    found.look()
    found.look()
    assert caplog.records == []


def test_the_authorities_of_clients_are_read_again_too(files: TlsFiles, tmp_path: Path) -> None:
    """Whom to let in may change without a restart."""
    found = loaded(files)
    assert files.client_ca is not None
    shutil.copy(Authority(tmp_path, "another").cert, files.client_ca)
    found.look()
    found.look()
    assert ["another" in str(known["subject"]) for known in found.context.get_ca_certs()] == [True]


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists in the place of modes")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_key_that_everybody_can_read_is_warned_of(
    files: TlsFiles, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    """Not refused: in a container, Kubernetes mounts secrets so."""
    files.key.chmod(mode)
    loaded(files)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warned
    assert all(str(files.key) in record.message for record in caplog.records)


def test_on_windows_modes_say_nothing(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    """Simulated."""
    files.key.chmod(0o644)
    tls._warn_of_readers(files.key, system="nt")
    tls._warn_of_readers(files.key.with_name("gone"))
    assert caplog.records == []
