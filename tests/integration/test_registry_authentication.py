"""The real registry behind a password file, a token service and TLS with a private authority."""

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.blobs import BlobStore
from receiver.config import load
from receiver.connect import registry_client
from receiver.errors import AccessDenied, Unavailable
from receiver.oci.digest import Digest
from receiver.oci.reference import Repository
from receiver.packaging.artifact import Artifact
from receiver.packaging.push import Pushed, Pusher, push
from receiver.registry.client import RegistryClient
from tests.support.addons import artifact
from tests.support.certificates import make_authority
from tests.support.docker_registry import DockerRegistry
from tests.support.pulling import LAYER, LAYER_DESCRIPTOR, NAME, PASSWORD, fetch
from tests.support.push import push_files
from tests.support.token_server import TokenServer

pytestmark = pytest.mark.registry

HASH = "$2b$04$addonsyncaddonsyncadde0M08ckRkRlGJD44UAmIdQWsSO/1lKc2"
"""PASSWORD, as bcrypt writes it: the only form that the registry takes."""
IDENTITY = "identity-of-a-test"


class Scene:
    """A registry with an addon in it, and a host that has a configuration of Docker's."""

    def __init__(self, registry: DockerRegistry, folder: Path) -> None:
        self.registry = registry
        self.folder = folder
        self.pushed: Digest = push_files(registry.url, NAME, "v1.0.0", LAYER)
        (folder / "docker").mkdir()

    def closed(self, *, auth: dict[str, Any] | None = None, tls: dict[str, Any] | None = None) -> None:
        """Start the registry again, so that not everybody may read it."""
        self.registry.stop()
        self.registry.auth, self.registry.tls = auth, tls
        self.registry.start()

    def docker_knows(self, entry: dict[str, str]) -> None:
        """As after ``docker login``."""
        document = {"auths": {self.registry.authority: entry}}
        (self.folder / "docker/config.json").write_text(json.dumps(document))

    def client(self, **settings: str) -> RegistryClient:
        """What the program itself would use with ``settings``."""
        environment = {
            "REGISTRY_URL": self.registry.url,
            "INSECURE": str(self.registry.tls is None),
            "K2S_INSTALL_DIR": str(self.folder),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            **settings,
        }
        return registry_client(load(flags={}, environment=environment, file=None))

    async def pulls(self, **settings: str) -> bool:
        """Ask all kinds of questions; whether the layer came."""
        store = BlobStore(self.folder / "blobs")
        store.prepare()
        async with self.client(**settings) as client:
            assert await client.repositories() == [NAME]
            assert await client.tags(NAME) == ["v1.0.0"]
            assert await client.resolve(NAME, "v1.0.0") == self.pushed
            await client.manifest(NAME, self.pushed)
            await fetch(client, store)
        return store.has(LAYER_DESCRIPTOR)

    async def is_refused(self, **settings: str) -> None:
        """All is refused, and no text shows a password."""
        async with self.client(**settings) as client:
            for question in (client.repositories(), client.tags(NAME), client.resolve(NAME, "v1.0.0")):
                with pytest.raises(AccessDenied) as caught:
                    await question
                assert PASSWORD not in str(caught.value)
                assert IDENTITY not in str(caught.value)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with DockerRegistry() as registry:
        yield Scene(registry, tmp_path)


def account(password: str = PASSWORD) -> dict[str, str]:
    return {"ADDON_SYNC_REGISTRY_USERNAME": "robot", "ADDON_SYNC_REGISTRY_PASSWORD": password}


def entry(password: str = PASSWORD) -> dict[str, str]:
    return {"auth": base64.b64encode(f"robot:{password}".encode()).decode()}


async def test_a_password_file(scene: Scene) -> None:
    """htpasswd: by the settings or by Docker's configuration, the settings first; without and wrong: refused."""
    (scene.folder / "htpasswd").write_text(f"robot:{HASH}\n")
    scene.closed(auth={"htpasswd": {"realm": "r", "path": str(scene.folder / "htpasswd")}})

    assert await scene.pulls(**account())
    await scene.is_refused()
    await scene.is_refused(**account("another"))
    scene.docker_knows(entry())
    assert await scene.pulls()
    await scene.is_refused(**account("another"))
    scene.docker_knows(entry("another"))
    await scene.is_refused()
    assert await scene.pulls(**account())


async def test_a_password_that_changes_is_taken(scene: Scene) -> None:
    """Docker login with a running client: no restart."""
    (scene.folder / "htpasswd").write_text(f"robot:{HASH}\n")
    scene.closed(auth={"htpasswd": {"realm": "r", "path": str(scene.folder / "htpasswd")}})
    scene.docker_knows(entry("another"))
    async with scene.client() as client:
        with pytest.raises(AccessDenied):
            await client.tags(NAME)
        scene.docker_knows(entry())
        assert await client.tags(NAME) == ["v1.0.0"]


@pytest.fixture
def tokens(scene: Scene) -> Iterator[TokenServer]:
    """The registry behind a token service, at another port of its host."""
    with TokenServer(scene.folder, account=("robot", PASSWORD), identity_token=IDENTITY) as tokens:
        scene.closed(auth=tokens.section())
        yield tokens


async def test_a_token_service_that_is_listed(scene: Scene, tokens: TokenServer) -> None:
    """One token for the catalogue and one for the repository, each to pull; the account goes with the questions."""
    assert await scene.pulls(**account(), ADDON_SYNC_TOKEN_SERVICES=tokens.url)

    assert [(asked.how, asked.scope) for asked in tokens.asked] == [
        ("basic", "registry:catalog:*"),
        ("basic", f"repository:{NAME}:pull"),
    ]
    tokens.asked.clear()
    await scene.is_refused(**account("another"), ADDON_SYNC_TOKEN_SERVICES=tokens.url)
    assert tokens.asked == []


async def test_a_ping_is_no_question_for_a_repository(scene: Scene, tokens: TokenServer) -> None:
    """It tells whether the account is known; an identity token is exchanged the same way."""
    scene.docker_knows({"identitytoken": IDENTITY})
    for settings in (account(), {}):
        async with scene.client(**settings, ADDON_SYNC_TOKEN_SERVICES=tokens.url) as client:
            await client.ping()
    assert [(asked.how, asked.scope) for asked in tokens.asked] == [("basic", ""), ("refresh_token", "")]

    async with scene.client(**account("another"), ADDON_SYNC_TOKEN_SERVICES=tokens.url) as client:
        with pytest.raises(AccessDenied, match="no token for us"):
            await client.ping()


async def test_a_token_service_that_is_not_listed_gets_no_password(scene: Scene, tokens: TokenServer) -> None:
    """Another port is another origin: asked as anybody may ask, and what anybody gets is not enough here."""
    await scene.is_refused(**account())

    assert {asked.how for asked in tokens.asked} == {"anonymous"}


async def test_an_identity_token(scene: Scene, tokens: TokenServer) -> None:
    """What docker login leaves where a registry has OAuth2: exchanged for access tokens; a revoked one is refused."""
    scene.docker_knows({"identitytoken": IDENTITY})
    assert await scene.pulls(ADDON_SYNC_TOKEN_SERVICES=tokens.url)
    assert {asked.how for asked in tokens.asked} == {"refresh_token"}

    tokens.identity_token = "another"
    await scene.is_refused(ADDON_SYNC_TOKEN_SERVICES=tokens.url)


async def test_a_token_is_renewed_when_it_ends(scene: Scene, tokens: TokenServer) -> None:
    """By our clock, and by the registry's word where that comes first (by 60 seconds of leeway, in Distribution)."""
    async with scene.client(**account(), ADDON_SYNC_TOKEN_SERVICES=tokens.url) as client:
        now = [1000.0]
        client._session._authorizer._clock = lambda: now[0]
        await client.tags(NAME)
        await client.tags(NAME)
        assert len(tokens.asked) == 1
        now[0] += 301
        await client.tags(NAME)
        assert len(tokens.asked) == 2

        tokens.life = -120
        now[0] += 301
        with pytest.raises(AccessDenied):  # a service that gives out nothing but dead tokens: one try a question
            await client.tags(NAME)
        assert len(tokens.asked) == 3
        tokens.life = 300
        assert await client.tags(NAME) == ["v1.0.0"]  # that the registry refused it is enough to ask for another
        assert len(tokens.asked) == 4


async def test_no_secret_is_logged(scene: Scene, tokens: TokenServer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the password nor a token nor the header that carries it, at any level, of ours and of all libraries."""
    caplog.set_level(logging.DEBUG)
    await scene.pulls(**account(), ADDON_SYNC_TOKEN_SERVICES=tokens.url)
    await scene.is_refused(**account("another"), ADDON_SYNC_TOKEN_SERVICES=tokens.url)

    assert "unencrypted" in caplog.text
    for secret in (PASSWORD, entry()["auth"], "eyJ", "Bearer "):
        assert secret not in caplog.text


async def test_tls_with_a_private_authority(scene: Scene) -> None:
    """Trusted by its file only; with client certificates, only who shows one; a password file behind it all."""
    files = make_authority(scene.folder)
    tls: dict[str, Any] = {"certificate": str(files / "server.pem"), "key": str(files / "server-key.pem")}
    scene.closed(tls=tls)
    trusting = {"ADDON_SYNC_CA_FILE": str(files / "ca.pem")}
    async with scene.client() as client:
        with pytest.raises(Unavailable, match="ADDON_SYNC_CA_FILE"):
            await client.tags(NAME)
    assert await scene.pulls(**trusting)

    (scene.folder / "htpasswd").write_text(f"robot:{HASH}\n")
    scene.closed(
        tls=tls | {"clientcas": [str(files / "ca.pem")]},
        auth={"htpasswd": {"realm": "r", "path": str(scene.folder / "htpasswd")}},
    )
    async with scene.client(**trusting, **account()) as client:
        with pytest.raises(Unavailable):
            await client.tags(NAME)
    shown = {
        "ADDON_SYNC_CLIENT_CERT": str(files / "client.pem"),
        "ADDON_SYNC_CLIENT_KEY": str(files / "client-key.pem"),
    }
    assert await scene.pulls(**trusting, **shown, **account())
    await scene.is_refused(**trusting, **shown)


# ---- pushing -----------------------------------------------------------------------------------------------------


async def pushes(client: RegistryClient, packed: Artifact, name: str = "addons/new") -> Pushed:
    async with client:
        return await push(packed, client.uploads(), Repository.parse(name), [packed.tag])


async def test_a_push_with_a_password_file(scene: Scene, tmp_path: Path) -> None:
    """With the account of the settings; without one and with a wrong one, nothing gets in."""
    (scene.folder / "htpasswd").write_text(f"robot:{HASH}\n")
    scene.closed(auth={"htpasswd": {"realm": "r", "path": str(scene.folder / "htpasswd")}})
    packed = artifact(tmp_path, addon="new")
    for settings in ({}, account("another")):
        with pytest.raises(AccessDenied) as caught:
            await pushes(scene.client(**settings), packed)
        assert "another" not in str(caught.value)
    assert (await pushes(scene.client(**account()), packed)).uploaded == len(packed.blobs)
    async with scene.client(**account()) as client:
        assert await client.resolve("addons/new", "v1.0.0") == packed.digest


async def test_a_push_with_tokens(scene: Scene, tmp_path: Path) -> None:
    """One that may write this repository, and one that may read the other as well, from which a blob is mounted."""
    may = frozenset({"pull", "push", "*"})
    with TokenServer(tmp_path, account=("robot", PASSWORD), actions=may) as tokens:
        scene.closed(auth=tokens.section())
        addons = [artifact(tmp_path, addon=name) for name in ("one", "two")]
        async with scene.client(**account(), ADDON_SYNC_TOKEN_SERVICES=tokens.url) as client:
            pusher = Pusher(client.uploads())
            ends = [await pusher.push(addon, Repository.parse(f"addons/{addon.digest.hex[:8]}"), [addon.tag])
                    for addon in addons]  # fmt: skip
    assert [end.mounted for end in ends] == [0, len({*addons[0].blobs} & {*addons[1].blobs})]
    names = [f"addons/{addon.digest.hex[:8]}" for addon in addons]
    assert {asked.scope for asked in tokens.asked} == {
        *(f"repository:{name}:pull,push" for name in names),
        f"repository:{names[1]}:pull,push repository:{names[0]}:pull",
    }


async def test_an_account_that_may_only_pull_is_told_so(scene: Scene, tmp_path: Path) -> None:
    """The registry gives a token, and refuses it."""
    with TokenServer(tmp_path, account=("robot", PASSWORD)) as tokens:
        scene.closed(auth=tokens.section())
        with pytest.raises(AccessDenied, match="may push there"):
            await pushes(
                scene.client(**account(), ADDON_SYNC_TOKEN_SERVICES=tokens.url), artifact(tmp_path, addon="new")
            )
