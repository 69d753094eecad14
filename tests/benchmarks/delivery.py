"""From push to installed: one addon, twenty, large, many files, with images."""

import asyncio
import contextlib
import http.client
import json
import socket
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from receiver.oci import media
from receiver.packaging.artifact import Artifact
from tests.benchmarks import artifacts
from tests.benchmarks.measure import Report, Row, Used, peak_mebibytes, run, side_by_side
from tests.benchmarks.yardstick import Yardstick
from tests.support.addons import push_addon
from tests.support.docker_registry import DockerRegistry, Notify, free_port
from tests.support.notifications import envelope, event
from tests.support.system import TOKEN, Host, Serving, wait_for


class Bench:
    """A place for hosts and artifacts, and the report."""

    def __init__(self, root: Path, yardstick: Path | None, report: Report) -> None:
        self._root = root
        self._yardstick = yardstick
        self._report = report

    def scratch(self, name: str) -> Path:
        folder = self._root / f"{name}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        return folder

    def host(self, registry: str) -> Host:
        return Host(self.scratch("host"), registry)

    def yardstick(self, registry: DockerRegistry) -> Yardstick | None:
        return Yardstick(self._yardstick, registry.authority) if self._yardstick else None

    # ---- one typical addon ---------------------------------------------------------------------------------------

    def one_addon(self, rounds: int = 15) -> None:
        """From the answer 202, and from the start of the push, until the release is visible."""
        port = free_port()
        notify = Notify(url=f"http://127.0.0.1:{port}/v1/notifications", token=TOKEN)
        with DockerRegistry(notify=notify) as registry, self.host(registry.url).serve(port=port) as serving:
            theirs = self.yardstick(registry)
            their_root = self.scratch("theirs")
            packed = [artifacts.typical(self.scratch("pack"), "typical", f"v1.0.{n}") for n in range(2 * rounds)]

            def ours(number: int) -> float:
                return _push_until_visible(registry, serving.host, packed[2 * number], f"v1.0.{2 * number}")

            def yardstick(number: int) -> float:
                started = time.perf_counter()
                push_addon(registry.url, "typical", packed[2 * number + 1])
                if theirs is not None:
                    theirs.sync(their_root, "typical")
                return time.perf_counter() - started

            mine, other = side_by_side(rounds, ours, yardstick)
            self._report.remember("one typical addon", peak_mebibytes(serving.pid))
            self._add("one typical addon: push started → visible", "1/4", mine, other if theirs else None, 1 / 4)
        self._after_answer(rounds)

    def _after_answer(self, rounds: int) -> None:
        with DockerRegistry() as registry, self.host(registry.url).serve() as serving:
            waits = []
            for number in range(rounds):
                version = f"v1.0.{number}"
                packed = artifacts.typical(self.scratch("pack"), "typical", version)
                digest = push_addon(registry.url, "typical", packed)
                target = {"mediaType": media.OCI_MANIFEST, "repository": "addons/typical", "tag": version}
                body = envelope(event(id=str(uuid.uuid4()), target={**target, "digest": str(digest)}))
                visible = _Watch(serving.host.addons / "typical" / "Enable.ps1", f"# {version}\n".encode())
                answered = _deliver(serving, body)
                waits.append(max(visible.wait() - answered, 0.0))
            median = statistics.median(waits)
            self._report.rows.append(
                Row(
                    "one typical addon: 202 answered → visible",
                    "50 ms",
                    median * 1000,
                    unit="ms",
                    reached=median <= 0.05,
                )
            )

    # ---- twenty ----------------------------------------------------------------------------------------------------

    def twenty(self, rounds: int = 5) -> None:
        """Twenty addons, nothing installed: one command; then nothing changed: a pass of a running receiver."""
        with DockerRegistry() as registry:
            for number in range(20):
                name = f"addon-{number:02}"
                push_addon(registry.url, name, artifacts.typical(self.scratch("pack"), name, "v1.0.0"))
            theirs = self.yardstick(registry)

            def ours(_: int) -> float:
                return self._sync(self.host(registry.url), "20 typical addons").seconds

            def yardstick(_: int) -> float:
                return theirs.sync(self.scratch("theirs")).seconds if theirs else 0.0

            mine, other = side_by_side(rounds, ours, yardstick)
            self._add("20 typical addons, one sync command", "1/8", mine, other if theirs else None, 1 / 8)
            self._unchanged(registry, rounds)

    def _unchanged(self, registry: DockerRegistry, rounds: int) -> None:
        theirs, their_root = self.yardstick(registry), self.scratch("theirs")
        if theirs:
            theirs.sync(their_root, check=True)
        host = self.host(registry.url)
        with host.serve() as serving:
            assert _poll(serving)["changed"] in ([], [f"addons/addon-{number:02}" for number in range(20)])
            wait_for("20 addons", lambda: len(list(host.addons.glob("*/Enable.ps1"))) == 20)

            def ours(_: int) -> float:
                started = time.perf_counter()
                surveyed = _poll(serving)
                assert surveyed["unchanged"] == 20, surveyed
                return time.perf_counter() - started

            def yardstick(_: int) -> float:
                return theirs.sync(their_root, check=True).seconds if theirs else 0.0

            ours(0)
            mine, other = side_by_side(rounds, ours, yardstick)
            self._report.remember("20 unchanged", peak_mebibytes(serving.pid))
        self._add("the same 20, nothing changed, one pass", "1/50", mine, other if theirs else None, 1 / 50)

    # ---- large, many, images ----------------------------------------------------------------------------------------

    def large(self, rounds: int = 3) -> None:
        """512 MiB in 64 files."""
        self._single(
            "large", artifacts.large(self.scratch("pack")), "512 MiB in 64 files, one layer", "1/2", 1 / 2, rounds
        )

    def many(self, rounds: int = 5) -> None:
        """20,000 small files."""
        self._single("many", artifacts.many(self.scratch("pack")), "20,000 small files", "1/5", 1 / 5, rounds)

    def images(self, rounds: int = 3) -> None:
        """A 1 GiB image layer that must not be transferred, and the bytes that are."""
        packed = artifacts.with_images(self.scratch("pack"))
        with DockerRegistry() as registry:
            push_addon(registry.url, "imaged", packed)
            self._compare(registry, "imaged", "a 1 GiB image layer beside small ones", "1/20", 1 / 20, rounds)
            with _counting(registry) as (url, counted):
                self._sync(self.host(url), "1 GiB image layer", "imaged")
            needed = len(packed.manifest) + sum(
                layer["size"]
                for layer in json.loads(packed.manifest)["layers"]
                if "image.layer" not in layer["mediaType"]
            )
            # Headers of the answers, the tag list and the catalogue come on top of what is needed.
            over = counted() / needed - 1
            self._report.rows.append(
                Row("… bytes from the registry over what is needed", "5 %", over * 100, unit="%", reached=over <= 0.05)
            )

    def _single(self, name: str, packed: Artifact, work: str, goal: str, limit: float, rounds: int) -> None:
        with DockerRegistry() as registry:
            push_addon(registry.url, name, packed)
            self._compare(registry, name, work, goal, limit, rounds)

    def _compare(self, registry: DockerRegistry, name: str, work: str, goal: str, limit: float, rounds: int) -> None:
        """A running receiver, from the answer to the event until everything is recorded; and one command, for Jobs."""
        theirs = self.yardstick(registry)
        commands: list[float] = []

        def ours(_: int) -> float:
            commands.append(self._sync(self.host(registry.url), f"{work} (command)", name).seconds)
            return self._event_to_recorded(registry, name, work)

        def yardstick(_: int) -> float:
            return theirs.sync(self.scratch("theirs"), name).seconds if theirs else 0.0

        mine, other = side_by_side(rounds, ours, yardstick)
        self._add(f"{work}: event → recorded", goal, mine, other if theirs else None, limit)
        self._add("… as one sync command, start-up included", goal, statistics.median(commands), other or None, limit)

    def _event_to_recorded(self, registry: DockerRegistry, name: str, work: str) -> float:
        with self.host(registry.url).serve() as serving:
            target = {"mediaType": media.OCI_MANIFEST, "repository": f"addons/{name}", "tag": "v1.0.0"}
            started = _deliver(serving, envelope(event(id=str(uuid.uuid4()), target=target)))
            wait_for(name, lambda: serving.host.digest(name), seconds=120)
            seconds = time.perf_counter() - started
            self._report.remember(work, peak_mebibytes(serving.pid))
        return seconds

    def _sync(self, host: Host, what: str, *addons: str) -> Used:
        used = run([sys.executable, "-m", "receiver", "sync", *addons], host.environment())
        self._report.remember(what, used.mebibytes)
        return used

    def _add(self, work: str, goal: str, ours: float, theirs: float | None, limit: float) -> None:
        reached = theirs is None or ours / theirs <= limit
        self._report.rows.append(Row(work, goal, ours, theirs, reached=reached))


class _Watch:
    """Notes when a file begins with what is expected; looks a few thousand times a second."""

    def __init__(self, path: Path, beginning: bytes) -> None:
        self._path, self._beginning = path, beginning
        self._seen = 0.0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def wait(self) -> float:
        self._thread.join()
        if not self._seen:
            raise RuntimeError(f"{self._path} did not change in time")
        return self._seen

    def _look(self) -> None:
        deadline = time.perf_counter() + 20
        while time.perf_counter() < deadline:
            with contextlib.suppress(OSError), self._path.open("rb") as file:
                if file.read(len(self._beginning)) == self._beginning:
                    self._seen = time.perf_counter()
                    return
            time.sleep(0.0003)


def _push_until_visible(registry: DockerRegistry, host: Host, packed: Artifact, version: str) -> float:
    visible = _Watch(host.addons / "typical" / "Enable.ps1", f"# {version}\n".encode())
    started = time.perf_counter()
    push_addon(registry.url, "typical", packed)
    return visible.wait() - started


def _deliver(serving: Serving, body: bytes) -> float:
    """Post a notification; when its 202 was there."""
    url = urlsplit(serving.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    connection.request("POST", "/v1/notifications", body=body, headers={"Authorization": f"Bearer {TOKEN}"})
    status = connection.getresponse().status
    answered = time.perf_counter()
    connection.close()
    assert status == 202, status
    return answered


def _poll(serving: Serving) -> dict[str, object]:
    holder = json.loads((serving.host.state / "engine.json").read_text())
    url = urlsplit(holder["url"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    connection.request("POST", "/v1/poll", body=b"{}", headers={"Authorization": f"Bearer {holder['token']}"})
    first: dict[str, dict[str, object]] = json.loads(connection.getresponse().readline())
    connection.close()
    return first["report"]


@contextlib.contextmanager
def _counting(registry: DockerRegistry) -> Iterator[tuple[str, "_Counter"]]:
    counter = _Counter(registry.port)
    thread = threading.Thread(target=counter.run, daemon=True)
    thread.start()
    counter.ready.wait(10)
    try:
        yield f"http://127.0.0.1:{counter.port}", counter
    finally:
        counter.stop()
        thread.join(10)


class _Counter:
    """A TCP proxy on loopback that counts what the registry sends."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._bytes = 0
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.ready = threading.Event()

    def __call__(self) -> int:
        return self._bytes

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        self.ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(
            self._pipe(reader, upstream, counted=False), self._pipe(upstream_reader, writer, counted=True)
        )

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while chunk := await reader.read(1 << 16):
                self._bytes += len(chunk) if counted else 0
                writer.write(chunk)
                await writer.drain()
        writer.close()
