"""What shells complete: in a real bash, and quietly on a host where nothing is set up."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete, get_completion_class

from receiver.catalog.record import AddonRecord, InstalledRelease, KeptRelease
from receiver.cli.completion import addons, releases
from receiver.cli.main import COMMANDS, cli
from receiver.document import encode
from receiver.webhook.decode import BY_KEY
from tests.unit.cli.conftest import Run

ROOT = Path(__file__).parents[3]
DIGESTS = ["sha256:" + letter * 64 for letter in "abc"]
LINE = """\
source <(addon-sync completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
_addon_sync_completion addon-sync
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """An installation with two addons, one of them with three releases; and what others left there."""
    folder = tmp_path / ".addon-sync" / "installed"
    folder.mkdir(parents=True)
    tags = ["v1.2.0", "latest", "latest"]
    kept = [
        KeptRelease(tag=tag, version=None, digest=digest, arrived=1.0, artifact=[])
        for tag, digest in zip(tags, DIGESTS, strict=True)
    ]
    installed = InstalledRelease(tag="v1.2.0", version=None, digest=DIGESTS[0], installed=1.0, units=[], manifests={})
    for leaf in ("monitoring", "ingress-nginx"):
        record = AddonRecord(repository=f"addons/{leaf}", leaf=leaf, installed=installed, kept=kept)
        (folder / f"{leaf}.json").write_bytes(encode(record))
    (folder / "Not an addon.json").write_text("{}", encoding="utf-8")
    (folder / "README").write_text("x", encoding="utf-8")
    return tmp_path


def completed(*words: str, host: Path | None) -> list[str]:
    """What click offers for the last of ``words``; without ``host``, where nothing is set."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("K2S_INSTALL_DIR", "ADDON_SYNC_STATE_DIR"):
            patched.delenv(name, raising=False)
        if host is not None:
            patched.setenv("K2S_INSTALL_DIR", str(host))
        found = ShellComplete(cli, {}, "addon-sync", "_ADDON_SYNC_COMPLETE").get_completions([*words[:-1]], words[-1])
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("comp",), ["completion"]),
        (("why", ""), ["ingress-nginx", "monitoring"]),
        (("why", "mon"), ["monitoring"]),
        (("sync", "monitoring", ""), ["ingress-nginx"]),
        (("parked", "retry", "i"), ["ingress-nginx"]),
        (("events", "--addon", "m"), ["monitoring"]),
        (("events", "--addon=m",), ["monitoring"]),
        (("rollback", "monitoring", "--to", ""), ["v1.2.0", "b" * 12, "c" * 12]),
        (("rollback", "monitoring", "--to", "v"), ["v1.2.0"]),
        (("rollback", "absent", "--to", ""), []),
        (("rollback", "../x", "--to", ""), []),
        (("rollback", "--to", ""), []),
        (("replay", "--sender", "har"), ["harbor"]),
        (("doctor", "--sender", ""), sorted(BY_KEY)),
        (("sync", "--insecure", "t"), ["true"]),
        (("ls", "--output", ""), ["text", "json"]),
        (("parked", "dis"), ["discard"]),
    ],
)  # fmt: skip
def test_names_of_this_host_are_completed(host: Path, words: tuple[str, ...], found: list[str]) -> None:
    """Without what is no addon, and without those that were named already."""
    assert completed(*words, host=host)[: len(found) or None] == found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_host_without_settings_completes_flags_and_no_names(name: str) -> None:
    """Pressing a key must not print an error."""
    assert "--help" in completed(name, "--", host=None)
    completed(name, "", host=None)


@pytest.mark.parametrize("damage", ["absent", "file", "config", "record"])
def test_a_half_configured_host_completes_what_it_can(host: Path, damage: str) -> None:
    """No error whatever is there, and none of its names."""
    flags = ["--k2s-install-dir", str(host)]
    if damage == "absent":
        flags[1] = str(host / "nowhere")
    elif damage == "file":
        (host / "state").write_text("x", encoding="utf-8")
        flags += ["--state-dir", str(host / "state")]
    elif damage == "config":
        (host / "bad.yaml").write_text("[", encoding="utf-8")
        flags += ["--config", str(host / "bad.yaml")]
    else:
        (host / ".addon-sync" / "installed" / "monitoring.json").write_text("{", encoding="utf-8")
    assert completed("rollback", *flags, "monitoring", "--to", "", host=None) == []
    assert completed("why", *flags, "", host=None) == (["ingress-nginx", "monitoring"] if damage == "record" else [])


def test_settings_that_do_not_matter_here_may_be_wrong(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that this account may not read is none of a shell's business."""
    monkeypatch.setenv("ADDON_SYNC_TOKEN_FILE", "/nowhere")
    monkeypatch.setenv("ADDON_SYNC_LISTEN", "rubbish")
    assert completed("why", "", host=host) == ["ingress-nginx", "monitoring"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_is_printed_for_each_shell(run: Run, shell: str) -> None:
    """PowerShell is looked at only: none runs here."""
    ended = run("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert "_ADDON_SYNC_COMPLETE" in ended.out
    assert f"{shell}_complete" in ended.out


def test_a_click_that_does_not_know_a_shell_is_told_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """PowerShell came with 8.5."""
    monkeypatch.setattr("click.shell_completion.get_completion_class", lambda _: None)
    ended = run("completion", "powershell")
    assert ended.code == 2
    assert "update it to 8.5" in ended.out
    assert get_completion_class("bash") is not None


def in_bash(*words: str, host: Path) -> subprocess.CompletedProcess[str]:
    script = host / "addon-sync"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m receiver "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{host}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "--norc", "-c", LINE, "bash", *words], capture_output=True, text=True, timeout=60, check=True,
        env={**environment, "K2S_INSTALL_DIR": str(host)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("addon-sync", "comp"), ["completion"]),
        (("addon-sync", "rollback", "m"), ["monitoring"]),
        (("addon-sync", "rollback", "monitoring", "--to", "v"), ["v1.2.0"]),
        (("addon-sync", "nonsense", "x"), [""]),
    ],
)
def test_a_real_bash_completes(host: Path, words: tuple[str, ...], found: list[str]) -> None:
    """As it does when somebody presses the key; and nothing is printed beside the line."""
    ended = in_bash(*words, host=host)
    assert (ended.stdout.splitlines(), ended.stderr) == (found, "")


def test_completing_a_command_imports_no_other() -> None:
    """Somebody waits for each key."""
    code = "import sys; from receiver.cli.main import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    environment = {"COMP_WORDS": "addon-sync s", "COMP_CWORD": "1", "_ADDON_SYNC_COMPLETE": "bash_complete"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert ended.stdout.splitlines() == ["plain,serve", "plain,sync", "plain,status"]
    loaded = set(ended.stderr.split())
    assert not {name for name in loaded if name.startswith("receiver.cli.commands.")}
    assert not {"yaml", "msgspec", "asyncio", "rich", "sqlite3"} & loaded


def test_completers_take_what_is_no_command_line(host: Path) -> None:
    """A context without parameters, as click makes one for a word that it could not place."""
    with click.Context(cli) as context:
        argument = click.Argument(["addon"])
        assert addons(context, argument, "") == []
        assert releases(context, argument, "") == []
