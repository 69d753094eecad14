"""``addon-sync doctor`` at the command line: what it prints, and what is wrong usage."""

import json
from pathlib import Path

import pytest
import yaml

from receiver.cli import checkup
from receiver.cli.checkup import Report
from receiver.cli.commands.doctor import _lines
from receiver.config import Settings
from receiver.diagnosis.finding import broken, ok, warning
from receiver.diagnosis.settings import rows
from receiver.lock import Holder, StateLock
from tests.unit.cli.conftest import Run

SECRET = "S3cret-that-nobody-may-see"
FINDINGS = [ok("a.b", "fine"), warning("a.c", "late\x1b[2J", "hurry")]


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The least that it needs, and a token."""
    monkeypatch.setenv("ADDON_SYNC_TOKEN", SECRET)
    return ["--k2s-install-dir", str(tmp_path), "--registry-url", "oci://r"]


@pytest.mark.parametrize(("more", "code"), [([], 0), ([broken("a.d", "off", "on")], 1)])
def test_the_exit_code_is_that_of_what_is_broken(
    run: Run, flags: list[str], monkeypatch: pytest.MonkeyPatch, more: list[object], code: int
) -> None:
    """A warning is none; the summary counts them all, and a name from outside moves no cursor."""

    async def examine(settings: Settings, *, notify: bool) -> Report:
        assert notify
        return Report(settings=list(rows(settings)), findings=[*FINDINGS, *more])  # type: ignore[list-item]

    monkeypatch.setattr(checkup, "examine", examine)
    text = run("doctor", *flags)
    assert (text.code, text.err) == (code, "")
    assert "WARNING  a.c  late?[2J\n              -> hurry\n" in text.out
    assert text.out.endswith(f"\n1 ok, 1 warning, {code} broken\n")
    assert "REGISTRY_URL      oci://r" in text.out
    document = run("doctor", *flags, "--output", "json")
    assert document.code == code
    read = json.loads(document.out)
    assert read["summary"] == {"ok": 1, "warning": 1, "broken": code}
    assert read["findings"][0] == {"check": "a.b", "standing": "ok", "text": "fine", "remedy": None}
    assert set(read) == {"summary", "settings", "findings", "addons"}
    assert SECRET not in text.out + document.out + document.err


def test_lines_fit_the_terminal() -> None:
    """Broken at words, below their own column; elsewhere a finding is one line."""
    long = warning("area.check", "word " * 40, "cure " * 40)
    assert max(len(line) for line in _lines(long, 10, 80)) <= 80
    assert len(list(_lines(long, 10, 0))) == 2
    assert all(line.startswith(" " * 21) for line in list(_lines(long, 10, 80))[1:])


def test_what_is_printed_for_a_sender_can_be_piped(run: Run, flags: list[str]) -> None:
    """Standard output is the configuration and nothing else; the token is in neither."""
    ended = run("doctor", "--sender", "zot", *flags)
    assert ended.code == 0
    (sink,) = json.loads(ended.out)["extensions"]["events"]["sinks"]
    assert sink["address"] == "http://127.0.0.1:8080/v1/notifications"
    assert "4 MiB" in ended.err
    assert "TOKEN stands for what is configured by ADDON_SYNC_TOKEN" in ended.err
    assert "127.0.0.1 is reached from this machine only" in ended.err
    document = run("doctor", "--sender", "zot", "--output", "json", *flags)
    read = json.loads(document.out)
    assert json.loads(read["configuration"]) == json.loads(ended.out)
    assert (read["sender"], read["language"], document.err) == ("zot", "json", "")
    assert SECRET not in ended.out + ended.err + document.out


def test_no_registry_has_to_be_known_to_tell_one(run: Run, tmp_path: Path) -> None:
    """It is often the next thing that is set up."""
    assert run("doctor", "--sender", "ghcr", "--k2s-install-dir", str(tmp_path)).code == 0


@pytest.mark.parametrize(
    ("more", "url", "note"),
    [
        (["--address", "receiver.local:9"], "http://receiver.local:9/v1/notifications", None),
        (["--address", "https://receiver.local"], "https://receiver.local/v1/notifications", None),
        (["--listen", "10.0.0.1:7"], "http://10.0.0.1:7/v1/notifications", None),
        (["--listen", "[fd00::1]:7"], "http://[fd00::1]:7/v1/notifications", None),
        (["--listen", ":7"], "http://this-host:7/v1/notifications", "this-host is this host's own name"),
        (["--tls-cert", "c", "--tls-key", "k"], "https://127.0.0.1:8080/v1/notifications", "this machine only"),
    ],
)
def test_the_address_is_that_by_which_the_registry_reaches_us(
    run: Run, flags: list[str], monkeypatch: pytest.MonkeyPatch, more: list[str], url: str, note: str | None
) -> None:
    """What is listened on, as far as that tells."""
    monkeypatch.setattr("socket.gethostname", lambda: "this-host")
    ended = run("doctor", "--sender", "distribution", *flags, *more)
    assert yaml.safe_load(ended.out)["notifications"]["endpoints"][0]["url"] == url
    assert note is None or note in ended.err


def test_a_port_that_was_taken_is_told_by_serve(run: Run, flags: list[str], tmp_path: Path) -> None:
    """Port 0 is any; without serve nobody knows which."""
    taken = [*flags, "--listen", "127.0.0.1:0"]
    missing = run("doctor", "--sender", "zot", *taken)
    assert (missing.code, "--address" in missing.out) == (2, True)
    with StateLock(tmp_path / ".addon-sync") as lock:
        assert lock.try_acquire(command="serve")
        lock.announce(Holder.mine(command="serve", listen="http://127.0.0.1:4711"))
        assert "http://127.0.0.1:4711/v1" in run("doctor", "--sender", "zot", *taken).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sender", "zott"], "there are acr, artifactory"),
        (["--address", "x:1"], "--address goes with --sender"),
        (["--sender", "zot", "--address", "ftp://x"], "expected host:port"),
        (["--sender", "zot", "--address", "http://x/path"], "without a path"),
        (["--sender", "zot", "--address", "u:p@x"], "expected host:port"),
    ],
)
def test_wrong_usage_is_code_2(run: Run, flags: list[str], arguments: list[str], words: str) -> None:
    """With what would be right."""
    ended = run("doctor", *arguments, *flags)
    assert ended.code == 2
    assert words in ended.out + ended.err


def test_settings_that_cannot_be_read_are_code_2(run: Run, tmp_path: Path) -> None:
    """As with every command: there is nothing to look at."""
    ended = run("doctor", "--k2s-install-dir", str(tmp_path), "--registry-url", "oci://r", "--poll-interval", "often")
    assert ended.code == 2
    assert "--poll-interval: 'often'" in ended.out
