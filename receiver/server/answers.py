"""The responses: JSON in one line, and a Server header that tells no version."""

from collections.abc import Mapping

from aiohttp import web

from receiver.document import encode

_HEADERS = {"Content-Type": "application/json", "Server": "addon-sync", "Cache-Control": "no-store"}


def answer(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response with a body that is JSON already, unless ``headers`` say another Content-Type."""
    return web.Response(status=status, body=body, headers=_HEADERS if headers is None else {**_HEADERS, **headers})


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response with ``value`` as JSON."""
    return answer(encode(value), status=status, headers=headers)


def refusal(status: int, error: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response that says why not."""
    return json_answer({"error": error}, status=status, headers=headers)
