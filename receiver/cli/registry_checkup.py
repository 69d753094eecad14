"""The way to the registry and what it answers, step by step: where one fails, those that need it are left out."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Collection

from receiver import connect
from receiver.addon import AddonRepository, choose_tag
from receiver.config import Settings
from receiver.diagnosis import network, registry
from receiver.diagnosis.finding import Finding, broken, ok
from receiver.diagnosis.probe.bounded import within
from receiver.diagnosis.probe.network import Way, reach
from receiver.diagnosis.registry import Access, Looked
from receiver.errors import AccessDenied, ConfigError, InvalidNameError, NotInRegistry, RegistryError
from receiver.registry.auth import Credentials, IdentityToken
from receiver.registry.client import RegistryClient
from receiver.registry.location import Location, Origin
from receiver.registry.transport import tls_context

_WAY_SECONDS = 20.0
"""For a name, a connection and TLS; each has five of them, but the system's resolver takes what it takes."""
_CREDENTIAL_SECONDS = 12.0
"""For Docker's configuration; a helper may ask a cloud."""
_ANSWER_SECONDS = 15.0
_ADDONS_SECONDS = 20.0
_SIDE_BY_SIDE = 8
_REMEDIES = network.Remedies(
    address="REGISTRY_URL",
    authority="ADDON_SYNC_CA_FILE",
    plain="if the registry is meant to speak plain HTTP, set INSECURE=true; else give it a certificate",
)


async def look_at_registry(settings: Settings, looked: list[Looked]) -> AsyncIterator[Finding]:
    """Look at the registry; each addon repository that it has is put into ``looked``."""
    origin = Location.of(settings.registry).origin
    reached = None
    try:
        reached = await within(_WAY_SECONDS, lambda: reach(_way(settings, origin)))
    except ConfigError as error:
        yield broken("registry.tls", str(error), "correct the setting, or the file that it names")
    if reached is None:
        return
    for finding in network.judge("registry", reached, _REMEDIES, now=time.time()):
        yield finding
    if reached.failure is not None:
        return
    if origin.scheme == "http":
        yield _plain(origin)
    async for finding in _ask(settings, reached.target, looked):
        yield finding


def _way(settings: Settings, origin: Origin) -> Way:
    proxy = connect.registry_proxy(settings)
    through = None
    if proxy is not None and proxy.serves(origin):
        through = (proxy.origin.host, proxy.origin.port)
    context = tls_context(connect.registry_tls(settings), own=True) if origin.scheme == "https" else None
    return Way(host=origin.host, port=origin.port, proxy=through, tls=context)


def _plain(origin: Origin) -> Finding:
    try:
        inside = ipaddress.ip_address(origin.host).is_loopback
    except ValueError:
        inside = origin.host == "localhost"
    if inside:
        return ok("registry.tls", f"{origin} is spoken to over plain HTTP, within this machine")
    return registry.judge_plain(str(origin))


async def _ask(settings: Settings, target: str, looked: list[Looked]) -> AsyncIterator[Finding]:
    try:
        found = await within(_CREDENTIAL_SECONDS, connect.credential_source(settings))
    except AccessDenied as error:
        yield broken(
            "registry.credentials", str(error), "correct Docker's configuration, or set DOCKER_CONFIG to another"
        )
        return
    except TimeoutError:
        text = f"Docker's credential helper gives no answer within {_CREDENTIAL_SECONDS:.0f} s"
        yield broken("registry.credentials", text, "run docker-credential-… get by hand, as the account of addon-sync")
        return
    asked: list[bool] = []

    def credentials() -> Credentials | IdentityToken | None:
        asked.append(True)
        return found

    async with connect.registry_client(settings, credentials=credentials) as client:
        access = Access(target=target, source=_source(settings, found))
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await client.ping()
        except RegistryError as error:
            yield registry.judge_access(Access(target=target, source=access.source, error=error))
            return
        yield registry.judge_access(Access(target=target, source=access.source, asked=bool(asked)))
        async for finding in _look_through(client, settings, looked):
            yield finding


def _source(settings: Settings, found: Credentials | IdentityToken | None) -> str | None:
    if found is None:
        return None
    if settings.registry_username is not None:
        return f"{settings.given['ADDON_SYNC_REGISTRY_USERNAME'].name}"
    return f"{settings.docker_config}/config.json"


async def _look_through(client: RegistryClient, settings: Settings, looked: list[Looked]) -> AsyncIterator[Finding]:
    listed: list[str] | None = None
    refusal: RegistryError | None = None
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            listed = list(await client.repositories())
    except RegistryError as error:
        refusal = error
    prefix, configured = settings.repository_prefix, settings.repositories
    for finding in registry.judge_catalogue(listed, refusal, prefix=prefix, configured=len(configured)):
        yield finding
    names = {*configured, *(name for name in listed or () if name.startswith(prefix))}
    looked += await _looked(client, settings, names)
    for finding in registry.judge_addons(looked, len(names) - len(looked)):
        yield finding


async def _looked(client: RegistryClient, settings: Settings, names: Collection[str]) -> list[Looked]:
    """Ask for the tags of each, side by side; what is not there in time is left out."""
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def look(name: str) -> Looked:
        async with gate:
            return await _look(client, settings, name)

    asking = [asyncio.create_task(look(name)) for name in sorted(names)]
    if not asking:
        return []
    _, late = await asyncio.wait(asking, timeout=_ADDONS_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [task.result() for task in asking if task not in late]


async def _look(client: RegistryClient, settings: Settings, name: str) -> Looked:
    try:
        repository = AddonRepository.parse(name, prefix=settings.repository_prefix)
        tags = await client.tags(repository.name)
        choice = choose_tag(tags, policy=settings.tag_policy, version_range=settings.semver_range)
    except (InvalidNameError, NotInRegistry, RegistryError) as error:
        return Looked(repository=name, error=str(error))
    return Looked(repository=name, tag=choice.tag, rule=choice.rule, certain=choice.certain)
