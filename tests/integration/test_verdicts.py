"""Every delivery has an entry with verdict, address and reason, by the real endpoint and journal; and no secret."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from receiver.cli.entries import row
from receiver.errors import QueueUnavailable
from receiver.server.connections import Limits
from receiver.tasks.journal import Arrival, Verdict, Wanted
from receiver.tasks.queue import Intake, Receipt
from receiver.tasks.sqlite import SqliteQueue
from tests.support.endpoint import PATH, TOKEN, Endpoint, post, running
from tests.support.notifications import envelope, event

SECRET_PATH = "secret-path-of-some-length"
WRONG = "a-wrong-token-that-may-be-one-of-another-system"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Place:
    """A door before a real queue, and the file that all is kept in."""

    endpoint: Endpoint
    queue: SqliteQueue
    file: Path

    async def arrivals(self) -> Sequence[Arrival]:
        """The oldest first."""
        page = await self.queue.entries(Wanted(arrivals=True), limit=100)
        return [entry for entry in reversed(page.entries) if isinstance(entry, Arrival)]

    async def only(self) -> Arrival:
        (arrival,) = await self.arrivals()
        return arrival


@asynccontextmanager
async def place(tmp_path: Path, limits: Limits | None = None) -> AsyncIterator[Place]:
    file = tmp_path / "queue.sqlite"
    queue = await SqliteQueue.open(file)
    try:
        secrets = {"dockerhub": lambda: (SECRET_PATH,)}
        async with running(limits, queue=queue, journal=queue, senders=secrets) as endpoint:
            yield Place(endpoint, queue, file)
    finally:
        await queue.close()


def content(folder: Path) -> bytes:
    """Of the queue's file and its log."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def status(found: Place, request: bytes) -> int:
    reply = await found.endpoint.ask(request)
    assert reply is not None
    return reply.status


def change(action: str, repository: str = "addons/metrics", **more: object) -> bytes:
    """A delivery of one event."""
    target = {"mediaType": MANIFEST, "repository": repository, "digest": "sha256:" + "a" * 64, **more}
    return envelope(event(action=action, target=target, id=f"{action} {repository} {len(more)}"))


@pytest.mark.parametrize(
    ("body", "verdict", "repository", "left_out"),
    [
        (change("push", tag="v1.0.0"), "accepted", "addons/metrics", None),
        (change("pull", tag="v1.0.0"), "ignored", "addons/metrics", "pull"),
        (change("push", mediaType="application/octet-stream"), "ignored", "addons/metrics", "blob"),
        (change("push", "library/redis", tag="v1"), "ignored", "library/redis", "other repository"),
        (change("mount", tag="v1.0.0"), "ignored", "addons/metrics", "mount"),
    ],
)
async def test_what_was_let_in_is_kept_with_what_it_named(
    body: bytes, verdict: Verdict, repository: str, left_out: str | None, tmp_path: Path
) -> None:
    """Where it came from, when it was answered, and why nothing came of it: in one delivery, one entry."""
    async with place(tmp_path) as found:
        assert await status(found, post(body)) == 202
        arrival = await found.only()
    assert (arrival.verdict, arrival.sender, arrival.address) == (verdict, "distribution", "127.0.0.1")
    (kept,) = arrival.events
    assert (kept.repository, kept.left_out, kept.actor) == (repository, left_out, "alice")
    assert arrival.answered is not None
    assert arrival.received <= arrival.answered <= arrival.received + 30
    assert (arrival.size > 0) == (verdict == "accepted")


async def test_a_deletion_is_kept_as_one(tmp_path: Path) -> None:
    """It asks for a look as a push does, and is not told as one; nor is it when it comes twice."""
    async with place(tmp_path) as found:
        for body in (change("push", tag="v1.0.0"), change("delete", tag="v1.0.0"), change("delete", tag="v1.0.0")):
            assert await status(found, post(body)) == 202
        arrivals = await found.arrivals()
    assert [one.verdict for one in arrivals] == ["accepted", "accepted", "duplicate"]
    assert [one.deleted for arrival in arrivals for one in arrival.events] == [False, True, True]


async def test_a_duplicate_is_told_apart_from_the_first(tmp_path: Path) -> None:
    """Its events are named; of what came twice within one delivery too."""
    async with place(tmp_path) as found:
        for _ in range(2):
            assert await status(found, post(change("push", tag="v1.0.0"))) == 202
        first, second = await found.arrivals()
        concerning = await found.queue.entries(Wanted(repository="addons/metrics"), limit=9)
    assert (first.verdict, second.verdict) == ("accepted", "duplicate")
    assert [one.left_out for one in second.events] == ["duplicate"]
    assert len(concerning.entries) == 2


async def test_what_cannot_be_read_is_kept_with_the_reason(tmp_path: Path) -> None:
    """Its body too: a later version may understand it."""
    async with place(tmp_path) as found:
        assert await status(found, post(b"{broken")) == 202
        arrival = await found.only()
        stored = await found.queue.delivery(arrival.id)
    assert (arrival.verdict, arrival.address, arrival.size) == ("quarantined", "127.0.0.1", 7)
    assert arrival.reason is not None
    assert "JSON" in arrival.reason
    assert stored is not None
    assert stored.body == b"{broken"


async def test_one_delivery_of_good_and_bad_events_is_both(tmp_path: Path) -> None:
    """The good ones were accepted, and the whole is kept for a person to look at."""
    async with place(tmp_path) as found:
        body = json.dumps({"events": [event(), {"action": 7}]}).encode()
        assert await status(found, post(body)) == 202
        verdicts = [arrival.verdict for arrival in await found.arrivals()]
    assert verdicts == ["accepted", "quarantined"]


@pytest.mark.parametrize("token", [None, WRONG], ids=["none", "wrong"])
async def test_who_has_no_valid_credential_leaves_a_note(token: str | None, tmp_path: Path) -> None:
    """Many in a row are one, with their number; nothing of the body is kept."""
    async with place(tmp_path) as found:
        async with found.endpoint.connect() as wire:
            for _ in range(5):
                await wire.send(post(b"", token=token))
                await wire.reply()
        for _ in range(4):
            await found.endpoint.ask(post(b"{}", token=token))
        arrivals = await found.arrivals()
    assert {(one.verdict, one.sender, one.address) for one in arrivals} == {("refused", "unknown", "127.0.0.1")}
    assert sum(one.count for one in arrivals) >= 5
    assert all(one.reason and "credential" in one.reason and not one.events for one in arrivals)


async def test_a_body_over_the_limit_leaves_a_note(tmp_path: Path) -> None:
    """With the limit."""
    async with place(tmp_path, Limits(body=100)) as found:
        assert await status(found, post(b" " * 200)) == 413
        arrival = await found.only()
    assert (arrival.verdict, arrival.address) == ("refused", "127.0.0.1")
    assert arrival.reason is not None
    assert "100" in arrival.reason


async def test_a_body_that_was_cut_off_leaves_a_note(tmp_path: Path) -> None:
    """A sender or a proxy gave up: the sender will repeat it."""
    async with place(tmp_path, Limits(body_seconds=0.1)) as found:
        await found.endpoint.ask(post(b"{", length=50))
        arrival = await found.only()
    assert (arrival.verdict, arrival.address) == ("refused", "127.0.0.1")
    assert arrival.reason is not None
    assert "did not arrive within" in arrival.reason


async def test_what_could_not_be_made_durable_leaves_a_note_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender got 503 and repeats it: both are told."""
    async with place(tmp_path) as found:
        ingest = found.queue.ingest

        async def full(intake: Intake, *, now: float) -> Receipt:
            raise QueueUnavailable("the disk is full: /a/path/that/is/nobodys/business")

        monkeypatch.setattr(found.queue, "ingest", full)
        assert await status(found, post(change("push", tag="v1.0.0"))) == 503
        monkeypatch.setattr(found.queue, "ingest", ingest)
        assert await status(found, post(change("push", tag="v1.0.0"))) == 202
        refused, accepted = sorted(await found.arrivals(), key=lambda one: one.verdict, reverse=True)
    assert (refused.verdict, refused.reason) == ("refused", "it could not be made durable")
    assert (accepted.verdict, refused.address) == ("accepted", "127.0.0.1")


async def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    """Not the tokens, right and wrong, in any header; not the path that is one; looked for in every byte."""
    async with place(tmp_path) as found:
        for name, token in enumerate((TOKEN, WRONG)):
            await found.endpoint.ask(post(change("push", tag=f"v1.0.{name}"), token=token))
        await found.endpoint.ask(post(b"{broken", token=TOKEN))
        hub = json.dumps({"push_data": {"tag": "v1"}, "repository": {"repo_name": "addons/metrics"}}).encode()
        for path in (SECRET_PATH, SECRET_PATH + "-wrong"):
            request = post(hub, "Cookie: session=" + WRONG, "X-Api-Key: " + WRONG, token=None, path=f"{PATH}/{path}")
            await found.endpoint.ask(request)
        arrivals = await found.arrivals()
        assert {arrival.sender for arrival in arrivals} >= {"distribution", "dockerhub", "unknown"}
        shown = "\n".join(" ".join(row(arrival)) for arrival in arrivals)
        kept = content(tmp_path)
    kept += content(tmp_path)
    assert b"addons/metrics" in kept
    for secret in (TOKEN, WRONG, SECRET_PATH):
        assert secret.encode() not in kept
        assert secret not in shown
