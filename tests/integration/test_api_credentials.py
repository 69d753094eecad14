"""Who may use the API, and from where: every path, each credential, and what a browser can be made to send."""

from base64 import b64encode

import aiohttp
import pytest

from receiver.server.connections import Limits
from tests.support.api import API, HOST, SENDER, Client, serving


def paths(client: Client) -> list[tuple[str, str]]:
    """Every method and path of the API."""
    there = client.server._api
    assert there is not None
    return [(endpoint.method, endpoint.route) for endpoint in there.endpoints]


async def statuses(client: Client, token: str | None, *, every: list[tuple[str, str]] | None = None) -> set[int]:
    """What the paths answer to ``token``."""
    found = set()
    for method, path in every or paths(client):
        answer = await client.ask(method, path, token=token, data="{}" if method == "POST" else None)
        found.add(answer.status)
    return found


@pytest.mark.parametrize("token", [None, "", "wrong", SENDER, HOST + "x"])
async def test_no_path_answers_without_the_credential(token: str | None) -> None:
    """Nor with that of senders: it lies in other systems."""
    async with serving() as client:
        assert await statuses(client, token) == {401}


async def test_the_credential_of_the_host_opens_on_loopback() -> None:
    """Who may read it from the state folder may change the catalogue anyway; Basic is taken as elsewhere."""
    async with serving() as client:
        assert (await client.get("/v1/addons")).status == 200
        basic = {"Authorization": "Basic " + b64encode(f"me:{HOST}".encode()).decode()}
        assert (await client.get("/v1/addons", token=None, headers=basic)).status == 200


async def test_beyond_loopback_the_api_is_not_there_without_a_token_of_its_own() -> None:
    """As if these paths did not exist, whoever asks."""
    async with serving() as client:
        every = paths(client)
    async with serving(is_local=False) as client:
        for token in (None, HOST, SENDER):
            assert await statuses(client, token, every=every) == {404}


async def test_beyond_loopback_only_its_own_token_opens_it() -> None:
    """Neither that of the host, which never leaves it, nor one of senders."""
    tokens = (API,)
    async with serving(is_local=False, api_tokens=lambda: tokens) as client:
        assert (await client.get("/v1/addons", token=API)).status == 200
        assert (await client.get("/v1/addons", token=API, headers={"Host": "receiver.example"})).status == 200
        assert await statuses(client, HOST) == {401}
        assert await statuses(client, SENDER) == {401}
        assert (await client.post("/v1/notifications", token=API)).status == 401


async def test_tokens_are_exchanged_while_it_runs() -> None:
    """Old and new are valid together, and the old one ends."""
    tokens: tuple[str, ...] = ("old",)
    async with serving(is_local=False, api_tokens=lambda: tokens) as client:
        for now in (("old",), ("old", "new"), ("new",), ()):
            tokens = now
            for word in ("old", "new"):
                assert (await client.get("/v1/tasks", token=word)).status == (200 if word in now else 401)


async def test_a_token_that_is_also_a_senders_opens_nothing() -> None:
    """A mistake in two files must not make every sender an operator; also for the credential of a single sender."""
    shared, single = (SENDER, "of-harbor", API), ("of-harbor",)
    async with serving(api_tokens=lambda: shared, senders={"harbor": lambda: single}) as client:
        found = [(await client.get("/v1/tasks", token=word)).status for word in (SENDER, "of-harbor", API, HOST)]
        assert found == [401, 401, 200, 200]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:8080", 200), ("127.0.0.1:1", 200), ("127.8.8.8", 200), ("[::1]:8080", 200),
     ("evil.example", 421), ("evil.example:8080", 421), ("127.0.0.1.evil.example", 421),
     ("localhost.evil.example", 421), ("192.0.2.1:8080", 421), ("[::2]", 421), ("127.0.0.1@evil.example", 421)],
)  # fmt: skip
async def test_a_foreign_name_for_loopback_is_refused(host: str, status: int) -> None:
    """A page whose name is turned to 127.0.0.1 would be of the same origin as we are, whatever it knows."""
    async with serving() as client:
        assert (await client.get("/v1/addons", headers={"Host": host})).status == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_form_can_send_changes_nothing(kind: str) -> None:
    """No page of another site can send JSON without being asked first, and nobody answers that."""
    async with serving() as client:
        answer = await client.ask("POST", "/v1/sync", data="{}", headers={"Content-Type": kind})
        assert answer.status == 415
        asked = await client.ask("OPTIONS", "/v1/sync", headers={"Origin": "http://evil.example"})
        assert (asked.status, "Access-Control-Allow-Origin" in asked.headers) == (405, False)


async def signed_in(client: Client) -> dict[str, str]:
    """The header of somebody who is signed in at the page."""
    form = {"credential": HOST, "next": "/"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with client.session.post(f"{client.url}/login", data=form, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303
        return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Origin": "http://evil.example"}, 401), ({"Origin": "null"}, 401), ({"Origin": "http://HERE:1"}, 401),
     ({"Origin": "http://HERE"}, 200), ({"Origin": "http://HERE", "Sec-Fetch-Site": "same-origin"}, 200),
     ({"Origin": "http://HERE", "Sec-Fetch-Site": "same-site"}, 401), ({"Sec-Fetch-Site": "same-origin"}, 403),
     ({"Origin": "http://["}, 401)],
)  # fmt: skip
async def test_a_session_changes_something_only_from_a_page_of_this_host(headers: dict[str, str], status: int) -> None:
    """The browser says where a request comes from; one that does not say it is no browser's."""
    async with serving() as client:
        cookie, here = await signed_in(client), client.url.removeprefix("http://")
        sent = {**cookie, **{name: text.replace("HERE", here) for name, text in headers.items()}}
        assert (await client.post("/v1/hold", {"addon": "a"}, token=None, headers=sent)).status == status
        assert (await client.get("/v1/tasks", token=None, headers=cookie)).status == 200


async def test_a_session_does_not_cover_a_wrong_credential() -> None:
    """What is presented is judged."""
    async with serving() as client:
        assert (await client.get("/v1/tasks", token="wrong", headers=await signed_in(client))).status == 401


async def test_wrong_credentials_bar_an_address() -> None:
    """They count as those of senders do; a valid one, as there, keeps the address from it."""
    limits = Limits(failures=3)
    async with serving(limits=limits, exempt=lambda _: False) as client:
        for _ in range(3):
            assert (await client.get("/v1/addons", token="guess")).status == 401
        with pytest.raises(aiohttp.ClientError):
            await client.get("/v1/addons")
    async with serving(limits=limits, exempt=lambda _: False) as client:
        assert (await client.get("/v1/addons")).status == 200
        for _ in range(5):
            assert (await client.get("/v1/addons", token="guess")).status == 401


async def test_a_job_is_not_told_to_who_has_no_credential() -> None:
    """Its name alone is not enough."""
    async with serving() as client:
        where = (await client.post("/v1/sync")).headers["Location"]
        assert (await client.get(where, token=None)).status == 401
        assert (await client.get(where)).status == 200
