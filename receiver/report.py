"""Outcomes in words: one line for each, and the counts at the end. Pure."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands that only pack and push need the words, and nothing of syncing
    from collections.abc import Iterable

    from receiver.sync.importing import Imported
    from receiver.sync.operations import Changed
    from receiver.sync.outcome import Outcome, Surveyed


def describe(outcome: "Outcome") -> tuple[int, str]:
    """The level and the text of the log line of ``outcome``."""
    name = outcome.repository
    if outcome.status == "installed":
        return logging.INFO, _installed(outcome)
    if outcome.status == "unchanged":
        return logging.DEBUG, f"{name}: unchanged, {outcome.tag} ({_short(outcome.digest)})"
    if outcome.status == "held":
        return logging.WARNING, f"{name}: {outcome.error}"
    if outcome.status == "absent":
        return logging.WARNING, f"{name}: nothing to install: {outcome.error}"
    return logging.ERROR, f"{name}: {outcome.error} ({_again(outcome)})"


def _again(outcome: "Outcome") -> str:
    """Whether to wait or to act."""
    if outcome.parked:
        return "not tried again until a new push or 'addon-sync replay --failed'"
    if outcome.retry_at is None:
        return "tried again with the next sync or poll, or when 'addon-sync serve' runs"
    return "will be tried again"


def _installed(outcome: "Outcome") -> str:
    kept = f", {len(outcome.kept)} replaced files kept in the backups" if outcome.kept else ""
    return (
        f"{outcome.repository}: installed {outcome.tag} ({_short(outcome.digest)}), {outcome.files} files, "
        f"{size(outcome.fetched)} fetched, {lasting(outcome.duration)}, asked for by {outcome.trigger}{kept}"
    )


def describe_change(changed: "Changed") -> str:
    """The log line of ``changed``."""
    to = (
        f" to {changed.tag} ({_short(changed.digest)}), {changed.files} files"
        if changed.action == "rolled back"
        else ""
    )
    at = f" at {changed.tag} ({_short(changed.digest)})" if changed.action == "held" and changed.digest else ""
    kept = f"; {len(changed.kept)} replaced files kept in the backups" if changed.kept else ""
    action = "is not held" if changed.action == "not held" else changed.action
    return f"{changed.repository}: {action}{to}{at}{kept}" + (f"; {changed.note}" if changed.note else "")


def describe_import(imported: "Imported") -> tuple[int, str]:
    """The level and the text of the log line of ``imported``."""
    if imported.status != "installed":
        level = logging.WARNING if imported.status == "held" else logging.ERROR
        return level, f"{imported.repository}: {imported.error}"
    kept = f", {len(imported.kept)} replaced files kept in the backups" if imported.kept else ""
    tag = imported.tag or "without a tag"
    return (
        logging.INFO,
        f"{imported.repository}: imported {tag} ({_short(imported.digest)}), {imported.files} files{kept}",
    )


def describe_look(surveyed: "Surveyed") -> str:
    """What a look at everything came to, for who was told that it was one."""
    absent = f", {len(surveyed.absent)} of them not in the registry" if surveyed.absent else ""
    return f"{len(surveyed.changed)} changed, {surveyed.unchanged} unchanged{absent}"


def summary(outcomes: "Iterable[Outcome]", *, unchanged: int = 0) -> tuple[int, int, int]:
    """How many were synced, skipped and failed; ``unchanged`` are those that no outcome stands for."""
    synced, skipped, broken = 0, unchanged, 0
    for outcome in outcomes:
        if outcome.status == "installed":
            synced += 1
        elif outcome.status == "failed":
            broken += 1
        else:
            skipped += 1
    return synced, skipped, broken


def size(count: float) -> str:
    """Bytes for people: ``0 B``, ``101 KB``, ``1.2 GB`` (powers of 1000)."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def lasting(seconds: float) -> str:
    """A duration for people: ``0.52 s``, ``1 m 15 s``, ``2 h 05 m``."""
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} m"


def _short(digest: str | None) -> str:
    return digest[:19] if digest else "no digest"
