"""What commands say of answers, also where there is none: what is not known is not told as if it were."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from receiver.catalog.release import Drift
from receiver.cli.commands import hold, missed, parked, poll, replay, status, sync, verify, why
from receiver.sync.chronicle import written
from receiver.sync.engine import Report
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.request import HoldRequest
from receiver.sync.status import AddonStatus, DesiredFacts, EventFacts, InstalledFacts
from receiver.sync.story import Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked
from receiver.tasks.journal import Done
from tests.support.sync_fakes import NOW
from tests.unit.cli.conftest import Ended, Run

NAME = "addons/monitoring"
DIGEST = "sha256:" + "a" * 64
AWAY = Surveyed(started=NOW, duration=0.0, error="registry.example: connection refused")
ASKING = (
    (status, "view"),
    (missed, "run"),
    (sync, "run"),
    (poll, "run"),
    (verify, "run"),
    (replay, "run_all"),
    (parked, "run"),
    (parked, "view"),
)
Say = Callable[..., Ended]


@pytest.fixture
def say(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Run a command for which ``answers`` come back, whoever is asked."""

    def said(*arguments: str, answers: list[Report], served: bool = True) -> Ended:
        def answered(*_: object, report: Callable[[Report], None], **__: Any) -> bool:
            for answer in answers:
                report(answer)
            return served

        for module, name in ASKING:
            monkeypatch.setattr(module, name, answered)
        settings = ("--registry-url", "oci://registry.example", "--k2s-install-dir", str(tmp_path))
        return run(*arguments, *settings)

    return said


def row(**more: Any) -> AddonStatus:
    """An addon of which nothing is known, unless told."""
    nothing = {"installed": None, "desired": None, "hold": None, "next_attempt": None, "attempts": 0, "error": None}
    return AddonStatus(**{"repository": NAME, "standing": "unknown", **nothing, **more})


def test_missed_does_not_say_that_nothing_was_missed_where_it_could_not_ask(say: Say) -> None:
    """Nor that what it found is all."""
    done = say("missed", answers=[AWAY])
    assert (done.code, done.out.splitlines()[-1]) == (1, "not known: the registry could not be asked")
    assert "connection refused" in done.out
    assert "no push was missed" not in done.out
    push = MissedPush(repository=NAME, tag="v1.0.0", digest=DIGEST, state="not installed")
    assert "there may be more" in say("missed", answers=[push, AWAY]).out
    for answers in ([], [push]):
        done = say("missed", answers=list(answers))
        assert "there may be more" not in done.out
        assert ("no push was missed" in done.out) == (not answers)


def test_status_of_an_empty_host_says_why_the_registry_is_not_known(say: Say) -> None:
    """For programs too, beside the document."""
    done = say("status", answers=[AWAY])
    assert "what the registry wants is not known: registry.example: connection refused" in done.out
    assert done.out.splitlines()[-1] == "nothing is installed or queued"
    done = say("status", "--output", "json", answers=[AWAY])
    assert json.loads(done.out) == []
    assert "what the registry wants is not known" in done.err
    assert say("status", answers=[]).out == "nothing is installed, desired or queued\n"
    assert say("status", "--offline", answers=[]).out == "nothing is installed or queued\n"


def test_status_of_a_name_that_nobody_knows_is_an_error(say: Say, tmp_path: Path) -> None:
    """Not where the registry could not be asked, nor where anything is known, or another tool has installed it."""
    absent = DesiredFacts(error=f"{NAME}: not in the registry", error_kind="NotInRegistry")
    done = say("status", "monitoring", answers=[row(desired=absent)])
    assert done.code == 1
    assert f"{NAME}: not in the registry; nothing is installed from it" in done.out
    away = DesiredFacts(error="down", error_kind="Unavailable")
    installed = InstalledFacts(tag="v1", version="1", digest=DIGEST, installed=NOW, present=True)
    for known in (row(desired=away), row(desired=absent, installed=installed)):
        assert say("status", "monitoring", answers=[known]).code == 0
    (tmp_path / "addons" / "monitoring").mkdir(parents=True)
    assert say("status", "monitoring", answers=[row(desired=absent)]).code == 0


@pytest.mark.parametrize("asked", [["status", "--offline"], ["why"]])
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_name_that_this_host_never_heard_of_is_an_error(
    run: Run, tmp_path: Path, asked: list[str], output: str
) -> None:
    """What is known of a mistyped name is nothing; an addon that another tool has installed is one."""
    settings = ("--k2s-install-dir", str(tmp_path), "--state-dir", str(tmp_path / "state"), "--output", output)
    done = run(*asked, "monitorin", *settings)
    assert done.code == 1
    said = done.out if output == "text" else done.err
    assert "nothing is known of addons/monitorin: it is not installed, held, queued or in the journal" in said
    assert "'addon-sync status monitorin' asks the registry" in said
    assert output == "text" or done.out == ""
    (tmp_path / "addons" / "monitorin").mkdir(parents=True)
    assert run(*asked, "monitorin", *settings).code == 0
    (tmp_path / "addons" / "monitorin").rmdir()
    digests = tmp_path / "addons" / ".addon-sync-digests"
    digests.mkdir()
    (digests / "monitorin").touch()  # as of one of several implementations, whose folder has another name
    assert run(*asked, "monitorin", *settings).code == 0
    (digests / "monitorin").unlink()
    assert run("hold", "monitorin", *settings).code == 0
    assert run(*asked, "monitorin", *settings).code == 0


def test_a_name_that_only_the_journal_knows_has_a_story(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was discarded, and nothing of it is left but that."""
    activity = written(Changed(repository=NAME, action="discarded"), at=NOW)
    story = Story(status=row(), steps=(), entries=(Done(id=1, activity=activity),))
    monkeypatch.setattr(why, "view", lambda *_, report, **__: report(story))
    told = run("why", "monitoring", "--k2s-install-dir", str(tmp_path))
    assert (told.code, "discarded" in told.out) == (0, True)


@pytest.mark.parametrize("arguments", [["status"], ["status", "monitoring"]])
def test_status_does_not_tell_a_deletion_as_a_push(say: Say, arguments: list[str]) -> None:
    """The last event may be one."""
    event = EventFacts(
        number=7, received=NOW, sender="zot", verdict="accepted", actor="alice", tag="v1.0.0", deleted=True
    )
    assert "v1.0.0 deleted by alice, " in say(*arguments, answers=[row(last_event=event)]).out


@pytest.mark.parametrize("arguments", [["status"], ["status", "monitoring"]])
def test_status_says_that_nobody_does_what_is_queued(say: Say, arguments: list[str]) -> None:
    """What is due is due, and not over."""
    queued = row(standing="queued", next_attempt=NOW - 10**9, next_look=NOW - 10**9)
    for answers, served, said in (([queued], False, True), ([queued], True, False), ([row()], False, False)):
        out = say(*arguments, answers=list(answers), served=served).out
        assert ("'addon-sync serve' does not run: what is queued waits for it" in out.splitlines()[-1]) == said
        assert " ago" not in out
        assert ("due" in out) == (queued in answers)
    done = say(*arguments, "--output", "json", answers=[queued], served=False)
    assert len(json.loads(done.out)) == 1


SUMMARY = "Addon sync completed. Synced: 0, Skipped (unchanged): {}, Failed: 0"


def lines(done: Ended) -> list[str]:
    """What was logged, without times."""
    return [line.partition("[AddonSync]")[2].strip() for line in done.out.splitlines()]


@pytest.mark.parametrize("command", ["sync", "poll"])
def test_a_registry_without_addons_is_no_success_without_a_word(say: Say, command: str) -> None:
    """The prefix may be another one; where it could not be asked, that is the error."""
    nothing = [Surveyed(started=NOW, duration=0.0)] if command == "poll" else []
    text = "the registry has no repository below addons/"
    assert lines(say(command, answers=list(nothing))) == [text, SUMMARY.format(0)]
    done = say(command, answers=[AWAY])
    assert (done.code, text in done.out) == (1, False)
    assert text not in say(command, answers=[Surveyed(started=NOW, duration=0.0, unchanged=1)]).out


def test_a_poll_names_what_it_did_not_ask_about_or_did_not_find(say: Say) -> None:
    """They are counted as skipped, which would look as if they were as the registry wants them."""
    looked = Surveyed(started=NOW, duration=0.0, unchanged=3, held=("addons/a", "addons/b"), absent=("addons/c",))
    held, absent, counts = lines(say("poll", answers=[looked]))
    assert held.startswith("[WARN] held, so the registry was not asked about: addons/a, addons/b; 'addon-sync release")
    assert absent == "not in the registry, what is installed of it stays: addons/c"
    assert counts == SUMMARY.format(3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--addon", "helo", "--since", "1h"], "no stored event fits; nothing was replayed"),
        (["--quarantined"], "no stored event fits; nothing was replayed"),
        (["--failed"], "no addon's last sync failed; nothing was replayed"),
        (["--failed", "--since", "1h"], "no stored event fits; nothing was replayed"),
    ],
)
def test_a_replay_of_nothing_says_so(say: Say, arguments: list[str], text: str) -> None:
    """And is no failure."""
    done = say("replay", *arguments, answers=[Replayed()])
    assert (done.code, lines(done)) == (0, [text, SUMMARY.format(0)])
    assert "nothing was replayed" not in say("replay", *arguments, answers=[Replayed(repositories={NAME: 1})]).out


def test_a_retry_of_what_is_not_parked_is_an_error(say: Say) -> None:
    """As for a discard; all of nothing is no error."""
    one = Parked(repository=NAME, digest=DIGEST, error="bad", attempts=1, since=NOW)
    done = say("parked", "retry", "monitoring", "helo", answers=[one])
    assert done.code == 1
    assert "addons/helo: nothing is parked; 'addon-sync parked' lists what is" in done.out
    assert say("parked", "retry", "monitoring", answers=[one]).code == 0
    done = say("parked", "retry", "--all", answers=[])
    assert (done.code, lines(done)) == (0, ["nothing is parked", SUMMARY.format(0)])


@pytest.mark.parametrize(
    ("found", "text", "code"),
    [
        ([], "0 addons verified, 0 files differ, 0 addons repaired", 0),
        ([Verified(repository=NAME)], "1 addons verified, 0 files differ, 0 addons repaired", 0),
        ([Verified(repository=NAME, error="nothing is installed")], "0 addons verified, 1 could not be", 1),
        (
            [Verified(repository=NAME, error="unreadable"), Verified(repository="addons/b")],
            "1 addons verified, 1 could not be, 0 files differ, 0 addons repaired",
            1,
        ),
        (
            [Verified(repository=NAME, drift=(Drift(path="a", problem="mode"),), error="the disk is full")],
            "1 addons verified, 1 files differ, 0 addons repaired",
            1,
        ),
    ],
)
def test_what_could_not_be_verified_is_not_counted_as_verified(
    say: Say, found: list[Report], text: str, code: int
) -> None:
    """One that could not be repaired was verified."""
    done = say("verify", answers=found)
    assert (done.code, lines(done)[-1]) == (code, text)


def test_a_reason_that_is_no_text_is_stored_as_one_can_read_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A terminal of another encoding gives such bytes; no record and no journal could hold them."""
    asked: list[object] = []

    def noted(request: object, **_: object) -> int:
        asked.append(request)
        return 0

    monkeypatch.setattr(hold, "change", noted)
    done = run("hold", "monitoring", "--reason", "gr\udcfcn", "--k2s-install-dir", str(tmp_path))
    assert (done.code, asked) == (0, [HoldRequest(addon="monitoring", reason=r"gr\udcfcn")])


@pytest.mark.parametrize("number", ["-1", str(2**62 + 1), str(2**70)])
def test_a_number_that_no_entry_can_have_is_a_usage_error(run: Run, number: str) -> None:
    """An empty answer would look as if nothing had happened before it."""
    done = run("events", f"--before={number}")
    assert (done.code, f"--before {number}: no entry has such a number" in done.out + done.err) == (2, True)
