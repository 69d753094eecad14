"""An in-memory registry that announces pushes as Distribution 2.x does, and can be told to lie.

Runs in a thread of its own, so that blocking and async tests use it alike::

    with FakeRegistry(notify=Notify(url=..., token=...)) as registry:
        registry.lie("GET blob", registry_faults.cut_off(10), times=1)

By hand::

    python -m tests.support.fake_registry --port 5000 --notify http://127.0.0.1:8080/v1/notifications --token T
"""

import argparse
import asyncio
import base64
import contextlib
import json
import re
import signal
import ssl
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Self
from urllib.parse import parse_qs

from aiohttp import web

from receiver.oci.digest import Digest
from tests.support.fake_announcer import Announcer, Notify, target

_PATHS = (
    ("base", re.compile(r"/v2/?\Z")),
    ("catalogue", re.compile(r"/v2/_catalog\Z")),
    ("tags", re.compile(r"/v2/(?P<repository>.+)/tags/list\Z")),
    ("manifest", re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)\Z")),
    ("upload", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<reference>[^/]*)\Z")),
    ("upload", re.compile(r"/artifacts-uploads/namespaces/(?P<repository>.+)/uploads/(?P<reference>[^/]+)\Z")),
    ("blob", re.compile(r"/v2/(?P<repository>.+)/blobs/(?P<reference>[^/]+)\Z")),
    ("token", re.compile(r"/token\Z")),
)
_RANGE = re.compile(r"bytes=([0-9]+)-\Z")
_OCTETS = "application/octet-stream"
_MAX_BODY = 4 * 1024**3


@dataclass(kw_only=True)
class Answer:
    """What the registry would say if it were honest."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def response(self) -> web.Response:
        """The honest response."""
        return web.Response(status=self.status, headers=self.headers, body=self.body)


Fault = Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]


@dataclass
class _Lie:
    on: str
    fault: Fault
    left: int | None


@dataclass(frozen=True)
class Seen:
    """A request that arrived; ``kind`` is such as ``GET blob``."""

    kind: str
    target: str
    headers: Mapping[str, str]


@dataclass
class _Repository:
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.answer = Answer(
            status=status,
            headers={"Content-Type": "application/json"},
            body=json.dumps({"errors": [{"code": code, "message": "of the fake"}]}).encode(),
        )


class FakeRegistry:
    """A registry on ``127.0.0.1``; see the module."""

    def __init__(
        self,
        *,
        port: int = 0,
        notify: Notify | None = None,
        basic: tuple[str, str] | None = None,
        bearer: bool = False,
        identity_token: str | None = None,
        tokens_of: "FakeRegistry | None" = None,
        tag_delay: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port
        self.notify = notify
        self.basic = basic
        self.bearer = bearer
        self.identity_token = identity_token
        self.realm: str | None = None
        """Where tokens are given out; None: here."""
        self._tokens: dict[str, str] = {} if tokens_of is None else tokens_of._tokens
        self.tag_delay = tag_delay
        """Seconds between the announcement of a manifest and its tag, which Distribution links afterwards."""
        self.tls = tls
        self.uploads = "/v2/{repository}/blobs/uploads/{session}"
        """Where an upload goes on; Google Artifact Registry: ``/artifacts-uploads/namespaces/…/uploads/{session}``."""
        self.announcer = Announcer(notify)
        self.requests: Counter[str] = Counter()
        """How many of each kind arrived: ``GET blob``, ``HEAD manifest``, ``GET tags``, ``GET catalogue`` …"""
        self.seen: list[Seen] = []
        self._repositories: dict[str, _Repository] = {}
        self._uploads: dict[str, bytearray] = {}
        self._lies: list[_Lie] = []

    # ---- life ----

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fake-registry", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def restart(self) -> None:
        """Another process on the same port and storage: what it had not announced yet is lost."""
        self.__exit__()
        self.announcer = Announcer(self.notify)
        self.__enter__()

    @property
    def authority(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"{'http' if self.tls is None else 'https'}://{self.authority}"

    def lie(self, on: str, fault: Fault, *, times: int | None = None) -> None:
        """Answer requests of the kind ``on`` with ``fault``, the next ``times`` of them or all."""
        self._lies.append(_Lie(on, fault, times))

    def lose(self, session: str, *, kept: int) -> None:
        """Forget an upload but for its first ``kept`` bytes; altogether where that is negative."""
        if kept < 0:
            self._uploads.pop(session, None)
        elif session in self._uploads:
            del self._uploads[session][kept:]

    def uncommit(self, session: str, digest: str) -> None:
        """Take a blob back into the upload that brought it: its bytes are there, and only the end failed."""
        for stored in self._repositories.values():
            if digest in stored.blobs:
                self._uploads[session] = bytearray(stored.blobs.pop(digest))

    def tell_the_truth(self) -> None:
        """Forget every lie."""
        self._lies.clear()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self.tls).start()
            self.port = runner.addresses[0][1]
            announcing = asyncio.create_task(self.announcer.run())
            self._ready.set()
            await self._stop.wait()
            announcing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await announcing
        finally:
            await runner.cleanup()

    # ---- requests ----

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        kind, match = _route(request.path)
        name = f"{request.method} {kind}"
        self.requests[name] += 1
        self.seen.append(Seen(name, request.path_qs, dict(request.headers)))
        body = await request.read()
        try:
            answer = self._authorise(request, kind, match) or await self._answer(request, kind, match, body)
        except _Refused as refused:
            answer = refused.answer
        fault = self._next_fault(name)
        return answer.response() if fault is None else await fault(request, answer)

    def _next_fault(self, name: str) -> Fault | None:
        for lie in self._lies:
            if lie.on == name and lie.left != 0:
                lie.left = None if lie.left is None else lie.left - 1
                return lie.fault
        return None

    async def _answer(self, request: web.Request, kind: str, match: re.Match[str], body: bytes) -> Answer:
        reading = request.method in {"GET", "HEAD"}
        match kind:
            case "base":
                return Answer(headers={"Docker-Distribution-Api-Version": "registry/2.0"})
            case "token":
                return self._issue_token(request, body)
            case "catalogue":
                names = sorted(name for name, stored in self._repositories.items() if stored.manifests)
                return self._page(request, "repositories", names, {})
            case "tags":
                name = match["repository"]
                return self._page(request, "tags", sorted(self._existing(name).tags), {"name": name})
            case "manifest" if reading:
                return self._get_manifest(request, match["repository"], match["reference"])
            case "manifest" if request.method == "PUT":
                return await self._put_manifest(request, match["repository"], match["reference"], body)
            case "manifest" if request.method == "DELETE":
                return self._delete_manifest(request, match["repository"], match["reference"])
            case "upload":
                return self._upload(request, match["repository"], match["reference"], body)
            case "blob" if reading:
                return self._get_blob(request, match["repository"], match["reference"])
            case _:
                raise _Refused(405, "UNSUPPORTED")

    def _existing(self, name: str) -> _Repository:
        stored = self._repositories.get(name)
        if stored is None or not stored.manifests:
            raise _Refused(404, "NAME_UNKNOWN")
        return stored

    def _page(self, request: web.Request, member: str, items: list[str], also: dict[str, str]) -> Answer:
        count = int(request.query.get("n", len(items) or 1))
        rest = [item for item in items if item > request.query.get("last", "")]
        page = rest[:count]
        headers = {"Content-Type": "application/json"}
        if len(rest) > len(page):
            headers["Link"] = f'<{request.path}?last={page[-1]}&n={count}>; rel="next"'
        return Answer(headers=headers, body=json.dumps({**also, member: page}).encode())

    def _get_manifest(self, request: web.Request, name: str, reference: str) -> Answer:
        stored = self._existing(name)
        digest = stored.tags.get(reference, reference)
        if digest not in stored.manifests:
            raise _Refused(404, "MANIFEST_UNKNOWN")
        media_type, body = stored.manifests[digest]
        if request.method == "GET":
            tag = reference if reference in stored.tags else None
            self._event(request, "pull", target(request.host, name, "manifests", digest, media_type, len(body), tag))
        return Answer(headers={"Content-Type": media_type, "Docker-Content-Digest": digest}, body=body)

    async def _put_manifest(self, request: web.Request, name: str, reference: str, body: bytes) -> Answer:
        stored = self._repositories.setdefault(name, _Repository())
        media_type = request.headers.get("Content-Type", "")
        document = json.loads(body)
        blobs = [entry for entry in (document.get("config"), *document.get("layers", ())) if entry]
        if any(blob["digest"] not in stored.blobs for blob in blobs):
            raise _Refused(400, "MANIFEST_BLOB_UNKNOWN")
        if any(entry["digest"] not in stored.manifests for entry in document.get("manifests", ())):
            raise _Refused(400, "MANIFEST_BLOB_UNKNOWN")
        digest = str(Digest.of(body))
        stored.manifests[digest] = (media_type, body)
        tag = None if ":" in reference else reference
        self._event(request, "push", target(request.host, name, "manifests", digest, media_type, len(body), tag))
        if tag is not None:
            await asyncio.sleep(self.tag_delay)
            stored.tags[tag] = digest
        return Answer(
            status=201,
            headers={"Docker-Content-Digest": digest, "Location": f"{self.url}/v2/{name}/manifests/{digest}"},
        )

    def _delete_manifest(self, request: web.Request, name: str, reference: str) -> Answer:
        stored = self._existing(name)
        if ":" not in reference:
            raise _Refused(405, "UNSUPPORTED")  # Distribution 2.8 deletes by digest only
        if reference not in stored.manifests:
            raise _Refused(404, "MANIFEST_UNKNOWN")
        del stored.manifests[reference]
        tags = [tag for tag, digest in stored.tags.items() if digest == reference]
        for tag in tags:
            del stored.tags[tag]
        self._event(request, "delete", {"digest": reference, "repository": name})
        for tag in tags:
            self._event(request, "delete", {"repository": name, "tag": tag})
        return Answer(status=202)

    def _upload(self, request: web.Request, name: str, session: str, body: bytes) -> Answer:
        stored = self._repositories.setdefault(name, _Repository())
        wanted, source = request.query.get("mount"), self._repositories.get(request.query.get("from", ""))
        if request.method == "POST" and wanted and source and wanted in source.blobs:
            stored.blobs[wanted] = source.blobs[wanted]
            return Answer(status=201, headers={"Location": f"{self.url}/v2/{name}/blobs/{wanted}"})
        if request.method == "POST":
            session = uuid.uuid4().hex
            self._uploads[session] = bytearray()
        elif session not in self._uploads:
            raise _Refused(404, "BLOB_UPLOAD_UNKNOWN")
        received = self._uploads[session]
        received += body
        wanted = request.query.get("digest")
        if wanted is None:
            status = 202 if request.method in {"POST", "PATCH"} else 204
            location = self.url + self.uploads.format(repository=name, session=session)
            return Answer(
                status=status,
                headers={
                    "Location": location,
                    "Range": f"0-{max(len(received) - 1, 0)}",
                    "Docker-Upload-UUID": session,
                },
            )
        del self._uploads[session]
        if wanted != str(Digest.of(bytes(received))):
            raise _Refused(400, "DIGEST_INVALID")
        stored.blobs[wanted] = bytes(received)
        self._event(request, "push", target(request.host, name, "blobs", wanted, _OCTETS, len(received), None))
        return Answer(
            status=201, headers={"Docker-Content-Digest": wanted, "Location": f"{self.url}/v2/{name}/blobs/{wanted}"}
        )

    def _get_blob(self, request: web.Request, name: str, digest: str) -> Answer:
        stored = self._repositories.get(name, _Repository())
        if digest not in stored.blobs:
            raise _Refused(404, "BLOB_UNKNOWN")
        body = stored.blobs[digest]
        if request.method == "GET":
            self._event(request, "pull", target(request.host, name, "blobs", digest, _OCTETS, len(body), None))
        headers = {"Content-Type": _OCTETS, "Docker-Content-Digest": digest, "Accept-Ranges": "bytes"}
        wanted = _RANGE.match(request.headers.get("Range", ""))
        if wanted is None:
            return Answer(headers=headers, body=body)
        start = int(wanted[1])
        if start >= len(body):
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return Answer(status=206, headers=headers, body=body[start:])

    def _event(self, request: web.Request, action: str, about: dict[str, Any]) -> None:
        agent = request.headers.get("User-Agent", "")
        self.announcer.add(action, about, host=request.host, method=request.method, agent=agent)

    # ---- authentication (pulls only) ----

    def _authorise(self, request: web.Request, kind: str, match: re.Match[str]) -> Answer | None:
        if request.method not in {"GET", "HEAD"} or kind == "token" or not (self.basic or self.bearer):
            return None
        said = request.headers.get("Authorization", "")
        if self.bearer:
            wanted = (
                "registry:catalog:*"
                if kind == "catalogue"
                else f"repository:{match.groupdict().get('repository')}:pull"
            )
            if self._tokens.get(said.removeprefix("Bearer ")) == wanted:
                return None
            challenge = (
                f'Bearer realm="{self.realm or self.url + "/token"}",service="fake",scope="repository:all:pull,push"'
            )
        else:
            if said == self._basic_header():
                return None
            challenge = 'Basic realm="fake"'
        refused = _Refused(401, "UNAUTHORIZED").answer
        refused.headers["WWW-Authenticate"] = challenge
        return refused

    def _issue_token(self, request: web.Request, body: bytes) -> Answer:
        if request.method == "POST":
            form = parse_qs(body.decode())
            if form["grant_type"] != ["refresh_token"] or form["refresh_token"] != [self.identity_token]:
                raise _Refused(400, "invalid_grant")
            return self._token_answer("access_token", form["scope"][0])
        if self.basic is not None and request.headers.get("Authorization") != self._basic_header():
            raise _Refused(401, "UNAUTHORIZED")
        return self._token_answer("token", request.query["scope"])

    def _token_answer(self, member: str, scope: str) -> Answer:
        token = uuid.uuid4().hex
        self._tokens[token] = scope
        body = json.dumps({member: token, "expires_in": 60}).encode()
        return Answer(headers={"Content-Type": "application/json"}, body=body)

    def revoke_tokens(self) -> None:
        """No token that was issued is good any more."""
        self._tokens.clear()

    def _basic_header(self) -> str:
        return "Basic " + base64.b64encode(":".join(self.basic or ()).encode()).decode()


def _route(path: str) -> tuple[str, re.Match[str]]:
    for kind, pattern in _PATHS:
        match = pattern.match(path)
        if match is not None:
            return kind, match
    empty = re.match("", path)
    assert empty is not None
    return "other", empty


def main(arguments: Iterable[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="An in-memory registry that announces pushes as Distribution does.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--notify", help="URL that pushes are announced to")
    parser.add_argument("--token", default="", help="credential for it")
    options = parser.parse_args(None if arguments is None else list(arguments))
    notify = Notify(url=options.notify, token=options.token) if options.notify else None
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with FakeRegistry(port=options.port, notify=notify) as registry:
        sys.stdout.write(f"registry listening on {registry.authority}\n")
        sys.stdout.flush()
        while not stop.wait(0.2):  # Windows delivers a signal only between waits
            pass


if __name__ == "__main__":
    main()
