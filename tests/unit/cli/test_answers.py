"""What commands say of answers, also where there is none: what is not known is not told as if it were."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from receiver.cli.commands import missed, status
from receiver.sync.engine import Report
from receiver.sync.outcome import Surveyed
from receiver.sync.status import AddonStatus, DesiredFacts, InstalledFacts
from receiver.sync.unannounced import MissedPush
from tests.support.sync_fakes import NOW
from tests.unit.cli.conftest import Ended, Run

NAME = "addons/monitoring"
DIGEST = "sha256:" + "a" * 64
AWAY = Surveyed(started=NOW, duration=0.0, error="registry.example: connection refused")
Say = Callable[..., Ended]


@pytest.fixture
def say(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Run a command for which ``answers`` come back, whoever is asked."""

    def said(*arguments: str, answers: list[Report]) -> Ended:
        def answered(*_: object, report: Callable[[Report], None], **__: Any) -> None:
            for answer in answers:
                report(answer)

        monkeypatch.setattr(status, "view", answered)
        monkeypatch.setattr(missed, "run", answered)
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
    for known in (row(desired=away), row(desired=absent, installed=installed), row()):
        assert say("status", "monitoring", answers=[known]).code == 0
    (tmp_path / "addons" / "monitoring").mkdir(parents=True)
    assert say("status", "monitoring", answers=[row(desired=absent)]).code == 0
