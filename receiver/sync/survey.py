"""A look at every addon of the registry: which changed, which did not. A poll does this; it installs nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from receiver.addon import AddonRepository
from receiver.document import Mutable
from receiver.errors import InvalidNameError, NotInRegistry, ReceiverError, RegistryError, Unavailable
from receiver.sync.outcome import Surveyed
from receiver.sync.ports import Clock, Registry
from receiver.sync.status import DesiredFacts
from receiver.sync.syncer import Syncer

_log = logging.getLogger(__name__)


async def _nothing() -> Collection[str]:
    return ()


_SIDE_BY_SIDE = 8
"""Looks at once: each is two small requests on kept-alive connections."""


class _Tally(Mutable):
    changed: list[str]
    drifted: list[str]
    unchanged: int
    held: list[str]
    fresh: list[str]
    absent: list[str]


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
        known: Callable[[], Awaitable[Collection[str]]] = _nothing,
        repair_drift: bool = False,
    ) -> None:
        self._registry = registry
        self._syncer = syncer
        self._prefix = prefix
        self._configured = configured
        self._clock = clock
        self._known = known
        self._repair_drift = repair_drift
        self._warned: set[str] = set()

    async def discover(self) -> list[AddonRepository]:
        """Every addon repository: those of the registry's catalogue below the prefix, and the configured ones.

        Where the registry has no catalogue, every repository that was ever named takes its place.

        Raises:
            RegistryError: the catalogue cannot be read, and there is nothing in its place.
        """
        names = set(self._configured)
        try:
            names |= {name for name in await self._registry.repositories() if name.startswith(self._prefix)}
        except Unavailable:
            raise  # away, and not without a catalogue: what is known would be asked for in vain
        except RegistryError as error:
            names |= {name for name in await self._known() if name.startswith(self._prefix)}
            if not names:
                raise
            self._say_once(
                "the registry's catalogue cannot be read (%s): the %d repositories that are configured or were ever "
                "announced are polled",
                error,
                len(names),
            )
        return self._parsed(names)

    async def run(self, *, fresh: Collection[str] = ()) -> Surveyed:
        """Compare everything once, also what is installed and not listed any more.

        The registry is not asked again for those in ``fresh``; whether they are still there is looked at all the same.

        Raises:
            RegistryError: the repositories cannot be listed.
        """
        started = self._clock()
        listed = {repository.name: repository for repository in await self.discover()}
        # A listing that has shrunk is not believed: what is installed from a repository that is gone stays.
        installed = self._parsed(await self._syncer.installed_from(self._prefix))
        listed |= {repository.name: repository for repository in installed}
        tally = _Tally(changed=[], drifted=[], unchanged=0, held=[], fresh=[], absent=[])
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as group:
            for name, repository in sorted(listed.items()):
                group.create_task(self._compare(repository, tally, gate, ask=name not in fresh))
        return Surveyed(
            started=started,
            duration=self._clock() - started,
            changed=tuple(sorted(tally.changed)),
            drifted=tuple(sorted(tally.drifted)),
            unchanged=tally.unchanged,
            held=tuple(sorted(tally.held)),
            fresh=tuple(sorted(tally.fresh)),
            absent=tuple(sorted(tally.absent)),
        )

    async def desired(self, names: Collection[str]) -> dict[str, DesiredFacts]:
        """What the registry wants of each repository; where it cannot be told, why."""
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def ask(name: str) -> DesiredFacts:
            async with gate:
                try:
                    desired = await self._syncer.look(AddonRepository.parse(name, prefix=self._prefix))
                except ReceiverError as error:
                    return DesiredFacts(error=str(error), error_kind=type(error).__name__)
                return DesiredFacts(tag=desired.choice.tag, digest=str(desired.digest))

        facts = await asyncio.gather(*(ask(name) for name in names))
        return dict(zip(names, facts, strict=True))

    async def _compare(self, repository: AddonRepository, tally: _Tally, gate: asyncio.Semaphore, *, ask: bool) -> None:
        async with gate:
            try:
                current = await self._is_current(repository, tally, ask=ask)
                drifted = current and self._repair_drift and await self._syncer.has_drifted(repository)
            except NotInRegistry as error:
                # Registries go on listing a repository whose last tag was deleted; what is installed stays.
                _log.debug("%s: %s", repository, error)
                tally.unchanged += 1
                tally.absent.append(repository.name)
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

    async def _is_current(self, repository: AddonRepository, tally: _Tally, *, ask: bool) -> bool:
        record = await self._syncer.record(repository)
        is_held = record is not None and record.hold is not None
        if ask and not is_held:
            return await self._syncer.is_current(await self._syncer.look(repository))
        # What the registry has does not matter, or is known: only that what is installed is there.
        (tally.held if is_held else tally.fresh).append(repository.name)
        return record is None or await self._syncer.is_present(record)

    def _parsed(self, names: Collection[str]) -> list[AddonRepository]:
        return [repository for name in sorted(names) if (repository := self._parse(name)) is not None]

    def _say_once(self, text: str, error: RegistryError, count: int) -> None:
        if text not in self._warned:
            self._warned.add(text)
            _log.warning(text, error, count)

    def _parse(self, name: str) -> AddonRepository | None:
        try:
            return AddonRepository.parse(name, prefix=self._prefix)
        except InvalidNameError as error:
            if name not in self._warned:
                self._warned.add(name)
                _log.warning("the repository cannot hold an addon and is left out: %s", error)
            return None
