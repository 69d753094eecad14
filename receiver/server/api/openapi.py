"""The table of endpoints as an OpenAPI 3.1 document. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from receiver import __version__
from receiver.document import schemas
from receiver.server.api.endpoint import Endpoint
from receiver.server.api.parameters import Parameter
from receiver.server.api.shapes import Failure

_JSON = "application/json"
_REFERENCES = "#/components/schemas/{name}"
_ALWAYS = (400, 401, 421, 503)
_CHANGING = (403, 408, 413, 415)
_WORDS = {
    200: "it is so",
    202: "it goes on; follow the job",
    400: "the request does not say what is needed; the text says how",
    401: "a valid credential is required",
    403: "a browser's session, and the request comes from another site",
    404: "there is no such thing (any more)",
    408: "the body did not arrive",
    409: "something else has to change first; the text says what",
    413: "the body is over ADDON_SYNC_MAX_BODY_SIZE",
    415: "the body is not declared as application/json",
    421: "the address is one of loopback, and the Host header is not",
    503: "not now: time or an operator cures it; Retry-After says when to ask again",
}
_ABOUT = """\
Where addons are, what happened and why, and the same requests as the commands of the command line. Times are ISO 8601
in UTC. An error is an object with the member `error`, a text for people. See docs/reference/http.md."""


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document."""
    kinds = _kinds(endpoints)
    found, components = schemas(kinds, references=_REFERENCES)
    by_kind = dict(zip(kinds, found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "addon-sync", "version": __version__, "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the token is the password"},
            },
        },
    }


def _kinds(endpoints: Sequence[Endpoint]) -> list[type]:
    bodies = [endpoint.body for endpoint in endpoints if endpoint.body is not None]
    answers = [kind for endpoint in endpoints for kind in endpoint.answers.values() if isinstance(kind, type)]
    return list(dict.fromkeys([Failure, *bodies, *answers]))


def _operation(endpoint: Endpoint, by_kind: Mapping[type, Mapping[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_segment(endpoint), *map(_parameter, endpoint.parameters)],
        "responses": _responses(endpoint, by_kind),
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": by_kind[endpoint.body]}}}
    return operation


def _segment(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.segment is None:
        return []
    name = endpoint.path.partition("{")[2].rstrip("}")
    return [{"name": name, "in": "path", "required": True, "schema": endpoint.segment}]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": False,
        "description": parameter.help,
        "schema": parameter.schema,
    }


def _responses(endpoint: Endpoint, by_kind: Mapping[type, Mapping[str, Any]]) -> dict[str, Any]:
    changing = _CHANGING if endpoint.method != "GET" else ()
    refused = dict.fromkeys((*_ALWAYS, *changing, *endpoint.refusals), Failure)
    return {
        str(status): _response(status, kind, by_kind)
        for status, kind in sorted({**endpoint.answers, **refused}.items())
    }


def _response(status: int, kind: type | str, by_kind: Mapping[type, Mapping[str, Any]]) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "string"}}} if isinstance(kind, str) else {_JSON: {"schema": by_kind[kind]}}
    response: dict[str, Any] = {"description": _WORDS[status], "content": content}
    if status == 202:
        text = {"type": "string"}
        response["headers"] = {"Location": {"description": "of the job", "required": True, "schema": text}}
    return response
