"""Reads the body of a request: at most so many bytes, and within so many seconds (hazards W9, W10, W12)."""

import asyncio

from aiohttp import web

from receiver.errors import Oversized


async def read_body(request: web.BaseRequest, *, limit: int, seconds: float) -> bytes:
    """Read the whole body, undecoded.

    Raises:
        Oversized: more than ``limit`` bytes, announced or sent; what is over the limit was not kept.
        ConnectionAbortedError: the body is not whole after ``seconds``, or never will be: no answer is due.
    """
    _check(request.content_length or 0, limit)
    try:
        if request.content.is_eof():
            # The usual case, a body that came with its headers, needs no timer.
            body = request.content.read_nowait()
            _check(len(body), limit)
            return body
        async with asyncio.timeout(seconds):
            return await _read(request, limit)
    except TimeoutError as error:
        raise ConnectionAbortedError(f"the body did not arrive within {seconds:g} s") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise ConnectionAbortedError("the body was cut off") from error


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        _check(len(body), limit)
    return bytes(body)


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise Oversized(f"the body is over the limit of {limit} bytes")
