"""What commands print: for people, for programs, and nothing that a terminal would obey."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest

from receiver.cli.commands import ls as ls_module
from receiver.cli.output import ago, print_json, print_table, printable
from receiver.cli.progress import PlainProgress, progress
from receiver.cli.results import Results
from receiver.document import iso, replaced
from receiver.sync.outcome import Surveyed
from receiver.sync.replayed import Replayed
from receiver.tasks.task import Trigger
from tests.support.outcomes import outcome
from tests.unit.cli.conftest import Run

OUTCOME = outcome(trigger=Trigger.COMMAND, tag="v1.0.0")
MANIFEST = """\
apiVersion: v1
kind: AddonManifest
metadata: {name: monitoring, description: "D\\u00e4sh\\u001b[31mboards"}
spec: {implementations: [{name: monitoring}]}
"""


def test_a_table_for_a_pipe_is_plain_and_has_no_blanks_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """For grep and awk, however long its lines are."""
    print_table(("A", "LONGER"), [("x\x1b[2J", "y" * 300), ("zz", "")])
    assert capsys.readouterr().out == f"A      LONGER\nx?[2J  {'y' * 300}\nzz\n"


def test_a_table_on_a_terminal_reads_no_name_as_a_style(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets are letters, and control characters are not obeyed."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    print_table(("NAME",), [("[bold]x[/bold]",), ("a\x1b]0;title\x07",)])
    assert "[bold]x[/bold]" in terminal.getvalue()
    assert "\x07" not in terminal.getvalue()
    assert "a?]0;title?" in terminal.getvalue()


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """Windows gives pipes an encoding that lacks most letters; escapes survive each."""
    print_json({"a": "ü\udc80\x1b"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"a": "ü\udc80\x1b"}


def test_times_are_for_people_and_for_programs() -> None:
    """Both ways from now."""
    assert ago(None, now=0) == ""
    assert [ago(1000, now=now) for now in (1012, 1180, 8200, 1_000_000)] == [
        "12 s ago",
        "3 m ago",
        "2 h ago",
        "12 d ago",
    ]
    assert ago(1030, now=1000) == "in 30 s"
    seconds = (59.4, 59.6, 3569, 3590, 84_000, 86_000)
    assert [ago(0, now=now) for now in seconds] == ["59 s ago", "1 m ago", "59 m ago", "1 h ago", "23 h ago", "1 d ago"]
    assert (iso(None), iso(0.5)) == (None, "1970-01-01T00:00:00.500Z")
    assert printable("a\nb\u202ec") == "a?b?c"


def test_ls_prints_only_json_where_it_was_asked_for(run: Run, tmp_path: Path) -> None:
    """A program reads it, so nothing else is on standard output."""
    assert json.loads(run("ls", "--output", "json", "--k2s-install-dir", str(tmp_path)).out) == []
    folder = tmp_path / "addons" / "monitoring"
    folder.mkdir(parents=True)
    (folder / "addon.manifest.yaml").write_text(MANIFEST, encoding="utf-8")
    ended = run("ls", "--output", "json", "--k2s-install-dir", str(tmp_path))
    assert ended.code == 0
    assert [row["addon"] for row in json.loads(ended.out)] == ["monitoring"]
    table = run("ls", "--k2s-install-dir", str(tmp_path)).out
    assert table.splitlines()[0].startswith("ADDON")
    assert "\x1b" not in table


def test_ls_tells_of_a_manifest_that_nobody_can_read(run: Run, tmp_path: Path) -> None:
    """One of them makes the whole catalogue unreadable: exit code 1, and the reason."""
    folder = tmp_path / "addons" / "broken"
    folder.mkdir(parents=True)
    (folder / "addon.manifest.yaml").write_text("[", encoding="utf-8")
    ended = run("ls", "--output", "json", "--k2s-install-dir", str(tmp_path))
    assert ended.code == 1
    assert json.loads(ended.out)[0]["problem"]
    assert ls_module.command.name == "ls"


def test_the_counts_are_said_word_for_word(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs search for this line."""
    monkeypatch.setattr(logging.getLogger("receiver"), "propagate", True)
    caplog.set_level(logging.INFO)
    results = Results()
    results.add(OUTCOME)
    results.add(Surveyed(started=1.0, duration=1.0, unchanged=3))
    assert results.finish("text") == 0
    assert caplog.messages[-1] == "Addon sync completed. Synced: 1, Skipped (unchanged): 3, Failed: 0"


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [(True, "absent", 1), (False, "absent", 0), (False, "failed", 1), (True, "unchanged", 0)],
)
def test_the_exit_code_is_that_of_the_worst(
    named: bool, status: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """An addon that was asked for by name and is not there is a failure; in a list it is none."""
    results = Results(named=named)
    results.add(OUTCOME)
    results.add(replaced(OUTCOME, status=status, error="x"))
    assert results.finish("json") == code
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"synced": 1, "skipped": 1 - code, "failed": code}
    assert document["addons"][0]["started"] == "1970-01-01T00:00:01.000Z"


def test_a_survey_that_failed_and_an_event_that_cannot_be_read_are_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was synced, which must not look like nothing to do."""
    surveyed, replayed = Results(), Results()
    surveyed.add(Surveyed(started=1.0, duration=1.0, error="no registry"))
    replayed.add(Replayed(documents=2, problems=["line 1: damaged"]))
    replayed.add(Replayed(documents=1))
    assert (surveyed.finish("json"), json.loads(capsys.readouterr().out)["errors"]) == (1, ["no registry"])
    assert (replayed.finish("json"), json.loads(capsys.readouterr().out)["replayed"]["documents"]) == (1, 3)


def test_long_pulls_are_told_where_there_is_no_terminal(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line at the start, then one every ten seconds; short ones are not."""
    monkeypatch.setattr(logging.getLogger("receiver"), "propagate", True)
    caplog.set_level(logging.INFO)
    now = [0.0]
    monkeypatch.setattr("receiver.cli.progress.time.monotonic", lambda: now[0])
    with progress() as shown:
        assert isinstance(shown, PlainProgress)
        shown.started("small", 1000)
        shown.started("large", 20_000_000)
        shown.advanced("large", 5_000_000)
        now[0] = 11.0
        shown.advanced("large", 5_000_000)
        shown.advanced("large", 5_000_000)
        shown.finished("large")
        shown.finished("small")
    assert caplog.messages == ["large: fetching 20.0 MB", "large: 10.0 MB of 20.0 MB fetched"]
