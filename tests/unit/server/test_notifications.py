"""What becomes of a delivery, without HTTP."""

import json
import logging

import pytest

from receiver.errors import FROM_A_BROWSER, NO_CREDENTIAL, QueueUnavailable, Unauthenticated
from receiver.metrics import Metrics
from receiver.server.gate import EVERYBODY
from receiver.server.notifications import Notifications, Outcome
from receiver.tasks.journal import DOCTOR
from receiver.webhook.event import Delivery
from tests.support.endpoint import RememberingQueue
from tests.support.notifications import envelope, event, recorded

INSTANCE = "8525b350-2340-4a04-90f7-26562c48e386"


class Desk:
    """Notifications at twelve o'clock, with a queue that remembers."""

    def __init__(self) -> None:
        self.queue, self.metrics, self.now = RememberingQueue(), Metrics(), 1200.0
        self.notifications = Notifications(
            queue=self.queue.as_queue(),
            journal=self.queue.as_journal(),
            metrics=self.metrics,
            prefix="addons/",
            clock=lambda: self.now,
        )

    async def take(self, body: bytes, **headers: str) -> Outcome:
        kept = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.notifications.take(Delivery(headers=kept, body=body), EVERYBODY)

    def verdicts(self) -> list[str]:
        return [intake.verdict for intake in self.queue.intakes]

    def has(self, line: str) -> bool:
        return line in self.metrics.render()[0].decode().splitlines()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_push_is_stored_as_it_came(desk: Desk) -> None:
    """Replay decodes the same headers and body again."""
    delivery = recorded("distribution-2.8.2-push-manifest-tag")
    assert await desk.notifications.take(delivery, EVERYBODY) == Outcome(accepted=1)
    (intake,) = desk.queue.intakes
    assert (intake.sender, intake.verdict, intake.reason) == ("distribution", "accepted", None)
    assert (intake.received, intake.body, intake.instance_id) == (1200.0, delivery.body, INSTANCE)
    assert json.loads(intake.headers) == delivery.headers
    (kept,) = intake.events
    assert (kept.repository, type(kept.repository), kept.tag) == ("addons/metrics", type(kept.repository), "v1.0.0")
    assert kept.digest is not None
    assert desk.has('addon_sync_deliveries_total{sender="distribution",verdict="accepted"} 1.0')


async def test_a_duplicate_is_answered_as_ignored_and_counted_as_what_it_is(desk: Desk) -> None:
    """Distribution repeats what it thinks was lost (W20); that it does shows in the metrics as in the journal."""
    await desk.take(envelope(event(id="a")))
    assert await desk.take(envelope(event(id="a"), event(id="b"))) == Outcome(accepted=1, ignored=1)
    assert await desk.take(envelope(event(id="a"))) == Outcome(ignored=1)
    assert desk.has('addon_sync_deliveries_total{sender="distribution",verdict="duplicate"} 1.0')
    assert desk.has('addon_sync_deliveries_total{sender="distribution",verdict="ignored"} 0.0')
    assert desk.has('addon_sync_deliveries_total{sender="distribution",verdict="accepted"} 2.0')


async def test_noise_does_not_touch_the_queue(desk: Desk) -> None:
    """Most events are blobs and pulls, and a write for each would be most of our writes."""
    noise = envelope(event(action="pull", source={}), event(action="mount", source={}))
    assert await desk.take(noise) == Outcome(ignored=2)
    assert desk.queue.intakes == []
    (aside,) = desk.queue.asides
    assert (aside.verdict, [kept.left_out for kept in aside.events]) == ("ignored", ["pull", "mount"])
    assert desk.has('addon_sync_events_ignored_total{reason="pull"} 1.0')
    assert desk.has('addon_sync_deliveries_total{sender="distribution",verdict="ignored"} 1.0')


async def test_of_much_noise_the_first_and_the_number_are_kept(desk: Desk) -> None:
    """Whatever one delivery holds: a note of it stays small, with what was accepted in full."""
    noise = [event(action="pull", id=str(number)) for number in range(3000)]
    await desk.take(envelope(event(id="a"), *noise))
    await desk.take(envelope(*noise))
    (intake,), (aside,) = desk.queue.intakes, desk.queue.asides
    for events in (intake.events[1:], aside.events):
        assert len(events) < 20
        assert events[-1].left_out == f"and {3001 - len(events):,} more"
    assert intake.events[0].left_out is None


async def test_noise_of_a_new_instance_is_told_once(desk: Desk) -> None:
    """The registry was restarted, so events may have been lost: the queue must know, even from a pull."""
    for _ in range(3):
        assert await desk.take(envelope(event(action="pull"))) == Outcome(ignored=1)
    (intake,) = desk.queue.intakes
    assert (intake.instance_id, intake.verdict) == (INSTANCE, "accepted")
    assert [kept.left_out for kept in intake.events] == ["pull"]


async def test_an_instance_counts_as_seen_only_once_it_is_durable(desk: Desk) -> None:
    """Else a full disk would hide the restart."""
    desk.queue.broken = QueueUnavailable("full")
    with pytest.raises(QueueUnavailable):
        await desk.take(envelope(event(action="pull")))
    desk.queue.broken = None
    await desk.take(envelope(event(action="pull")))
    assert len(desk.queue.intakes) == 1


async def test_a_flood_of_instances_does_not_fill_the_memory(desk: Desk) -> None:
    """They are forgotten in the order of arrival."""
    for number in range(300):
        await desk.take(envelope(event(action="pull", source={"instanceID": f"i{number}"})))
    await desk.take(envelope(event(action="pull", source={"instanceID": "i299"})))
    assert len(desk.queue.intakes) == 300
    await desk.take(envelope(event(action="pull", source={"instanceID": "i0"})))
    assert len(desk.queue.intakes) == 301
    assert len(desk.notifications._instances) <= 256


@pytest.mark.parametrize(
    ("body", "headers", "sender"),
    [
        (b"{", {}, "unknown"),
        (b"{}", {}, "unknown"),
        (b"[1]", {"ce_type": "zotregistry.image.updated"}, "zot"),
        (b"\x1f\x8b", {"content_encoding": "gzip"}, "unknown"),
        (b"{}", {"content_type": "application/vnd.docker.distribution.events.v1+json"}, "distribution"),
    ],
)
async def test_what_cannot_be_read_is_kept(
    desk: Desk, caplog: pytest.LogCaptureFixture, body: bytes, headers: dict[str, str], sender: str
) -> None:
    """The sender gets its 202, the operator a reason and the very bytes."""
    assert await desk.take(body, **headers) == Outcome(quarantined=1)
    (intake,) = desk.queue.intakes
    assert (intake.verdict, intake.sender, intake.body, intake.events) == ("quarantined", sender, body, ())
    assert intake.reason
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert intake.reason in record.message
    assert desk.has(f'addon_sync_deliveries_total{{sender="{sender}",verdict="quarantined"}} 1.0')


async def test_a_delivery_can_be_both(desk: Desk) -> None:
    """One bad event is kept for the operator and takes no good one along."""
    outcome = await desk.take(envelope(event(id="a"), 5, event(action="pull"), event(target=None)))
    assert outcome == Outcome(accepted=1, ignored=1, quarantined=2)
    assert desk.verdicts() == ["accepted", "quarantined"]
    accepted, quarantined = desk.queue.intakes
    assert [(kept.event_id, kept.left_out) for kept in accepted.events] == [
        ("a", None),
        ("291e84c1-a3d5-4cb8-b57e-dd975554b3d8", "pull"),
    ]
    assert quarantined.events == ()
    assert quarantined.reason == "event 2: it is not an object; event 4: it has no target"


async def test_bad_events_alone_are_quarantined_alone(desk: Desk) -> None:
    """There is nothing to accept."""
    assert await desk.take(envelope(5, {})) == Outcome(quarantined=2)
    assert desk.verdicts() == ["quarantined"]


async def test_an_empty_envelope_is_fine(desk: Desk) -> None:
    """Nothing happened, and nothing is stored (W17)."""
    assert await desk.take(envelope()) == Outcome()
    assert desk.queue.intakes == []
    (aside,) = desk.queue.asides
    assert (aside.verdict, aside.events) == ("ignored", ())


async def test_a_reason_is_one_short_printable_line(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A sender must not write our log, nor fill it."""
    hostile = event(target={"repository": "addons/\x1b[31m\r\n2026 [AddonSync][ERROR] forged"})
    await desk.take(envelope(*[hostile] * 1000))
    assert desk.verdicts() == ["accepted", "quarantined"]  # the first one tells of the new instance
    reason = desk.queue.intakes[1].reason
    assert reason is not None
    assert len(reason) <= 300
    assert caplog.records[0].message.isprintable()


async def test_a_queue_that_cannot_store_is_told_to_the_caller(desk: Desk) -> None:
    """Nothing is answered that is not durable (W22)."""
    desk.queue.broken = QueueUnavailable("disk full")
    for body in (envelope(event()), b"{"):
        with pytest.raises(QueueUnavailable):
            await desk.take(body)
    assert not desk.has('addon_sync_deliveries_total{sender="distribution",verdict="accepted"} 1.0')
    desk.queue.broken = None
    assert await desk.take(envelope(event())) == Outcome(accepted=1)


async def test_a_credential_of_another_sender_stores_nothing(desk: Desk) -> None:
    """A leaked secret path of Docker Hub is not one of the registry."""
    grant = frozenset({"dockerhub", "unknown"})
    for delivery in (
        Delivery(headers={}, body=envelope(event())),
        Delivery(headers={"ce-type": "a.image.updated"}, body=b"not JSON"),
        Delivery(headers={"x-github-event": "package", "content-encoding": "gzip"}, body=b"{}"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            await desk.notifications.take(delivery, grant)
        assert str(caught.value) == "a valid credential is required"
    assert desk.queue.intakes == []
    assert desk.queue.asides == []


async def test_what_nobody_recognises_is_kept_with_any_credential(desk: Desk) -> None:
    """Once authenticated, everything gets 202."""
    delivery = Delivery(headers={}, body=b"not JSON")
    assert await desk.notifications.take(delivery, frozenset({"dockerhub", "unknown"})) == Outcome(quarantined=1)


async def test_a_wrong_credential_is_told_with_its_remedy(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Once, whoever sent it; what else is refused has its lines elsewhere, and doctor answers for itself."""
    for address in ("127.0.0.1", "127.0.0.1", "10.0.0.7"):
        desk.notifications.refused(address, "unauthenticated", NO_CREDENTIAL, agent="Go-http-client/1.1")
    desk.notifications.refused("10.0.0.8", "oversized", "the body is over the limit")
    desk.notifications.refused("127.0.0.3", "unauthenticated", FROM_A_BROWSER)
    desk.notifications.refused("10.0.0.9", "unauthenticated", NO_CREDENTIAL, agent=DOCTOR)
    *wrong, browser = caplog.messages
    assert browser.startswith("127.0.0.3 sent a notification from a browser, it was refused: a web page")
    assert wrong == [
        f"{address} sent a notification with a wrong credential or none, it was refused: compare ADDON_SYNC_TOKEN, or "
        "what stands under senders:, with what that registry sends"
        for address in ("127.0.0.1", "10.0.0.7")
    ]
    assert [aside.origin for aside in desk.queue.asides] == [None, None, None, None, None, DOCTOR]


async def test_wrong_credentials_are_counted_for_the_line_of_the_next_hour(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """So that the log shows that it goes on."""
    for _ in range(28):
        desk.notifications.refused("10.0.0.7", "unauthenticated", NO_CREDENTIAL)
    desk.now += 3600.0
    desk.notifications.refused("10.0.0.7", "unauthenticated", NO_CREDENTIAL)
    assert "with a wrong credential or none, it was refused (28 times in 1 hour): compare" in caplog.messages[-1]
    assert len(caplog.messages) == 2
