"""The command line as users meet it: help, errors with a remedy, exit codes."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from receiver import __version__
from receiver.cli.main import COMMANDS, cli
from receiver.settings_table import SETTINGS
from tests.unit.cli.conftest import Run

ROOT = Path(__file__).parents[3]


def commands() -> list[click.Command]:
    context = click.Context(cli)
    return [command for name in COMMANDS if (command := cli.get_command(context, name)) is not None]


def test_the_commands_are_those_of_the_contract() -> None:
    """In the order in which people need them."""
    contract = ["serve", "sync", "poll", "replay", "ls", "status"]
    operators = ["page", "history", "rollback", "hold", "release", "uninstall", "verify"]
    assert list(COMMANDS) == contract + operators
    assert [command.name for command in commands()] == list(COMMANDS)


@pytest.mark.parametrize("command", commands(), ids=lambda command: str(command.name))
def test_every_command_has_an_example_and_every_flag_a_meaning(command: click.Command) -> None:
    """``--help`` is the manual that everybody has."""
    assert re.search(
        rf"\bExamples?:\n  \S*\s?addon-sync {command.name}|Examples?:\n +.*addon-sync {command.name}",
        command.help or "",
    )
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


@pytest.mark.parametrize("command", commands(), ids=lambda command: str(command.name))
def test_every_listing_takes_output_json(command: click.Command) -> None:
    """Only ``serve`` lists nothing."""
    flags = {flag for option in command.params for flag in option.opts}
    assert ("--output" in flags) == (command.name != "serve")
    assert "--config" in flags


def test_serve_takes_every_setting_as_a_flag_but_secrets_and_fine_limits() -> None:
    """Other users of the machine see command lines; a dozen limits that nobody changes would fill the help."""
    flags = {flag for option in commands()[0].params for flag in option.opts}
    assert {setting.flag for setting in SETTINGS if setting.has_flag} <= flags
    assert not {setting.flag for setting in SETTINGS if not setting.has_flag} & flags
    assert not {"--token", "--registry-password"} & flags


@pytest.mark.parametrize(
    "arguments", [[], *[[name] for name in COMMANDS]], ids=lambda arguments: " ".join(arguments) or "-"
)
def test_help_is_shown(run: Run, arguments: list[str]) -> None:
    """With exit code 0, on standard output, in both spellings."""
    ended = run(*arguments, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "Usage: addon-sync" in ended.out
    assert run(*arguments, "-h").out == ended.out


def test_the_version_is_told(run: Run) -> None:
    """As it is in the package."""
    assert __version__ in run("--version").out


def test_the_module_and_the_command_are_the_same() -> None:
    """``python -m receiver`` works where the script is not in the path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"addon-sync": "receiver.cli:main"}
    ended = subprocess.run(
        [sys.executable, "-m", "receiver", "--help"], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert ended.stdout.startswith("Usage: addon-sync ")


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["snyc"], "did you mean 'sync'?"),
        (["frobnicate"], "there are serve, sync, poll, replay, ls, status"),
        (["ls", "--outptu", "json"], "--output"),
        (["ls", "--output", "yaml"], "'json'"),
        (["ls", "monitoring"], "unexpected extra argument"),
        (["serve", "--token", "x"], "--token-file"),
        (["sync", "--insecure"], "requires an argument"),
        (["replay"], "give a FILE"),
        (["replay", "events.json", "--failed"], "give a FILE"),
        (["sync", "--config", "."], "is a directory"),
    ],
)
def test_wrong_usage_is_code_2_with_a_remedy_on_standard_error(run: Run, arguments: list[str], remedy: str) -> None:
    """Think of what people mistype."""
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert remedy in ended.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["K2S_INSTALL_DIR is not set", "--k2s-install-dir"]),
        (["--k2s-install-dir", "/nowhere"], ["K2S_INSTALL_DIR '/nowhere' is not an existing folder"]),
        (["--k2s-install-dir", "DIR"], ["REGISTRY_URL is not set", "--registry-url"]),
        (["--k2s-install-dir", "DIR", "--registry-url", "oci://r/addons"], ["host and port only"]),
        (["--k2s-install-dir", "DIR", "--registry-url", "oci://u:S3cret@r"], ["ADDON_SYNC_REGISTRY_USERNAME"]),
        (["--k2s-install-dir", "DIR", "--registry-url", "ftp://r"], ["expected oci://host[:port]"]),
        (["--k2s-install-dir", "DIR", "--registry-url", "http://r"], ["set INSECURE=true"]),
        (["--k2s-install-dir", "DIR", "--registry-url", "oci://r", "--max-files", "x"], ["--max-files: 'x'"]),
        (["--config", "/nowhere.yaml"], ["the configuration file '/nowhere.yaml' cannot be read"]),
    ],
)
@pytest.mark.parametrize("command", ["sync", "poll", "status", "serve", "replay"])
def test_a_wrong_configuration_is_code_2_and_one_line(
    run: Run, tmp_path: Path, command: str, flags: list[str], words: list[str]
) -> None:
    """It names the setting and the remedy, and no secret."""
    more = ["--failed"] if command == "replay" else []
    ended = run(command, *more, *[str(tmp_path) if flag == "DIR" else flag for flag in flags])
    assert ended.code == 2
    assert re.fullmatch(r"\S+ \S+ \[AddonSync\]\[ERROR\] [^\n]+\n", ended.out)
    assert all(word in ended.out for word in words)
    assert "S3cret" not in ended.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("addon", ["../x", "Monitoring", "common", "a/b", "nul"])
def test_a_bad_addon_name_is_code_2(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, addon: str) -> None:
    """``status`` says it before it asks anybody."""
    monkeypatch.setattr("receiver.cli.commands.status.view", lambda *_, **__: pytest.fail("asked"))
    ended = run("status", addon, "--k2s-install-dir", str(tmp_path), "--registry-url", "oci://r")
    assert ended.code == 2
    assert "[AddonSync][ERROR]" in ended.out


def test_with_json_log_lines_go_to_standard_error(run: Run, tmp_path: Path) -> None:
    """Standard output holds JSON, or nothing."""
    ended = run("status", "--output", "json", "--k2s-install-dir", str(tmp_path))
    assert (ended.code, ended.out) == (2, "")
    assert "REGISTRY_URL is not set" in ended.err


def test_a_letter_that_a_pipe_lacks_ends_no_command(tmp_path: Path) -> None:
    """Simulated: on Windows pipes have the code page of the system."""
    command = [sys.executable, "-m", "receiver", "ls", "--k2s-install-dir", str(tmp_path / "日本")]
    ended = subprocess.run(
        command, capture_output=True, cwd=ROOT, timeout=60, check=False,
        env={"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "1", "PATH": ""},
    )  # fmt: skip
    assert ended.returncode == 2
    assert b"\\u65e5\\u672c" in ended.stdout
    assert ended.stderr == b""
