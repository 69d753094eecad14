"""What an operator does with an addon that is there: roll back, hold, release, uninstall, verify; and imports.

None of it goes through the queue: it needs no registry, and whoever asks waits for it. What has begun goes on where
they no longer wait, and is told like any other.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeVar

from receiver.addon import AddonRepository
from receiver.catalog.record import AddonRecord, Hold, KeptRelease
from receiver.catalog.release import Drift
from receiver.document import Value, replaced
from receiver.errors import InvalidNameError, NotInstalled, ReceiverError
from receiver.sync.importing import Imported, Importing
from receiver.sync.ports import Catalogue, Clock
from receiver.sync.request import (
    BY_HAND,
    HoldRequest,
    ImportRequest,
    OperatorRequest,
    ReleaseRequest,
    RollbackRequest,
    UninstallRequest,
    VerifyRequest,
)
from receiver.sync.syncer import Syncer
from receiver.sync.uninterrupted import uninterrupted
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import Trigger

R = TypeVar("R", "Changed", "Verified", Imported)

_LEAST_DIGITS = 6
"""Of a digest, for it to be taken for one."""


class Changed(Value, frozen=True):
    """What became of an addon at an operator's word."""

    repository: str
    action: Literal["rolled back", "held", "released", "not held", "uninstalled", "discarded"]
    tag: str | None = None
    version: str | None = None
    digest: str | None = None
    files: int = 0
    kept: tuple[str, ...] = ()
    """Files of the operator that were replaced or removed; they are in ``backups``."""
    note: str = ""
    """What to know, or to do next."""
    warning: str = ""
    """What may not have been meant, or was not done."""


class Verified(Value, frozen=True):
    """What of an addon is not as it was installed."""

    repository: str
    drift: tuple[Drift, ...] = ()
    repaired: bool = False
    kept: tuple[str, ...] = ()
    """Changed files that the repair replaced; they are in ``backups``."""
    error: str | None = None
    """Why it could not be verified, or not repaired."""


class Operations:
    """Carries out requests of operators, one by one and at once."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        syncer: Syncer,
        queue: TaskQueue,
        importing: Importing,
        prefix: str,
        clock: Clock,
        serves: bool = False,
    ) -> None:
        """``serves``: tasks of the queue are carried out as they come."""
        self._serves = serves
        self._catalogue = catalogue
        self._importing = importing
        self._syncer = syncer
        self._queue = queue
        self._prefix = prefix
        self._clock = clock
        self._listeners: list[Callable[[Changed | Verified | Imported], None]] = []
        self._running: set[asyncio.Task[Any]] = set()
        self._verbs: dict[type[OperatorRequest], Callable[[Any], Coroutine[Any, Any, Changed]]] = {
            RollbackRequest: self._rollback,
            HoldRequest: lambda request: uninterrupted(self._hold(request)),
            ReleaseRequest: lambda request: uninterrupted(self._release(request)),
            UninstallRequest: lambda request: uninterrupted(self._uninstall(request)),
        }

    def subscribe(self, listener: Callable[[Changed | Verified | Imported], None]) -> None:
        """Tell ``listener`` what becomes of every request from now on."""
        self._listeners.append(listener)

    async def execute(self, request: OperatorRequest) -> AsyncGenerator[Changed | Verified | Imported, None]:
        """Carry out ``request``.

        Raises:
            InvalidNameError: an addon has no possible name.
            ReceiverError: it cannot be done; nothing changed.
        """
        if isinstance(request, ImportRequest):
            async with aclosing(self._importing.execute(request, carried_out=self.carried_out)) as imports:
                async for imported in imports:
                    yield imported
            return
        if not isinstance(request, VerifyRequest):
            yield await self.carried_out(self._verbs[type(request)](request))
            return
        repositories = [self._repository(addon) for addon in request.addons] or await self._all_installed()
        for repository in repositories:
            yield await self.carried_out(self._verify(repository, repair=request.repair))

    async def settle(self) -> None:
        """What has begun has ended, whoever asked for it."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Interrupt what has begun, where that is possible; what could not be interrupted is told."""
        for task in self._running:
            task.cancel()
        await self.settle()

    async def carried_out(self, work: Coroutine[Any, Any, R]) -> R:
        """Carry out ``work`` and tell of it, also where nobody waits for it any longer."""

        async def told() -> R:
            report = await work
            nothing_done = getattr(report, "action", None) == "not held"
            return report if nothing_done else self._tell(report)

        task = asyncio.create_task(told(), name="operation")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def _tell(self, report: R) -> R:
        """Tell the listeners of ``report``, and give it back."""
        for listener in self._listeners:
            listener(report)
        return report

    async def _rollback(self, request: RollbackRequest) -> Changed:
        repository = self._repository(request.addon)
        record = await self._record(repository)
        target = _chosen(record, request.to)
        before = record.installed.tag if record.installed is not None else "nothing"
        hold = Hold(since=self._clock(), reason=f"rolled back from {before} to {target.tag}")
        restored = await self._syncer.restore(repository, target, hold=hold)
        return Changed(
            repository=repository.name,
            action="rolled back",
            tag=target.tag,
            version=target.version,
            digest=target.digest,
            files=restored.installation.files,
            kept=restored.installation.kept,
            note=f"held until 'addon-sync release {repository.leaf}'",
        )

    async def _hold(self, request: HoldRequest) -> Changed:
        repository = self._repository(request.addon)
        record = await self._syncer.record(repository)
        if record is not None and record.hold is not None:
            note = f"was held already ({record.hold.reason})"
            warning = _not_recorded(request.reason, record.hold, repository.leaf)
            return self._as_it_is(repository, record, "held", note=note, warning=warning)
        hold = Hold(since=self._clock(), reason=request.reason)
        await asyncio.to_thread(self._catalogue.hold, str(repository.name), str(repository.leaf), hold)
        note = f"stays as it is until 'addon-sync release {repository.leaf}'"
        if record is None or record.installed is None:
            note = f"nothing is installed from it, and nothing will be until 'addon-sync release {repository.leaf}'"
        warning = ""
        if record is None and not await self._is_known(repository):
            known = ", ".join([one.leaf for one in await self._records() if one.installed is not None])
            warning = f"nothing of that name is installed or known; installed are: {known or 'none'}"
        return self._as_it_is(repository, record, "held", note=note, warning=warning)

    async def _release(self, request: ReleaseRequest) -> Changed:
        repository = self._repository(request.addon)
        former = await asyncio.to_thread(self._catalogue.hold, str(repository.name), str(repository.leaf), None)
        record = await self._syncer.record(repository)
        if former is None:
            if record is None and not await self._is_known(repository):
                held = ", ".join([one.leaf for one in await self._records() if one.hold is not None])
                raise NotInstalled(f"{repository} is not known, and not held; held are: {held or 'none'}")
            return self._as_it_is(repository, record, "not held", note="nothing was done")
        await self._queue.enqueue([repository.name], trigger=Trigger.COMMAND, now=self._clock())
        note = "the registry is asked now"
        if not self._serves:
            note = "'addon-sync serve' does not run: the registry is asked when it does, or with the next sync or poll"
        return self._as_it_is(repository, record, "released", note=note)

    async def _uninstall(self, request: UninstallRequest) -> Changed:
        repository = self._repository(request.addon)
        hold = Hold(since=self._clock(), reason="uninstalled")
        removed = await asyncio.to_thread(self._catalogue.uninstall, str(repository.leaf), hold=hold)
        return Changed(
            repository=repository.name,
            action="uninstalled",
            kept=removed.kept,
            note=f"stays away until 'addon-sync release {repository.leaf}'; local files are where they were",
        )

    async def _verify(self, repository: AddonRepository, *, repair: bool) -> Verified:
        drift: Sequence[Drift] = ()
        try:
            drift = await asyncio.to_thread(self._catalogue.verify, str(repository.leaf))
            found = Verified(repository=repository.name, drift=tuple(drift))
            if not drift or not repair:
                return found
            restored = await self._syncer.bring_back(repository, await self._record(repository))
        except ReceiverError as error:
            return Verified(repository=repository.name, drift=tuple(drift), error=str(error))
        return replaced(found, repaired=True, kept=restored.installation.kept)

    def _as_it_is(
        self,
        repository: AddonRepository,
        record: AddonRecord | None,
        action: Literal["held", "released", "not held"],
        *,
        note: str,
        warning: str = "",
    ) -> Changed:
        installed = record.installed if record is not None else None
        return Changed(
            repository=repository.name,
            action=action,
            tag=installed.tag if installed else None,
            version=installed.version if installed else None,
            digest=installed.digest if installed else None,
            note=note,
            warning=warning,
        )

    async def _is_known(self, repository: AddonRepository) -> bool:
        """Whether anything ever named it."""
        return str(repository.name) in await self._queue.known_repositories()

    async def _records(self) -> list[AddonRecord]:
        return await asyncio.to_thread(lambda: list(self._catalogue.records()))

    async def _record(self, repository: AddonRepository) -> AddonRecord:
        record = await self._syncer.record(repository)
        if record is None:
            raise NotInstalled(f"nothing was ever installed from {repository}; 'addon-sync ls' tells what is there")
        return record

    async def _all_installed(self) -> list[AddonRepository]:
        found = []
        for record in await self._records():
            if record.installed is not None:
                try:
                    found.append(self._repository(record.repository))
                except InvalidNameError:
                    # Installed under another prefix: verified by its leaf all the same.
                    found.append(self._repository(record.leaf))
        return found

    def _repository(self, addon: str) -> AddonRepository:
        return AddonRepository.named(addon, prefix=self._prefix)


def _not_recorded(reason: str, hold: Hold, leaf: str) -> str:
    """A hold has one reason: the first one stays, and who gave another must know."""
    if reason in {hold.reason, BY_HAND}:
        return ""
    return (
        f"the reason {reason!r} was not recorded, and one release ends the hold for all: 'addon-sync release {leaf}', "
        "then hold it again, for another reason"
    )


def _chosen(record: AddonRecord, to: str | None) -> KeptRelease:
    """The kept release that is meant; without a word, the one that had arrived before the installed one.

    Where nothing is installed, that is the one that was uninstalled.

    Raises:
        NotInstalled: there is no such one, or several; the text lists what is kept.
    """
    kept = ", ".join(f"{release.tag} ({release.digest[:19]})" for release in record.kept) or "none"
    if to is not None:
        found = [release for release in record.kept if _is_meant(release, to)]
        if len(found) != 1:
            number = "no kept release is" if not found else "several kept releases are"
            raise NotInstalled(f"{number} {to!r}; kept releases of {record.repository}: {kept}")
        return found[0]
    digests = [release.digest for release in record.kept]
    if record.installed is None and record.removed in digests:
        return record.kept[digests.index(record.removed)]
    installed = record.installed.digest if record.installed is not None else None
    before = digests.index(installed) + 1 if installed in digests else 0
    if before >= len(digests):
        raise NotInstalled(
            f"no release of {record.repository} before the installed one is kept; kept releases: {kept}"
            + ("; give --to for one of them" if len(digests) > 1 else "")
        )
    return record.kept[before]


def _is_meant(release: KeptRelease, to: str) -> bool:
    hexadecimal = to.removeprefix("sha256:")
    if len(hexadecimal) >= _LEAST_DIGITS and release.digest.removeprefix("sha256:").startswith(hexadecimal):
        return True
    return to.removeprefix("v") in {release.tag.removeprefix("v"), (release.version or "").removeprefix("v")}
