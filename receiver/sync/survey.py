"""A look at every addon of the registry: which changed, which did not. A poll does this; it installs nothing."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from receiver.addon import AddonRepository
from receiver.errors import InvalidNameError, NotInRegistry, ReceiverError
from receiver.sync.outcome import Surveyed
from receiver.sync.ports import Clock, Registry
from receiver.sync.status import DesiredFacts
from receiver.sync.syncer import Syncer

_log = logging.getLogger(__name__)

_SIDE_BY_SIDE = 8
"""Looks at once: each is two small requests on kept-alive connections."""


@dataclass(slots=True)
class _Tally:
    changed: list[str]
    drifted: list[str]
    unchanged: int


class Survey:
    """Finds the addon repositories of the registry and compares each with the catalogue."""

    def __init__(
        self,
        *,
        registry: Registry,
        syncer: Syncer,
        prefix: str,
        configured: Collection[str],
        clock: Clock,
        repair_drift: bool = False,
    ) -> None:
        self._registry = registry
        self._syncer = syncer
        self._prefix = prefix
        self._configured = configured
        self._clock = clock
        self._repair_drift = repair_drift
        self._warned: set[str] = set()

    async def discover(self) -> list[AddonRepository]:
        """Every addon repository: those of the registry's catalogue below the prefix, and the configured ones.

        Raises:
            RegistryError: the catalogue cannot be read, and no repository is configured.
        """
        names = set(self._configured)
        try:
            names |= {name for name in await self._registry.repositories() if name.startswith(self._prefix)}
        except ReceiverError as error:
            if not self._configured:
                raise
            _log.debug(
                "the registry's catalogue cannot be read (%s): only the configured repositories are polled", error
            )
        return [repository for name in sorted(names) if (repository := self._parse(name)) is not None]

    async def run(self) -> Surveyed:
        """Compare everything once.

        Raises:
            RegistryError: the repositories cannot be listed.
        """
        started = self._clock()
        repositories = await self.discover()
        tally = _Tally(changed=[], drifted=[], unchanged=0)
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as group:
            for repository in repositories:
                group.create_task(self._compare(repository, tally, gate))
        return Surveyed(
            started=started,
            duration=self._clock() - started,
            changed=tuple(sorted(tally.changed)),
            drifted=tuple(sorted(tally.drifted)),
            unchanged=tally.unchanged,
        )

    async def desired(self, names: Collection[str]) -> dict[str, DesiredFacts]:
        """What the registry wants of each repository; where it cannot be told, why."""
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def ask(name: str) -> DesiredFacts:
            async with gate:
                try:
                    desired = await self._syncer.look(AddonRepository.parse(name, prefix=self._prefix))
                except ReceiverError as error:
                    return DesiredFacts(error=str(error))
                return DesiredFacts(tag=desired.choice.tag, digest=str(desired.digest))

        facts = await asyncio.gather(*(ask(name) for name in names))
        return dict(zip(names, facts, strict=True))

    async def _compare(self, repository: AddonRepository, tally: _Tally, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                current = await self._is_current(repository)
                drifted = current and self._repair_drift and await self._syncer.has_drifted(repository)
            except NotInRegistry as error:
                # Registries go on listing a repository whose last tag was deleted; what is installed stays.
                _log.debug("%s: %s", repository, error)
                tally.unchanged += 1
            except ReceiverError as error:
                # Its own task will try again, with its own delays, and show in the status.
                _log.debug("%s cannot be compared: %s", repository, error)
                tally.changed.append(repository.name)
            else:
                if current and not drifted:
                    tally.unchanged += 1
                    return
                tally.changed.append(repository.name)
                if drifted:
                    tally.drifted.append(repository.name)

    async def _is_current(self, repository: AddonRepository) -> bool:
        record = await self._syncer.record(repository)
        if record is not None and record.hold is not None:
            # What the registry has does not matter: only that what is held is there.
            return await self._syncer.is_present(record)
        return await self._syncer.is_current(await self._syncer.look(repository))

    def _parse(self, name: str) -> AddonRepository | None:
        try:
            return AddonRepository.parse(name, prefix=self._prefix)
        except InvalidNameError as error:
            if name not in self._warned:
                self._warned.add(name)
                _log.warning("the repository cannot hold an addon and is left out: %s", error)
            return None
