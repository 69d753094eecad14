"""Outcomes in words."""

import logging

import pytest

from receiver.document import replaced
from receiver.report import describe, lasting, size, summary
from receiver.sync.outcome import Outcome
from receiver.tasks.task import Trigger

INSTALLED = Outcome(
    repository="addons/monitoring",
    status="installed",
    trigger=Trigger.EVENT,
    asked=1.0,
    started=1.0,
    duration=1.234,
    digest="sha256:" + "a" * 64,
    tag="v1.0.0",
    files=12,
    fetched=101_000,
)


def test_an_installation_is_one_line_with_what_people_ask_for() -> None:
    """Which version, how much, how long, and why."""
    text = "installed v1.0.0 (sha256:aaaaaaaaaaaa), 12 files, 101 KB fetched, 1.23 s, asked for by event"
    assert describe(INSTALLED) == (logging.INFO, f"addons/monitoring: {text}")


def test_edits_that_were_replaced_are_told() -> None:
    """Somebody will look for them."""
    assert describe(replaced(INSTALLED, kept=("a", "b")))[1].endswith("2 replaced files kept in the backups")


def test_a_failure_tells_its_cause_and_what_comes_next() -> None:
    """Whether to wait or to act."""
    failed = replaced(INSTALLED, status="failed", error="disk full", digest=None)
    assert describe(failed)[1].endswith(
        "disk full (tried again with the next sync or poll, or when 'addon-sync serve' runs)"
    )
    assert describe(replaced(failed, retry_at=9.0)) == (
        logging.ERROR,
        "addons/monitoring: disk full (will be tried again)",
    )
    assert "'addon-sync replay --failed'" in describe(replaced(failed, parked=True))[1]


def test_what_is_unchanged_is_quiet_and_what_is_absent_is_a_warning() -> None:
    """A poll of a hundred addons must not be a hundred lines."""
    assert describe(replaced(INSTALLED, status="unchanged"))[0] == logging.DEBUG
    level, text = describe(replaced(INSTALLED, status="absent", error="no tag", digest=None))
    assert (level, text) == (logging.WARNING, "addons/monitoring: nothing to install: no tag")


def test_the_counts_are_of_all_outcomes() -> None:
    """Absent is skipped; what no outcome stands for is added."""
    outcomes = [
        replaced(INSTALLED, status=status) for status in ("installed", "failed", "failed", "unchanged", "absent")
    ]
    assert summary(outcomes) == (1, 2, 2)
    assert summary(outcomes, unchanged=10) == (1, 12, 2)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (101_000, "101 KB"), (1.2e9, "1.2 GB"), (5e12, "5000 GB")],
)
def test_sizes_are_for_people(count: float, text: str) -> None:
    """Powers of 1000."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.004, "0.00 s"),
        (0.524, "0.52 s"),
        (59.99, "59.99 s"),
        (59.996, "1 m 00 s"),
        (75, "1 m 15 s"),
        (3599.6, "1 h 00 m"),
        (7500, "2 h 05 m"),
    ],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Never ``60.00 s``."""
    assert lasting(seconds) == text
