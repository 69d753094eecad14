"""The command line as users meet it: help, errors with a remedy, exit codes."""

import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from receiver import __version__
from receiver.cli.main import COMMANDS, cli
from receiver.lock import StateLock
from receiver.settings_table import SETTINGS
from scripts.generate_man import contexts, words
from tests.unit.cli.conftest import Run

ROOT = Path(__file__).parents[3]
EVERY = tuple(contexts())


def commands() -> list[click.Command]:
    context = click.Context(cli)
    return [command for name in COMMANDS if (command := cli.get_command(context, name)) is not None]


def test_the_commands_are_those_of_the_contract() -> None:
    """In the order in which people need them."""
    contract = ["serve", "sync", "poll", "replay", "ls", "status"]
    answers = ["why", "events", "missed", "parked", "page"]
    operators = ["history", "rollback", "hold", "release", "uninstall", "verify", "doctor"]
    packers = ["export", "push", "import"]
    others = ["register", "completion"]
    assert list(COMMANDS) == contract + answers + operators + packers + others
    assert [command.name for command in commands()] == list(COMMANDS)


@pytest.mark.parametrize("context", EVERY, ids=lambda context: context.command_path)
def test_every_command_has_an_example_and_every_flag_a_meaning(context: click.Context) -> None:
    """``--help`` is the manual that everybody has; commands of commands have theirs."""
    text, examples = words(context.command)
    assert text
    assert any(context.command_path in line for line in examples), examples
    for option in context.command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


@pytest.mark.parametrize("context", EVERY, ids=lambda context: context.command_path)
def test_flags_of_settings_stand_behind_those_of_the_command(context: click.Context) -> None:
    """A command of two flags must not hide them among thirty. Where this fails: ``cls=Command`` is missing."""
    flags = {setting.flag for setting in SETTINGS if setting.has_flag} | {"--config"}
    own, _, settings = context.command.get_help(context).partition("\nSettings (flag over")
    shown = {flag for flag in flags if re.search(rf"^  {flag} ", settings, re.MULTILINE)}
    assert shown == {flag for option in context.command.params for flag in option.opts if flag in flags}
    assert not any(re.search(rf"^  {flag} ", own, re.MULTILINE) for flag in flags)
    assert "-h, --help" in own


@pytest.mark.parametrize("context", EVERY, ids=lambda context: context.command_path)
def test_names_are_completed_wherever_they_are_asked_for(context: click.Context) -> None:
    """An addon, a sender or a file, in whichever command."""
    for parameter in context.command.params:
        if parameter.name in {"addon", "sender", "to", "file"}:
            completes = vars(parameter)["_custom_shell_complete"] is not None
            assert completes or isinstance(parameter.type, click.Path), parameter.name


@pytest.mark.parametrize("command", commands(), ids=lambda command: str(command.name))
def test_every_listing_takes_output_json(command: click.Command) -> None:
    """Only ``serve`` and ``completion`` list nothing."""
    flags = {flag for option in command.params for flag in option.opts}
    assert ("--output" in flags) == (command.name not in {"serve", "completion"})
    assert ("--config" in flags) == (command.name != "completion")


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
        (["parked", "rety"], "did you mean 'retry'?"),
        (["parked", "frobnicate"], "there are discard, retry"),
        (["completion", "csh"], "'bash'"),
        (["ls", "--output", "yaml"], "'json'"),
        (["ls", "monitoring"], "unexpected extra argument"),
        (["serve", "--token", "x"], "--token-file"),
        (["sync", "--insecure"], "requires an argument"),
        (["sync", "--insecure", "--k2s-install-dir", "x"], "--insecure needs a value, as in --insecure true"),
        (["sync", "--registry-url", "--insecure=true"], "--registry-url needs a value; after it comes --insecure=true"),
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


@pytest.mark.skipif(sys.platform == "win32", reason="its Ctrl-C goes to a whole group of processes")
def test_ctrl_c_is_one_line_and_code_1(tmp_path: Path) -> None:
    """Whoever pressed it knows why: no traceback, also while the command waits for another one."""
    lock = StateLock(tmp_path / ".addon-sync", install_dir=tmp_path)
    lock.acquire(command="sync", timeout=0, waiting=lambda _: None)
    with lock:
        process = subprocess.Popen(
            [sys.executable, "-m", "receiver", "status", "--offline", "--k2s-install-dir", str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1,
        )  # fmt: skip
        with process:
            assert process.stdout is not None
            assert "waiting for" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (1, "interrupted")


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
