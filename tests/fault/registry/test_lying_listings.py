"""Catalogues and tag lists that are none, or never end (hazards, "Registry cases")."""

import pytest
from aiohttp import web

from receiver.errors import (
    ProtocolViolation,
    ReceiverError,
)
from receiver.oci.digest import Digest
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.fake_registry import Answer, FakeRegistry
from tests.support.pulling import NAME


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags": 5}', b'{"tags": [1]}', b"<html>", b'{"tags": [], "tags": []}'])
async def test_a_listing_that_is_none_is_refused(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, body: bytes
) -> None:
    """No list of tags must not pass for an empty one."""
    server.lie("GET tags", faults.body(body))

    with pytest.raises(ProtocolViolation, match="not a listing"):
        await client.tags(NAME)


async def test_null_is_an_empty_list(server: FakeRegistry, pushed: Digest, client: RegistryClient) -> None:
    """Distribution answers so for a repository whose tags were all deleted."""
    server.lie("GET tags", faults.body(b'{"name": "x", "tags": null}'))

    assert await client.tags(NAME) == []


async def test_a_page_that_is_too_long_is_refused(server: FakeRegistry, pushed: Digest, client: RegistryClient) -> None:
    """4 MiB a page (hazards "Link pagination")."""
    server.lie("GET catalogue", faults.endless())

    with pytest.raises(ProtocolViolation, match="longer than"):
        await client.repositories()


@pytest.mark.parametrize(
    "link", ["<https://evil.example/v2/_catalog?last=a>", "</v2/_catalog?n=100>", "</v2/other/tags/list?last=a>"]
)
async def test_a_next_page_elsewhere_is_not_asked(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, link: str
) -> None:
    """Another host, the same page again, another listing: refused after the first page (J11)."""
    server.lie("GET catalogue", faults.header("Link", f'{link}; rel="next"'))

    with pytest.raises(ProtocolViolation):
        await client.repositories()
    assert server.requests["GET catalogue"] == 1


async def test_pages_without_an_end_end(server: FakeRegistry, pushed: Digest, client: RegistryClient) -> None:
    """A new cursor on every page, a hundred times (J11)."""

    async def on_and_on(request: web.Request, answer: Answer) -> web.StreamResponse:
        following = int(request.query.get("last", "0")) + 1
        return web.Response(body=answer.body, headers={"Link": f'</v2/_catalog?last={following}>; rel="next"'})

    server.lie("GET catalogue", on_and_on)

    with pytest.raises(ProtocolViolation, match="100 pages"):
        await client.repositories()
    assert server.requests["GET catalogue"] == 100


async def test_a_registry_without_a_catalogue_names_the_remedy(server: FakeRegistry, client: RegistryClient) -> None:
    """Many public registries have none: the operator reads which setting replaces it."""
    for code in (401, 403, 404, 405):
        server.tell_the_truth()
        server.lie("GET catalogue", faults.status(code))
        with pytest.raises(ReceiverError, match="ADDON_SYNC_REPOSITORIES"):
            await client.repositories()
