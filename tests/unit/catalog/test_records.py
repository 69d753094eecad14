"""What is installed, on disk: whole, readable, and honest about damage."""

import json
import os
from pathlib import Path

import pytest

from receiver.catalog.record import AddonRecord, Hold, InstalledRelease, OwnedUnit
from receiver.catalog.records import Records
from receiver.document import encode
from receiver.errors import InstallError


def _record(leaf: str = "monitoring", tag: str = "v1.0.0") -> AddonRecord:
    installed = InstalledRelease(
        tag=tag,
        version=tag,
        digest="sha256:" + "0" * 64,
        installed=1.5,
        units=[OwnedUnit(addon=leaf, implementation=leaf, files={"a/b.yaml": (1, "ab" * 32)})],
        manifests={},
    )
    return AddonRecord(repository=f"addons/{leaf}", leaf=leaf, installed=installed, hold=Hold(since=1.0, reason="x"))


def _tag(record: AddonRecord | None) -> str | None:
    return record.installed.tag if record is not None and record.installed is not None else None


@pytest.fixture
def records(tmp_path: Path) -> Records:
    (tmp_path / "installed").mkdir()
    return Records(tmp_path / "installed")


def _write(records: Records, tmp_path: Path, record: AddonRecord) -> None:
    records.write(record, temporary=tmp_path / "temporary")


def test_a_record_is_read_as_it_was_written(records: Records, tmp_path: Path) -> None:
    """By this process and by another one."""
    _write(records, tmp_path, _record())
    assert records.read("monitoring") == _record() == Records(tmp_path / "installed").read("monitoring")
    assert records.read("other") is None


def test_a_record_of_the_first_format_is_read(records: Records, tmp_path: Path) -> None:
    """It held nothing but the installed release; what is written next is of today's format."""
    document = json.loads(encode(_record()))
    first = {**document["installed"], "repository": "addons/monitoring", "leaf": "monitoring", "format": 1}
    (tmp_path / "installed/monitoring.json").write_text(json.dumps(first))
    found = records.read("monitoring")
    assert found == AddonRecord(repository="addons/monitoring", leaf="monitoring", installed=_record().installed)


def test_a_record_of_a_later_format_is_not_guessed_at(records: Records, tmp_path: Path) -> None:
    """A downgrade of addon-sync must not take an addon's files for the operator's."""
    (tmp_path / "installed/monitoring.json").write_bytes(encode(_record()).replace(b'"format":2', b'"format":3'))
    with pytest.raises(InstallError, match="format 3"):
        records.read("monitoring")


def test_all_records_are_listed_by_leaf(records: Records, tmp_path: Path) -> None:
    """Names with dots too."""
    for leaf in ("b.json.x", "a", "b"):
        _write(records, tmp_path, _record(leaf))
    assert [record.leaf for record in records.all()] == ["a", "b", "b.json.x"]
    assert list(Records(tmp_path / "absent").all()) == []


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each addon would belong to nobody, and any repository could take it over."""
    _write(records, tmp_path, _record())

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    for call in ("listdir", "scandir"):
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(InstallError, match="cannot be read: Permission denied"):
        list(records.all())


def test_a_replaced_record_is_read_anew(records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where file number, time and size are the same by chance."""
    path = tmp_path / "installed/monitoring.json"
    _write(records, tmp_path, _record(tag="v1.0.0"))
    records.read("monitoring")
    status = path.stat()
    _write(records, tmp_path, _record(tag="v2.0.0"))
    monkeypatch.setattr(Path, "lstat", lambda self: status)
    found = records.read("monitoring")
    assert _tag(found) == "v2.0.0"


def test_an_unchanged_record_is_not_parsed_again(records: Records, tmp_path: Path) -> None:
    """A poll asks for every addon."""
    _write(records, tmp_path, _record())
    assert records.read("monitoring") is records.read("monitoring")


def test_a_record_that_another_process_replaces_is_seen(records: Records, tmp_path: Path) -> None:
    """``ls`` runs beside ``serve``."""
    _write(records, tmp_path, _record(tag="v1.0.0"))
    records.read("monitoring")
    _write(Records(tmp_path / "installed"), tmp_path, _record(tag="v10.0.0"))
    found = records.read("monitoring")
    assert _tag(found) == "v10.0.0"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"leaf": 1}', b"\xff"])
def test_a_damaged_record_says_what_to_do(records: Records, tmp_path: Path, content: bytes) -> None:
    """It names the file and the remedy."""
    (tmp_path / "installed/monitoring.json").write_bytes(content)
    with pytest.raises(InstallError, match=r"monitoring\.json is damaged .* move it away"):
        records.read("monitoring")


def test_an_unreadable_record_is_a_typed_error(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No permission, a failing disk."""
    _write(records, tmp_path, _record())

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(InstallError, match="cannot be read: Permission denied"):
        records.read("monitoring")
