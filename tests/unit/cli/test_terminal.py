"""Listings on real pseudo-terminals of several widths, and what is never sent to any other place."""

import io
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from receiver.cli.command import Command, Group
from receiver.cli.output import Table, print_table
from receiver.cli.terminal import State, coloured, obeys_escapes, painted
from receiver.log import configure
from tests.support.terminal import shown

ROOT = Path(__file__).parents[3]
LISTINGS = ("status", "events", "parked", "missed", "why", "doctor", "follow", "status-one")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
LISTING = [sys.executable, "-m", "tests.support.listings"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def neutral(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever those who run the tests prefer."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("listing", LISTINGS)
def test_no_line_is_longer_than_the_terminal_is_wide(listing: str, columns: int) -> None:
    """Two hundred rows, long names, long errors: what the terminal breaks by itself cannot be read as a table."""
    code, text = shown([*LISTING, listing, "200"], columns=columns)
    assert code == 0, text
    lines = ESCAPE.sub("", text).splitlines()
    assert len(lines) > 5
    assert [line for line in lines if len(line) > columns] == []
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("listing", ["status", "parked"])
def test_an_error_is_there_to_its_last_word_on_the_narrowest_terminal(listing: str) -> None:
    """Cutting it would cut the reason."""
    _, text = shown([*LISTING, listing, "6"], columns=60)
    flat = re.sub(r"\s+", "", ESCAPE.sub("", text))
    assert "theproxyisnotwelltoday</html>" in flat
    assert "gateway-api-with-a-rather-" in flat


def test_what_is_left_out_is_named() -> None:
    """Whoever looks for it learns where it is."""
    _, narrow = shown([*LISTING, "status", "6"], columns=80)
    _, wide = shown([*LISTING, "status", "6"], columns=200)
    assert "not shown here: LAST EVENT" in narrow
    assert "not shown here" not in wide
    assert "LAST EVENT" in wide


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_pipe_gets_all_of_it_in_whole_lines_and_no_escape(listing: str) -> None:
    """For grep and awk; whatever the environment says of colours."""
    ended = subprocess.run(
        [*LISTING, listing, "6"], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
        env={"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "COLUMNS": "40", "TERM": "xterm", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "\x1b" not in ended.stdout + ended.stderr
    if listing in {"status", "parked", "why", "doctor"}:
        assert "and that three times in a row; the body was <html>the proxy is not well today</html>" in ended.stdout


def test_states_are_coloured_and_written() -> None:
    """Never by colour alone."""
    _, text = shown([*LISTING, "status", "6"], columns=120)
    assert "\x1b[32mcurrent" in text
    assert "\x1b[31mparked" in text
    assert "\x1b[33mheld" in text
    assert "\x1b[33mretrying" in text


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("listing", ["status", "why", "doctor", "follow"])
def test_colours_can_be_refused(listing: str, environment: dict[str, str]) -> None:
    """No escape code at all; see no-color.org."""
    _, text = shown([*LISTING, listing, "6"], columns=120, environment=environment)
    assert "\x1b" not in text


def test_an_empty_no_color_refuses_nothing() -> None:
    """As the convention says: present and not empty."""
    _, text = shown([*LISTING, "status", "6"], columns=120, environment={"NO_COLOR": ""})
    assert "\x1b[" in text


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("current", "green"),
        ("sync installed", "green"),
        ("not installed", "yellow"),
        ("poll failed", "red"),
        ("BROKEN", "red"),
        ("retrying", "yellow"),
        ("superseded", None),
        ("", None),
    ],
)
def test_a_state_is_known_by_its_last_word(text: str, tone: str | None) -> None:
    """What is neither good nor bad stays plain."""
    assert State(text).tone == tone
    assert re.sub(ESCAPE, "", painted(State(text), Terminal())) == text


def test_rows_that_come_one_by_one_stay_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns never get narrower; the header comes once, also into a file."""
    table = Table(("NUMBER", "WHAT", "DETAIL"), widths=(3, 8))
    table.print_next(("1", "accepted", "x" * 100))
    table.print_next(("22", "a longer one", "y"))
    table.print_next(("333", "z", "z"))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "NUMBER  WHAT      DETAIL",
        f"1       accepted  {'x' * 100}",
        "22      a longer one  y",
        "333     z             z",
    ]


def test_the_log_is_coloured_in_its_prefix_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text stays word for word."""
    logger = logging.getLogger("receiver")
    before = (logger.handlers[:], logger.level, logger.propagate)
    stream = Terminal()
    try:
        configure(style="text", stream=stream, coloured=True)
        logger.info("a")
        logger.warning("b")
        logger.error("c")
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
    lines = [line[20:] for line in stream.getvalue().splitlines()]
    assert lines == ["[AddonSync] a", "\x1b[33m[AddonSync][WARN]\x1b[0m b", "\x1b[31m[AddonSync][ERROR]\x1b[0m c"]


def test_an_error_on_a_terminal_is_red_and_in_a_pipe_it_is_not() -> None:
    """The whole way, from the command line."""
    command = [sys.executable, "-m", "receiver", "ls", "--k2s-install-dir", "/nowhere"]
    code, text = shown(command, columns=100)
    assert code == 2
    assert "\x1b[31m[AddonSync][ERROR]\x1b[0m K2S_INSTALL_DIR '/nowhere'" in text
    _, plain = shown(command, columns=100, environment={"NO_COLOR": "1"})
    assert "\x1b" not in plain


def test_old_consoles_of_windows_get_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: click and rich translate for them, the log does not; Windows Terminal takes them."""
    monkeypatch.delenv("WT_SESSION", raising=False)
    assert coloured(Terminal())
    assert not obeys_escapes(Terminal(), system="nt")
    monkeypatch.setenv("WT_SESSION", "x")
    assert obeys_escapes(Terminal(), system="nt")
    assert not obeys_escapes(io.StringIO(), system="nt")


def test_a_group_makes_commands_of_ours() -> None:
    """So that theirs have the same help."""
    assert Group.command_class is Command


def test_letters_of_two_columns_are_counted_as_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag may be written in any script."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    print_table(("A", "B"), [("日本", "x"), ("ab", "y")])
    assert terminal.getvalue().splitlines() == ["A     B", "日本  x", "ab    y"]


def test_a_catalogue_of_two_hundred_addons_is_listed_on_80_columns(tmp_path: Path) -> None:
    """The command itself, with descriptions as they are."""
    for number in range(200):
        folder = tmp_path / "addons" / f"addon-{number:03}"
        folder.mkdir(parents=True)
        description = "Dashboards and alerts for everything that runs on this host " * (number % 3)
        manifest = (
            f"apiVersion: v1\nkind: AddonManifest\nmetadata: {{name: {folder.name}, description: '{description}x'}}\n"
            f"spec: {{implementations: [{{name: {folder.name}}}]}}\n"
        )
        (folder / "addon.manifest.yaml").write_text(manifest, encoding="utf-8")
    code, text = shown([sys.executable, "-m", "receiver", "ls", "--k2s-install-dir", str(tmp_path)], columns=80)
    lines = ESCAPE.sub("", text).splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("addon-") for line in lines) == 200
    assert " ".join(lines[0].split()) == "ADDON IMPLEMENTATION FROM DESCRIPTION"
