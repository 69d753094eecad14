"""The stream of journal entries: as they come, without a gap, and without anybody paying for slow readers."""

import asyncio
import socket

import pytest

from receiver.errors import QueueUnavailable
from receiver.server.api import stream as stream_module
from receiver.server.api.following import Following
from receiver.server.connections import Limits
from receiver.tasks.journal import Entry
from tests.support.api import HOST, Client, announce, serving
from tests.support.sync_fakes import until


def following(client: Client) -> Following:
    there = client.server._api
    assert there is not None
    return there._stream.following


async def test_entries_come_as_they_happen() -> None:
    """Those from before are not among them."""
    async with serving() as client:
        await announce(client.world, "a")
        async with client.stream() as events:
            await announce(client.world, "b")
            assert (await events.entry())["events"][0]["repository"] == "addons/b"
            await announce(client.world, "a", tag="v2.0.0")
            assert (await events.entry())["events"][0]["tag"] == "v2.0.0"


async def test_who_comes_back_goes_on_where_it_was() -> None:
    """What came in between is told, once and in order: by the header that browsers send, or by 'after'."""
    async with serving() as client:
        async with client.stream() as events:
            await announce(client.world, "a", tag="v0.0.0")
            last = (await events.entry())["id"]
        for number in range(1, 600):
            await announce(client.world, "a", tag=f"v{number}.0.0")
        for query, header in (("", last), (f"?after={last}", None), ("?after=0", last)):
            async with client.stream(query, last=header) as events:
                found = [(await events.entry())["events"][0]["tag"] for _ in range(599)]
                assert found == [f"v{number}.0.0" for number in range(1, 600)]
        async with client.stream(last=last) as events:
            await announce(client.world, "a", tag="v600.0.0")
            found = [(await events.entry())["events"][0]["tag"] for _ in range(600)]
            assert found[-1] == "v600.0.0"


async def test_nothing_is_lost_between_catching_up_and_following() -> None:
    """While entries keep coming, two readers that begin at different places see the same."""
    async with serving() as client:
        await announce(client.world, "a", tag="v0.0.0")

        async def arrive() -> None:
            for number in range(1, 400):
                await announce(client.world, "a", tag=f"v{number}.0.0")
                if number % 7 == 0:
                    await asyncio.sleep(0.001)

        arriving = asyncio.create_task(arrive())
        async with client.stream("?after=-1") as first, client.stream("?after=-1") as second:
            for events in (first, second):
                found = [(await events.entry())["events"][0]["tag"] for _ in range(400)]
                assert found == [f"v{number}.0.0" for number in range(400)]
        await arriving


async def test_filters_leave_out_and_signs_of_life_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that sees nothing for long goes on behind what it has left out, and no proxy closes its connection."""
    monkeypatch.setattr(stream_module.Stream.__init__, "__kwdefaults__", {"most": 64, "heartbeat": 0.05})
    async with serving() as client, client.stream("?addon=b&kind=delivery") as events:
        await announce(client.world, "a")
        newest = await client.world.views.newest()
        while (found := await events.next()).get("id") != str(newest):
            assert "data" not in found
        assert found[""] == "still here"
        await announce(client.world, "b")
        assert (await events.entry())["events"][0]["repository"] == "addons/b"


@pytest.mark.parametrize(("query", "last"), [("?after=-2", None), ("?kind=push", None), ("?limit=1", None), ("", "x")])
async def test_what_does_not_fit_is_refused(query: str, last: str | None) -> None:
    """Before anything is sent."""
    async with serving() as client:
        headers = {} if last is None else {"Last-Event-ID": last}
        assert (await client.get(f"/v1/stream{query}", headers=headers)).status == 400


async def test_a_reader_that_goes_away_is_forgotten_at_once() -> None:
    """It holds no buffer, and where nobody reads, the journal is not read."""
    async with serving() as client:
        async with client.stream(), client.stream():
            await until(lambda: len(following(client)) == 2)
        async with asyncio.timeout(stream_module.HEARTBEAT / 2):
            await until(lambda: len(following(client)) == 0)
        assert following(client)._reading is None


async def test_a_reader_that_takes_nothing_is_dropped_and_holds_nobody_up() -> None:
    """Its buffer is bounded; the others get everything meanwhile."""
    async with serving(limits=Limits(unread_seconds=0.3)) as client:
        host, port = client.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            request = f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {HOST}\r\n\r\n"
            slow.sendall(request.encode())
            await until(lambda: len(following(client)) == 1)
            async with client.stream() as events:
                for number in range(600):  # 12 MB, more than the system buffers for it
                    await announce(client.world, "a", tag=f"v{number}.0.0", event_id="x" * 20_000 + str(number))
                    assert (await events.entry())["events"][0]["tag"] == f"v{number}.0.0"
                await until(lambda: len(following(client)) == 1)


async def test_so_many_may_follow_and_no_more() -> None:
    """Each holds a place that a sender may need."""
    async with serving() as client:
        there = following(client)
        there._most = 2
        async with client.stream(), client.stream():
            await until(lambda: len(there) == 2)
            answer = await client.get("/v1/stream")
            assert (answer.status, "too many streams" in answer.json["error"]) == (503, True)
        await until(lambda: len(there) == 0)
        async with client.stream():
            pass


async def test_streams_end_with_the_server() -> None:
    """Nobody waits for them at a stop."""
    async with serving() as client, client.stream() as events:
        async with asyncio.timeout(0.8):
            await client.server.stop(1.0)
        assert await events.next() == {}


@pytest.mark.parametrize("verb", ["entries_after", "newest"])
async def test_a_stream_whose_journal_fails_ends_and_the_reader_comes_back(verb: str) -> None:
    """While it is read, or before it could begin; no second answer is written into the first one."""
    async with serving() as client:
        await announce(client.world, "a")

        async def broken(*_: object, **__: object) -> list[Entry]:
            raise QueueUnavailable("disk gone")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client.world.queue, verb, broken)
            async with client.stream("?after=-1") as events:
                assert await events.next() == {}
        async with client.stream("?after=-1") as events:
            assert (await events.entry())["events"][0]["repository"] == "addons/a"


async def test_head_tells_the_kind_and_ends() -> None:
    """Without a body, nothing is followed."""
    async with serving() as client:
        answer = await client.ask("HEAD", "/v1/stream")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert len(following(client)) == 0
