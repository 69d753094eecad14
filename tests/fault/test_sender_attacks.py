"""Senders with credentials of their own at the HTTP door: right ones, wrong ones, and what is written of them."""

import asyncio
import hmac
import json
import logging
from collections.abc import Mapping

import pytest

from receiver.server.connections import Limits
from tests.support.endpoint import PATH, TOKEN, Endpoint, Reply, post, running
from tests.support.notifications import RECORDED, envelope, event, recorded

GENERIC = {"error": "a valid credential is required"}
SECRET = "a secret, with words"
PATH_SECRET = "secret-path-of-some-length"
SENDERS = {
    "harbor": lambda: ("sample-token-of-harbor",),
    "artifactory": lambda: (SECRET,),
    "ghcr": lambda: (SECRET,),
    "nexus": lambda: (SECRET,),
    "forgejo": lambda: (SECRET,),
    "dockerhub": lambda: (PATH_SECRET,),
    "quay": lambda: (PATH_SECRET + "-quay",),
    "google": lambda: (PATH_SECRET + "-google",),
}
PREFIXES = {
    "harbor-push": "proj/addons/",
    "harbor-cloudevents-push": "proj/addons/",
    "ghcr-package": "example-org/addons/",
    "dockerhub-push": "exampleorg/",
    "quay-push": "example/addons/",
    "nexus-component-created": "addons/",
    "artifactory-pushed": "addons/",
    "gitea-package-created": "example/addons/",
    "forgejo-package-created": "example/addons/",
    "google-insert": "example-project/registry/addons/",
    "acr-push": "addons/",
    "gitlab-push": "group/project/addons/",
}
PATIENCE = 20.0


def mac(body: bytes, algorithm: str = "sha256", secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def proof(name: str, body: bytes) -> tuple[str, Mapping[str, str]]:
    """The path, and the headers that hold the credential of that delivery's sender."""
    match name.partition("-")[0]:
        case "harbor":
            return PATH, {"Authorization": "sample-token-of-harbor"}
        case "artifactory":
            return PATH, {"X-JFrog-Event-Auth": mac(body)}
        case "ghcr":
            return PATH, {"X-Hub-Signature-256": f"sha256={mac(body)}"}
        case "nexus":
            return PATH, {"X-Nexus-Webhook-Signature": mac(body, "sha1")}
        case "gitea" | "forgejo":
            return PATH, {"X-Gitea-Signature": mac(body), "X-Hub-Signature-256": f"sha256={mac(body)}"}
        case "dockerhub":
            return f"{PATH}/{PATH_SECRET}", {}
        case "quay" | "google" as sender:
            return f"{PATH}/{PATH_SECRET}-{sender}", {"Authorization": "Bearer of.google.not-ours"}
        case _:
            return PATH, {"Authorization": f"Bearer {TOKEN}"}


def request(name: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """That delivery as its sender would send it, with other credentials."""
    document = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    sent = recorded(name).body if body is None else body
    kept = {
        key: value for key, value in document["headers"].items() if key not in {"Authorization", "X-JFrog-Event-Auth"}
    }
    lines = [f"{key}: {value}" for key, value in {**kept, **headers}.items() if key != "Host"]
    return post(sent, *lines, token=None, path=path)


async def answer(endpoint: Endpoint, data: bytes) -> Reply:
    async with asyncio.timeout(PATIENCE):
        reply = await endpoint.ask(data)
    assert reply is not None
    return reply


@pytest.mark.parametrize("name", PREFIXES)
async def test_every_sender_is_let_in_by_its_own_credential(name: str) -> None:
    """Beside the shared token, and with all the others configured."""
    async with running(senders=SENDERS, prefix=PREFIXES[name]) as endpoint:
        reply = await answer(endpoint, request(name, *proof(name, recorded(name).body)))
        assert (reply.status, reply.json) == (202, {"accepted": 1, "ignored": 0, "quarantined": 0})


@pytest.mark.parametrize("name", PREFIXES)
@pytest.mark.parametrize("changes", [{}, {"tokens": None}, {"senders": {}}, {"senders": {}, "tokens": None}])
async def test_nobody_gets_in_without(name: str, changes: dict[str, object]) -> None:
    """Those who could have sent a token are let in where nothing at all is configured; all others never are."""
    open_to_all = changes == {"senders": {}, "tokens": None} and name.partition("-")[0] in {"harbor", "acr", "gitlab"}
    async with running(**{"senders": SENDERS, "prefix": PREFIXES[name], **changes}) as endpoint:  # type: ignore[arg-type] # the names are those of Door
        reply = await answer(endpoint, request(name, PATH, {}))
        assert reply.status == (202 if open_to_all else 401)
        assert len(endpoint.queue.intakes) == int(open_to_all)


@pytest.mark.parametrize("name", PREFIXES)
async def test_the_shared_token_is_a_credential_for_all(name: str) -> None:
    """A proxy in front may add it."""
    async with running(senders=SENDERS, prefix=PREFIXES[name]) as endpoint:
        reply = await answer(endpoint, request(name, PATH, {"Authorization": f"Bearer {TOKEN}"}))
        assert reply.status == 202


@pytest.mark.parametrize("name", PREFIXES)
@pytest.mark.parametrize("other", ["harbor-push", "ghcr-package", "nexus-component-created", "dockerhub-push"])
async def test_the_credential_of_one_sender_is_none_for_another(name: str, other: str) -> None:
    """Least of all that of a secret path."""
    if name.partition("-")[0] == other.partition("-")[0]:
        name = "gitlab-push"
    path, headers = proof(other, recorded(name).body)
    async with running(senders=SENDERS, prefix=PREFIXES[name]) as endpoint:
        reply = await answer(endpoint, request(name, path, headers))
        assert (reply.status, reply.json) == (401, GENERIC)
        assert endpoint.queue.intakes == []


@pytest.mark.parametrize(
    "name", ["ghcr-package", "nexus-component-created", "artifactory-pushed", "gitea-package-created"]
)
async def test_an_altered_body_is_refused(name: str) -> None:
    """The signature is over the bytes as they came (W8)."""
    body = recorded(name).body
    path, headers = proof(name, body)
    async with running(senders=SENDERS, prefix=PREFIXES[name]) as endpoint:
        for altered in (body + b" ", body.replace(b"metrics", b"monitor"), b""):
            reply = await answer(endpoint, request(name, path, headers, altered))
            assert (reply.status, reply.json) == (401, GENERIC)
        assert endpoint.queue.intakes == []


async def test_a_signed_body_that_cannot_be_read_is_kept() -> None:
    """Once authenticated, everything gets 202, compressed ones among it."""
    async with running(senders=SENDERS) as endpoint:
        for body in (b"{", b"payload=%7B%7D", b"\x1f\x8b"):
            headers = {"X-Hub-Signature-256": f"sha256={mac(body)}"}
            for more in ({}, {"Content-Encoding": "gzip"}):
                reply = await answer(endpoint, request("ghcr-package", PATH, {**headers, **more}, body))
                assert (reply.status, reply.json) == (202, {"accepted": 0, "ignored": 0, "quarantined": 1})


async def test_a_claimed_signature_reads_no_more_than_the_limit() -> None:
    """A stranger may make us read a body only so far, and only where such a sender is configured."""
    claim = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    big = b" " * 5000
    async with running(Limits(body=4096), senders=SENDERS) as endpoint:
        assert (await answer(endpoint, request("ghcr-package", PATH, claim, big))).status == 413
    async with running(Limits(body=4096)) as endpoint, endpoint.connect() as wire:
        await wire.send(post(b"", *(f"{key}: {value}" for key, value in claim.items()), token=None, length=4000))
        async with asyncio.timeout(PATIENCE):
            reply = await wire.reply()
        assert reply is not None
        assert (reply.status, reply.headers["connection"]) == (401, "close")


@pytest.mark.parametrize(
    "path",
    ["/v1/notifications/", "/v1/notifications/wrong", f"/v1/notifications/{PATH_SECRET}x", "/v1/notifications/%ff"],
)
async def test_a_wrong_path_gets_the_generic_refusal(path: str) -> None:
    """Whether anything is there, it does not tell; neither does a token help."""
    async with running(senders=SENDERS, prefix="exampleorg/") as endpoint:
        for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
            reply = await answer(endpoint, request("dockerhub-push", path, headers))
            assert (reply.status, reply.json) == (401, GENERIC)


async def test_no_credential_is_written_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither right nor wrong, in a log of any level, an answer, a metric or the journal, whatever happens."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    written: list[str] = []

    async def broken(*_: object, **__: object) -> object:
        raise RuntimeError("a fault of ours")

    async with running(senders=SENDERS, prefix="exampleorg/") as endpoint:
        for name in PREFIXES:
            path, headers = proof(name, recorded(name).body)
            for data in (
                request(name, path, headers),
                request(name, path, headers, b"not JSON"),
                request(name, path + "x", headers),
                request(name, path, {**headers, "Content-Type": "a/b\x7f"}),
                request(name, path + " HTTP/9", headers),
                request(name, path, headers).replace(b"POST", b"GET", 1),
            ):
                reply = await answer(endpoint, data)
                written.append(f"{reply.headers} {reply.body!r}")
        endpoint.queue.ingest = broken  # type: ignore[method-assign,assignment] # the door must not tell why
        for name in ("dockerhub-push", "ghcr-package", "harbor-push"):
            reply = await answer(endpoint, request(name, *proof(name, recorded(name).body)))
            written.append(f"{reply.status} {reply.body!r}")
        written += [endpoint.metrics.render()[0].decode(), repr(endpoint.queue.intakes), caplog.text]
    told = "\n".join(written)
    assert "a fault of ours" in caplog.text
    for secret in (
        SECRET,
        PATH_SECRET,
        TOKEN,
        "sample-token-of-harbor",
        mac(recorded("ghcr-package").body),
        "of.google",
    ):
        assert secret not in told


async def test_distribution_is_taken_as_before_beside_all_others() -> None:
    """Its path is the fast one."""
    async with running(senders=SENDERS) as endpoint:
        assert (await answer(endpoint, post(envelope(event())))).status == 202
