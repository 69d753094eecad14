"""What becomes of a delivery: decoded, made durable, counted. Knows no HTTP.

Whatever was authenticated is kept: what concerns addons as ``accepted``, what cannot be read as ``quarantined``, which
makes the queue look at everything. One delivery can be both, and then goes in twice. Of anything else, and of what was
refused, a note is kept, for which nobody waits.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from receiver.document import encode, replaced
from receiver.errors import BAD_CERTIFICATE, FROM_A_BROWSER, NO_CERTIFICATE, Malformed, Unsupported
from receiver.metrics import Metrics
from receiver.server.credentials import refused
from receiver.server.gate import Grant
from receiver.server.refusals import Refusal, Refusals
from receiver.sync.heard import in_words, kept, remedy
from receiver.tasks.journal import DOCTOR, Aside, Event, Journal, shortened
from receiver.tasks.queue import Intake, Receipt, TaskQueue
from receiver.webhook.decode import UNKNOWN, decode, sender_name
from receiver.webhook.event import Decoded, Delivery, LeftOut
from receiver.webhook.fields import one_line

_log = logging.getLogger(__name__)
_MAX_INSTANCES = 256
"""Instances remembered as seen. A registry has one for each start; forgetting one costs one write."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the sender is told: numbers of events; a delivery that cannot be read counts as one."""

    accepted: int = 0
    ignored: int = 0
    quarantined: int = 0


class Notifications:
    """Takes deliveries into the queue."""

    def __init__(
        self, *, queue: TaskQueue, journal: Journal, metrics: Metrics, prefix: str, clock: Callable[[], float]
    ) -> None:
        self._queue = queue
        self._journal = journal
        self._metrics = metrics
        self._prefix = prefix
        self._clock = clock
        self._refusals = Refusals(clock)
        self._instances: dict[tuple[str, str], None] = {}

    async def take(self, delivery: Delivery, grant: Grant) -> Outcome:
        """Make durable what ``delivery`` says, where its sender is one that ``grant`` names.

        Raises:
            Unauthenticated: the credential is that of another sender; nothing was stored.
            QueueUnavailable: not everything of it is durable. The sender must repeat it; what was stored already is
                then dropped as a duplicate.
        """
        try:
            decoded = decode(delivery, prefix=self._prefix)
        except (Unsupported, Malformed) as error:
            sender = sender_name(delivery.headers)
            if sender not in grant:
                raise refused() from None
            await self._quarantine(delivery, sender, str(error))
            return Outcome(quarantined=1)
        if decoded.sender not in grant:
            raise refused()
        return await self._store(delivery, decoded)

    def refused(self, address: str, verdict: str, reason: str, *, agent: str = "") -> None:
        """Count a delivery that was not let in, keep a note of it, and now and then tell of it.

        ``agent`` is the User-Agent header: `DOCTOR` says itself what it was answered.
        """
        self._metrics.delivery(UNKNOWN, verdict)
        now = self._clock()
        origin = DOCTOR if agent == DOCTOR else None
        note = Aside(received=now, answered=now, sender=UNKNOWN, verdict="refused", reason=reason, address=address)
        self._journal.note(replaced(note, origin=origin))
        if verdict == "unauthenticated" and origin is None and (refusal := self._refusals.count(address)) is not None:
            _tell(refusal, reason)

    def uncertified(self, address: str, reason: str) -> None:
        """As `refused`, of whoever showed a client certificate that was not taken: what was to be sent is not known."""
        self.refused(address, "unauthenticated", f"{BAD_CERTIFICATE}: {reason}")

    async def _store(self, delivery: Delivery, decoded: Decoded) -> Outcome:
        accepted, duplicates, ignored = 0, 0, sum(decoded.ignored.values())
        if decoded.events or self._is_new(decoded):
            receipt = await self._accept(delivery, decoded)
            accepted, duplicates = receipt.accepted, receipt.duplicates
        elif not decoded.malformed:
            self._leave_out(delivery, decoded)
        if decoded.malformed:
            await self._quarantine(delivery, decoded.sender, "; ".join(decoded.malformed))
        if decoded.ignored:
            self._metrics.ignored(decoded.ignored)
        if not accepted and not duplicates and not decoded.malformed:
            self._metrics.delivery(decoded.sender, "ignored")
        return Outcome(accepted, ignored + duplicates, len(decoded.malformed))

    async def _accept(self, delivery: Delivery, decoded: Decoded) -> Receipt:
        now = self._clock()
        receipt = await self._queue.ingest(
            Intake(
                sender=decoded.sender,
                received=now,
                verdict="accepted",
                reason=None,
                headers=encode(delivery.headers),
                body=delivery.body,
                events=_events(decoded),
                instance_id=decoded.instance_id,
                address=delivery.address,
            ),
            now=now,
        )
        self._remember(decoded)
        if receipt.accepted:
            self._metrics.delivery(decoded.sender, "accepted")
        elif receipt.duplicates:
            self._metrics.delivery(decoded.sender, "duplicate")
        if receipt.new_instance:
            self._metrics.missed_event("sender restarted")
            _log.warning(
                "The registry behind %s was restarted and may have lost events that it had not sent: looking at every "
                "addon",
                decoded.sender,
            )
        return receipt

    def _leave_out(self, delivery: Delivery, decoded: Decoded) -> None:
        now = self._clock()
        self._journal.note(
            Aside(
                received=now,
                answered=now,
                sender=decoded.sender,
                verdict="ignored",
                address=delivery.address,
                events=_events(decoded),
            )
        )

    async def _quarantine(self, delivery: Delivery, sender: str, reason: str) -> None:
        now, reason = self._clock(), one_line(reason)
        await self._queue.ingest(
            Intake(
                sender=sender,
                received=now,
                verdict="quarantined",
                reason=reason,
                headers=encode(delivery.headers),
                body=delivery.body,
                events=(),
                address=delivery.address,
            ),
            now=now,
        )
        self._metrics.delivery(sender, "quarantined")
        _log.warning("A notification (%s) cannot be read, it is kept: %s. Looking at every addon", sender, reason)

    def _is_new(self, decoded: Decoded) -> bool:
        """Even a delivery with nothing for us tells that the registry was restarted, and so may have lost events."""
        return decoded.instance_id is not None and (decoded.sender, decoded.instance_id) not in self._instances

    def _remember(self, decoded: Decoded) -> None:
        if decoded.instance_id is not None:
            if self._is_new(decoded) and len(self._instances) >= _MAX_INSTANCES:
                del self._instances[next(iter(self._instances))]
            self._instances[decoded.sender, decoded.instance_id] = None


def _tell(refusal: Refusal, reason: str) -> None:
    """With the remedy; never with what was presented."""
    often = "" if refusal.count == 1 else f" ({refusal.count} times in {in_words(refusal.seconds)})"
    address = refusal.address
    if reason == FROM_A_BROWSER:
        _log.warning("%s sent a notification from a browser, it was refused%s: %s", address, often, reason)
    elif reason == NO_CERTIFICATE:
        _log.warning(
            "%s sent a notification without a client certificate, it was refused%s: %s", address, often, remedy(reason)
        )
    elif reason.startswith(BAD_CERTIFICATE):
        _log.warning("%s was not let in%s, %s; %s", address, often, reason, remedy(reason))
    else:
        _log.warning(
            "%s sent a notification with a wrong credential or none, it was refused%s: %s",
            address,
            often,
            remedy(reason),
        )


def _events(decoded: Decoded) -> tuple[Event, ...]:
    events = tuple(kept(event) for event in decoded.events)
    if not decoded.left_out:
        return events
    return events + shortened(map(_left_out, decoded.left_out), count=len(decoded.left_out))


def _left_out(event: LeftOut) -> Event:
    return Event(
        repository=event.repository or "",
        event_id=event.event_id,
        tag=event.tag,
        actor=event.actor,
        left_out=event.reason,
    )
