"""The lies that `FakeRegistry.lie` can be told to tell: each takes the honest answer and sends another."""

import asyncio
from dataclasses import replace

from aiohttp import web

from tests.support.fake_registry import Answer, Fault


def status(code: int, *, body: bytes = b"", **headers: str) -> Fault:
    """Answer with ``code``; underscores in the names of headers stand for hyphens."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        return web.Response(
            status=code, body=body, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    return fault


def passed() -> Fault:
    """The honest answer: for lies that begin later."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        return answer.response()

    return fault


def redirected(target: str, *, code: int = 307) -> Fault:
    """Redirect to ``target``."""
    return status(code, Location=target)


def header(name: str, text: str | None) -> Fault:
    """The honest body, with a header changed, or left out."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        headers = {known: kept for known, kept in answer.headers.items() if known != name}
        if text is not None:
            headers[name] = text
        return replace(answer, headers=headers).response()

    return fault


def body(content: bytes, *, media_type: str | None = None) -> Fault:
    """Other bytes under the honest headers, also where the honest answer is that there are none."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        also = {} if media_type is None else {"Content-Type": media_type}
        return replace(answer, status=200, body=content, headers=answer.headers | also).response()

    return fault


def chunked(*, extra: bytes = b"", only: int | None = None) -> Fault:
    """The honest bytes (the first ``only``), and ``extra`` after them, without a Content-Length."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=_status(answer), headers=answer.headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(answer.body[:only] + extra)
        await response.write_eof()
        return response

    return fault


def _status(answer: Answer) -> int:
    """Of a body that is sent also where the honest answer is that there is none."""
    return answer.status if answer.status == 206 else 200


def cut_off(at: int) -> Fault:
    """The honest headers and the first ``at`` bytes; then the connection is gone."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=_status(answer), headers=answer.headers)
        response.content_length = len(answer.body)
        await response.prepare(request)
        if at:
            await response.write(answer.body[:at])
        if request.transport is not None:
            request.transport.close()
        return response

    return fault


def drip(*, interval: float, count: int = 1) -> Fault:
    """``count`` bytes every ``interval`` seconds, for ever."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=_status(answer), headers=answer.headers)
        response.content_length = len(answer.body)
        await response.prepare(request)
        for start in range(0, len(answer.body), count):
            await response.write(answer.body[start : start + count])
            await asyncio.sleep(interval)
        return response

    return fault


def endless() -> Fault:
    """Bytes without an end."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=_status(answer), headers=answer.headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    return fault


def late(seconds: float) -> Fault:
    """The honest answer, after ``seconds``."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return answer.response()

    return fault


def silent() -> Fault:
    """Take the request and say nothing."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    return fault
