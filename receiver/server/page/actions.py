"""What a person asks for on the page: from a form to a request, and who carries it out while the person goes on."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from receiver.errors import ReceiverError
from receiver.report import describe_change, describe_look
from receiver.server.control import Commands
from receiver.server.session import Session
from receiver.sync.engine import Report
from receiver.sync.operations import Changed
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.request import (
    BY_HAND,
    HoldRequest,
    PollRequest,
    ReleaseRequest,
    ReplayRequest,
    Request,
    RollbackRequest,
    SyncRequest,
)

_log = logging.getLogger(__name__)

_MOST_RUNNING = 16
_MOST_NOTICES = 5
"""For a person at a time; older ones are in the journal."""
_MOST_SESSIONS = 256
_AT_ONCE = 1.0
"""Seconds in which most things are done: then the answer already says what came of it."""
_MOST_REASON = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told of what they asked for."""

    tone: Literal["good", "bad", "plain"]
    text: str


class NotAnAction(ValueError):
    """A form asks for what nobody offered."""


def wanted(form: Mapping[str, str]) -> Request:
    """The request that a form means; a button says ``verb`` or ``verb subject`` in ``do``.

    Raises:
        NotAnAction: it means none.
    """
    verb, _, subject = form.get("do", "").partition(" ")
    if verb == "poll" and not subject:
        return PollRequest()
    if verb == "replay" and subject.isascii() and subject.isdecimal() and len(subject) < 19:
        return ReplayRequest(numbers=(int(subject),))
    if not subject:
        raise NotAnAction("this is no action of the page: go back and reload it")
    return _about_addon(verb, subject, form)


def _about_addon(verb: str, addon: str, form: Mapping[str, str]) -> Request:
    match verb:
        case "sync" | "retry":
            # What is installed already is not installed again; a person's word revives what is parked.
            return SyncRequest(addons=(addon,), force=False)
        case "hold":
            reason = " ".join(form.get("reason", "").split())[:_MOST_REASON]
            return HoldRequest(addon=addon, reason=reason or BY_HAND)
        case "release":
            return ReleaseRequest(addon=addon)
        case "rollback":
            leaf, _, digest = addon.partition(" ")
            return RollbackRequest(addon=leaf, to=digest or None)
        case _:
            raise NotAnAction(f"{verb[:20]!r} is no action of the page")


class Actions:
    """Carries out requests beside the connections that asked; ``changed`` is called when one has ended."""

    def __init__(self, commands: Commands, *, changed: Callable[[], None]) -> None:
        self._commands = commands
        self._changed = changed
        self._running: set[asyncio.Task[None]] = set()
        self._notices: OrderedDict[str, list[Notice]] = OrderedDict()

    async def take(self, session: Session, request: Request, subject: str) -> None:
        """Begin ``request``, and return when it has ended or takes longer; the notices say which."""
        if len(self._running) >= _MOST_RUNNING:
            self._notice(session, Notice("bad", "too much was asked for at a time: wait until some of it is done"))
            return
        task = asyncio.create_task(self._carry_out(session, request, subject), name=f"page {subject}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=_AT_ONCE)
        if not task.done():
            self._notice(session, Notice("plain", f"{subject}: asked for; what comes of it will be told here"))

    def notices(self, session: Session) -> list[Notice]:
        """What was not told yet; told now."""
        return self._notices.pop(session.name, [])

    async def close(self, grace: float) -> None:
        """Let what runs end within ``grace`` seconds; what is in the queue by then is done after the next start."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("Fault while carrying out %s", task.get_name(), exc_info=error)
        self._changed()

    async def _carry_out(self, session: Session, request: Request, subject: str) -> None:
        try:
            async with aclosing(self._commands.execute(request)) as reports:
                async for report in reports:
                    if (notice := said(report)) is not None:
                        self._notice(session, notice)
        except ReceiverError as error:
            self._notice(session, Notice("bad", f"{subject}: {error}"))

    def _notice(self, session: Session, notice: Notice) -> None:
        found = self._notices.setdefault(session.name, [])
        found.append(notice)
        del found[:-_MOST_NOTICES]
        if len(self._notices) > _MOST_SESSIONS:
            self._notices.popitem(last=False)


def said(report: Report) -> Notice | None:
    """What came of it, for who asked; None for what nobody on the page asks for."""
    match report:
        case Outcome():
            return _outcome(report)
        case Surveyed():
            return _surveyed(report)
        case Replayed():
            return _replayed(report)
        case Changed():
            text = "; ".join(filter(None, (describe_change(report), report.warning)))
            return Notice("plain" if report.action == "not held" else "good", text)
        case _:
            return None


def _surveyed(surveyed: Surveyed) -> Notice:
    if surveyed.error is not None:
        return Notice("bad", f"the registry could not be looked through: {surveyed.error}")
    return Notice("good", f"looked at all addons: {describe_look(surveyed)}")


def _replayed(replayed: Replayed) -> Notice:
    if replayed.problems:
        return Notice("bad", f"it could not be fed in again: {replayed.problems[0]}")
    return Notice("plain", f"{replayed.events} events were fed in again, {replayed.ignored} concern no addon")


def _outcome(outcome: Outcome) -> Notice:
    name = outcome.repository
    if outcome.status == "installed":
        return Notice("good", f"{name}: {outcome.tag} was installed, {outcome.files} files")
    if outcome.status == "unchanged":
        return Notice("good", f"{name}: {outcome.tag} is installed already, there was nothing to do")
    tone: Literal["bad", "plain"] = "bad" if outcome.status == "failed" else "plain"
    return Notice(tone, f"{name}: {outcome.error}")
