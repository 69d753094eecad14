"""The HTTP API over a receiver in memory: what it answers, what it does, and what it refuses."""

import asyncio
import json
import threading

import pytest

from receiver.errors import QueueUnavailable, Unavailable
from receiver.sync.chronicle import written
from receiver.sync.operations import Changed
from receiver.tasks.journal import Done, Wanted
from tests.support.api import HOST, SENDER, announce, serving
from tests.support.sync_fakes import NOW, World, until


async def synced(world: World, *leaves: str) -> None:
    """Each is pushed and installed, for an event."""
    for leaf in leaves:
        world.registry.push(leaf)
        await announce(world, leaf)
    await world.settled()
    await world.chronicle.settle()


async def test_each_addon_is_told_with_times_and_names_as_the_commands_have_them() -> None:
    """The same documents as 'status --output json'."""
    async with serving() as client, client.world.working():
        await synced(client.world, "monitoring")
        (row,) = (await client.get("/v1/addons")).json["addons"]
        assert (row["repository"], row["standing"]) == ("addons/monitoring", "current")
        assert row["installed"]["installed"].endswith("Z")
        assert row["last_event"]["actor"] == "ann"


async def test_the_registry_is_asked_only_where_that_is_wanted() -> None:
    """An answer from what is known needs no registry; one that asks it tells what it has."""
    async with serving() as client:
        client.world.registry.push("logging")
        assert (await client.get("/v1/addons")).json == {"addons": [], "error": None}
        assert client.world.registry.asked == []
        (row,) = (await client.get("/v1/addons?ask=true")).json["addons"]
        assert (row["repository"], row["standing"]) == ("addons/logging", "missing")


async def test_a_registry_that_is_away_is_told_beside_what_is_known_without_it() -> None:
    """An empty list alone would say that there are no addons; what is installed is there all the same."""
    async with serving() as client, client.world.working():
        client.world.registry.errors["repositories", ""] = Unavailable("registry.example: no connection")
        away = "registry.example: no connection"
        assert (await client.get("/v1/addons?ask=true")).json == {"addons": [], "error": away}
        await synced(client.world, "monitoring")
        told = (await client.get("/v1/addons?ask=true")).json
        (row,) = told["addons"]
        assert (row["repository"], row["installed"]["tag"], row["error"]) == ("addons/monitoring", "v1.0.0", away)
        assert told["error"] == away
        assert (await client.get("/v1/addons")).json["error"] is None
        client.world.registry.errors.clear()
        assert (await client.get("/v1/addons?ask=true")).json["error"] is None


async def test_one_addon_is_told_with_its_story() -> None:
    """The steps of 'why', and what the journal holds of it."""
    async with serving() as client, client.world.working():
        await synced(client.world, "monitoring", "logging")
        story = (await client.get("/v1/addons/monitoring")).json
        assert story["status"]["standing"] == "current"
        assert [step["title"] for step in story["steps"]][:2] == ["asked", "tag"]
        assert [entry["kind"] for entry in story["entries"]] == ["sync", "delivery"]


async def test_an_addon_that_only_the_journal_knows_is_told() -> None:
    """It was discarded, and nothing of it is left but that."""
    async with serving() as client:
        gone = Changed(repository="addons/gone", action="discarded")
        await client.world.queue.record([written(gone, at=client.world.clock())])
        story = (await client.get("/v1/addons/gone")).json
        assert [entry["outcome"] for entry in story["entries"]] == ["discarded"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/addons/nothing", 404), ("/v1/addons/No%20Name", 400), ("/v1/addons/", 404), ("/v1/addons/a/b", 404),
     ("/v1/addons/a%2Fb", 404), ("/v1/events/17", 404), ("/v1/events/x", 404), ("/v1/events/", 404),
     ("/v1/events/" + "9" * 40, 404), ("/v1/jobs/x", 404), ("/v1/jobs/", 404), ("/v1/nothing", 404)],
)  # fmt: skip
async def test_what_is_not_there_is_404_and_what_cannot_be_is_400(path: str, status: int) -> None:
    """With a reason, and never a fault."""
    async with serving() as client:
        answer = await client.get(path)
        assert answer.status == status
        assert answer.json["error"]


async def test_pages_go_through_the_journal_without_a_gap_and_without_a_double() -> None:
    """By the cursor, while more arrives."""
    async with serving() as client:
        for number in range(7):
            await announce(client.world, "a", tag=f"v{number}.0.0")
        first = (await client.get("/v1/events?limit=3")).json
        await announce(client.world, "a", tag="v9.0.0")
        found, before = list(first["events"]), first["before"]
        while before is not None:
            page = (await client.get(f"/v1/events?limit=3&before={before}")).json
            found += page["events"]
            before = page["before"]
        assert [entry["events"][0]["tag"] for entry in found] == [f"v{number}.0.0" for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("query", "count"),
    [("addon=a", 2), ("sender=harbor", 1), ("verdict=accepted", 3), ("verdict=refused", 0), ("kind=delivery", 3),
     ("kind=sync", 0), ("since=1h", 3), ("until=1h", 0), ("since=2026-01-01T00:00:00Z", 3), ("until=1970-01-01", 0),
     ("addon=a&sender=zot", 1)],
)  # fmt: skip
async def test_events_are_filtered(query: str, count: int) -> None:
    """By each of the filters, and by all of them at once."""
    async with serving() as client:
        await announce(client.world, "a")
        await announce(client.world, "b")
        await announce(client.world, "a", tag="v2.0.0", sender="harbor")
        assert len((await client.get(f"/v1/events?{query}")).json["events"]) == count


@pytest.mark.parametrize(
    ("query", "word"),
    [("limit=0", "limit"), ("limit=501", "limit"), ("limit=1e3", "limit"), ("before=-1", "before"),
     ("since=yesterday", "since"), ("kind=push", "kind"), ("verdict=good", "verdict"), ("addon=", "addon"),
     ("limits=3", "limits"), ("limit=1&limit=2", "limit"), ("addon=No%20Name", "addon")],
)  # fmt: skip
async def test_a_parameter_that_does_not_fit_is_refused_by_name(query: str, word: str) -> None:
    """Rather than ignored, which would answer another question."""
    async with serving() as client:
        answer = await client.get(f"/v1/events?{query}")
        assert answer.status == 400
        assert word in answer.json["error"]


async def test_one_event_is_told_with_the_body_that_is_kept() -> None:
    """What was decoded, for who wants to know why it was decoded so."""
    async with serving() as client:
        await announce(client.world, "a")
        (listed,) = (await client.get("/v1/events")).json["events"]
        found = (await client.get(f"/v1/events/{listed['id']}")).json
        assert (found["event"], found["headers"]) == (listed, {})
        assert json.loads(found["body"])["events"][0]["target"] == {"repository": "addons/a", "tag": "v1.0.0"}


async def test_a_sync_is_a_job_to_follow() -> None:
    """202 at once, with the place to look at; in the end what became of each addon."""
    async with serving() as client:
        client.world.registry.push("monitoring")
        answer = await client.post("/v1/sync", {"addons": ["monitoring"]})
        assert (answer.status, answer.json["state"], answer.json["ended"]) == (202, "running", None)
        where = answer.headers["Location"]
        assert where == f"/v1/jobs/{answer.json['id']}"
        async with client.world.working():
            job = (await client.get(f"{where}?wait=30s")).json
        assert (job["state"], job["result"]["summary"]) == ("done", {"synced": 1, "skipped": 0, "failed": 0})
        assert job["result"]["addons"][0]["repository"] == "addons/monitoring"


async def test_who_waits_gets_the_end_or_what_there_is_when_the_time_is_over() -> None:
    """200 with the outcome, or 202 as without waiting."""
    async with serving() as client:
        client.world.registry.push("monitoring")
        answer = await client.post("/v1/sync?wait=10ms")
        assert (answer.status, answer.json["state"]) == (202, "running")
        async with client.world.working():
            answer = await client.post("/v1/sync?wait=30s", {"check_digest": True})
        assert (answer.status, answer.json["state"]) == (200, "done")
        assert answer.json["result"]["summary"]["skipped"] + answer.json["result"]["summary"]["synced"] == 1


async def test_a_job_goes_on_when_nobody_listens() -> None:
    """Who asked went away while it waited."""
    async with serving() as client:
        client.world.registry.push("monitoring")
        asking = asyncio.create_task(client.post("/v1/sync?wait=60s", {"addons": ["monitoring"]}))
        await until(lambda: bool(client.world.queue.queued()))
        asking.cancel()
        async with client.world.working():
            await until(lambda: "monitoring" in client.world.catalogue.installed)


async def test_a_job_ends_failed_where_an_addon_does() -> None:
    """Also where a named one is not in the registry, and where that cannot be asked at all."""
    async with serving() as client, client.world.working():
        absent = (await client.post("/v1/sync?wait=30s", {"addons": ["nothing"]})).json
        assert (absent["state"], absent["result"]["summary"]["failed"]) == ("failed", 1)
        client.world.registry.errors["repositories", ""] = Unavailable("no registry")
        away = (await client.post("/v1/sync?wait=30s")).json
        assert (away["state"], away["result"]["errors"]) == ("failed", ["no registry"])


async def test_a_replay_feeds_events_in_again_and_can_be_tried_before() -> None:
    """By number, or by what happened since; without a word of which, it is refused."""
    async with serving() as client, client.world.working():
        await synced(client.world, "monitoring")
        number = (await client.get("/v1/events?kind=delivery")).json["events"][0]["id"]
        planned = (await client.post("/v1/replay?wait=30s", {"numbers": [number], "dry_run": True})).json
        assert planned["result"]["planned"][0]["events"] == 1
        for body in (
            {"numbers": [number]},
            {"since": "1h", "addon": "monitoring"},
            {"event_ids": ["monitoring v1.0.0"]},
        ):
            job = (await client.post("/v1/replay?wait=30s", body)).json
            assert (job["state"], job["result"]["replayed"]["events"]) == ("done", 1)
        refused = await client.post("/v1/replay", {"dry_run": True})
        assert (refused.status, "say what" in refused.json["error"]) == (400, True)
        assert (await client.post("/v1/replay", {"since": "soon"})).status == 400


async def test_what_is_parked_is_listed_retried_and_discarded() -> None:
    """All, or those that are named; one that is not parked is no reason to do half of it."""
    world = World()
    world.registry.push("bad")
    async with serving(world) as client:
        await park(world, "bad")
        (row,) = (await client.get("/v1/parked")).json["parked"]
        assert (row["repository"], row["error"]) == ("addons/bad", "broken")
        assert (await client.get("/v1/tasks")).json["tasks"][0]["state"] == "parked"
        for path in ("/v1/parked/retry", "/v1/parked/discard"):
            assert (await client.post(path, {"addons": ["bad", "good"]})).status == 404
        async with world.working():
            job = (await client.post("/v1/parked/retry?wait=30s", {"addons": ["bad"]})).json
        assert (job["kind"], job["state"]) == ("retry", "done")
        assert (await client.get("/v1/parked")).json == {"parked": []}
        await park(world, "bad")
        changes = (await client.post("/v1/parked/discard")).json["changes"]
        assert [(change["repository"], change["action"]) for change in changes] == [("addons/bad", "discarded")]
        assert (await client.get("/v1/parked")).json == {"parked": []}


@pytest.mark.parametrize("leaves", ["the client", "the server"])
async def test_what_has_begun_is_not_torn_apart_where_somebody_leaves(leaves: str) -> None:
    """The client goes away, or the receiver stops in the middle: it is done, and stands in the journal."""
    async with serving() as client:
        world = client.world
        async with world.working():
            await synced(world, "monitoring")
            world.registry.push("monitoring", b"two", tag="v2.0.0")
            await world.clock.advance(60.0)
            await announce(world, "monitoring", tag="v2.0.0")
            await world.settled()
        gate = world.catalogue.gate = threading.Event()
        world.catalogue.entered.clear()
        asking = asyncio.create_task(client.post("/v1/rollback", {"addon": "monitoring"}))
        await until(world.catalogue.entered.is_set)
        if leaves == "the client":
            asking.cancel()
        else:
            await client.server.stop(0.1)
        await asyncio.gather(asking, return_exceptions=True)
        gate.set()
        await world.operations.settle()
        await world.chronicle.settle()
        assert world.catalogue.releases[-1].tag == "v1.0.0"
        page = await world.queue.entries(Wanted(kind="operation"), limit=9)
        assert [entry.activity.outcome for entry in page.entries if isinstance(entry, Done)] == ["rolled back"]


async def park(world: World, leaf: str) -> None:
    await world.ask(leaf)
    lease = await world.queue.lease(now=NOW, seconds=60.0)
    assert lease is not None
    await world.queue.park(lease, digest="sha256:" + "0" * 64, error="broken", now=NOW)


async def test_an_addon_is_held_released_and_brought_back() -> None:
    """At once, with what became of it; what cannot be done is refused with a reason."""
    async with serving() as client, client.world.working():
        await synced(client.world, "monitoring")
        (held,) = (await client.post("/v1/hold", {"addon": "monitoring", "reason": "audit"})).json["changes"]
        assert (held["action"], held["tag"]) == ("held", "v1.0.0")
        assert (await client.get("/v1/addons/monitoring")).json["status"]["hold"]["reason"] == "audit"
        (released,) = (await client.post("/v1/release", {"addon": "monitoring"})).json["changes"]
        assert released["action"] == "released"
        nothing = await client.post("/v1/rollback", {"addon": "monitoring"})
        assert (nothing.status, "no release" in nothing.json["error"]) == (404, True)
        client.world.registry.push("monitoring", b"two", tag="v2.0.0")
        await client.post("/v1/sync?wait=30s", {"addons": ["monitoring"]})
        (back,) = (await client.post("/v1/rollback", {"addon": "monitoring"})).json["changes"]
        assert (back["action"], back["tag"]) == ("rolled back", "v1.0.0")


async def test_pushes_that_no_event_announced_are_found() -> None:
    """By asking the registry; where it cannot be asked, that is said."""
    async with serving() as client:
        client.world.registry.push("logging")
        (missed,) = (await client.get("/v1/missed")).json["missed"]
        assert (missed["repository"], missed["state"]) == ("addons/logging", "not installed")
        client.world.registry.errors["repositories", ""] = Unavailable("no registry")
        answer = await client.get("/v1/missed")
        assert (answer.status, answer.json["error"]) == (503, "no registry")
        assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("body", "word"),
    [('{"addons": ["a"], "frce": true}', "frce"), ('{"addons": ["a"], "addons": []}', "twice"), ("", "JSON"),
     ('{"addons": "a"}', "addons"), ('{"addons": ["No Name"]}', "addons"), ("[]", "object"),
     ('{"addons": ["con"]}', "reserved")],
)  # fmt: skip
async def test_a_body_that_is_not_understood_is_refused_by_name(body: str, word: str) -> None:
    """Nothing is done of it."""
    async with serving() as client:
        answer = await client.ask("POST", "/v1/sync", data=body)
        assert answer.status == 400
        assert word in answer.json["error"]
        assert client.world.queue.queued() == []


async def test_a_body_over_the_limit_is_refused() -> None:
    """As a notification is."""
    async with serving() as client:
        answer = await client.ask("POST", "/v1/sync", data='{"addons": [' + " " * 1024 * 1024 + "]}")
        assert answer.status == 413


async def test_a_queue_that_cannot_take_it_is_an_answer() -> None:
    """The job says so; it is no fault."""
    async with serving() as client:
        client.world.queue.broken["enqueue"] = QueueUnavailable("disk full")
        job = (await client.post("/v1/sync?wait=30s", {"addons": ["a"]})).json
        assert (job["state"], job["error"]) == ("failed", "disk full")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/v1/addons", "GET, HEAD"), ("GET", "/v1/sync", "POST"), ("DELETE", "/v1/jobs/1", "GET, HEAD")],
)
async def test_another_method_is_told_which_there_is(method: str, path: str, allowed: str) -> None:
    """405 with Allow."""
    async with serving() as client:
        answer = await client.ask(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


async def test_notifications_are_taken_beside_the_api_with_the_token_of_senders_only() -> None:
    """Neither credential opens what the other is for."""
    async with serving() as client:
        assert (await client.post("/v1/notifications", token=SENDER)).status == 202
        assert (await client.post("/v1/notifications", token=HOST)).status == 401
        assert (await client.get("/v1/addons", token=SENDER)).status == 401
