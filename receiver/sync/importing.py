"""Installs addons from an archive on this host: the offline way, through the same gate and the same transaction.

It needs no registry, and whoever asks waits for it. A person names the file, so what is installed already is installed
again; a person's hold is still respected, and a lower version than the installed one needs a word for it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal

from receiver.addon import AddonRepository, TagChoice
from receiver.catalog.names import tellable
from receiver.catalog.record import Hold
from receiver.document import Value
from receiver.errors import (
    AddonHeld,
    DowngradeDoubted,
    InvalidNameError,
    NotInstalled,
    ReceiverError,
    UnsupportedContent,
)
from receiver.sync.downgrade import is_downgrade
from receiver.sync.ports import ArtifactFile, Clock, Offer, Registry
from receiver.sync.request import ImportRequest
from receiver.sync.syncer import Desired, Installed, Syncer


class Imported(Value, frozen=True):
    """What became of one addon of an archive."""

    repository: str
    addon: str
    """In words: ``monitoring``, ``ingress nginx``."""
    status: Literal["installed", "held", "failed"]
    digest: str
    tag: str | None = None
    version: str | None = None
    files: int = 0
    kept: tuple[str, ...] = ()
    """Files of the operator that were replaced; they are in ``backups``."""
    left_out: tuple[str, ...] = ()
    """What the archive has besides, for the product's own importer."""
    error: str | None = None


class Importing:
    """Carries out imports."""

    def __init__(
        self,
        *,
        open_file: Callable[[Path], ArtifactFile],
        syncer_of: Callable[[Registry], Syncer],
        prefix: str,
        clock: Clock,
    ) -> None:
        self._open_file = open_file
        self._syncer_of = syncer_of
        self._prefix = prefix
        self._clock = clock

    async def execute(
        self, request: ImportRequest, *, carried_out: Callable[[Coroutine[Any, Any, Imported]], Awaitable[Imported]]
    ) -> AsyncGenerator[Imported, None]:
        """Install what ``request`` names, one by one; one that fails does not keep the others.

        Each is done by ``carried_out``.

        Raises:
            InvalidNameError: the path is not absolute.
            ReceiverError: the file is not what it should be, or does not hold what was asked for; nothing changed.
        """
        path = Path(request.path)
        if not path.is_absolute():
            raise InvalidNameError(f"{request.path[:200]!r} is not an absolute path")
        file = await asyncio.to_thread(self._open_file, path)
        syncer = self._syncer_of(file)
        for offer in _chosen(file.offers(), request.addons, path):
            yield await carried_out(self._one(syncer, offer, request))

    async def _one(self, syncer: Syncer, offer: Offer, request: ImportRequest) -> Imported:
        repository = AddonRepository.parse(f"{self._prefix}{offer.unit.leaf}", prefix=self._prefix)
        try:
            installed = await self._install(syncer, repository, offer, request)
        except ReceiverError as error:
            return Imported(
                repository=repository.name,
                addon=str(offer.unit),
                status="held" if isinstance(error, AddonHeld) else "failed",
                digest=str(offer.digest),
                tag=offer.tag,
                version=offer.version,
                error=str(error),
            )
        return Imported(
            repository=repository.name,
            addon=str(offer.unit),
            status="installed",
            digest=str(offer.digest),
            tag=offer.tag,
            version=installed.version,
            files=installed.installation.files,
            kept=installed.installation.kept,
            left_out=offer.left_out,
        )

    async def _install(
        self, syncer: Syncer, repository: AddonRepository, offer: Offer, request: ImportRequest
    ) -> Installed:
        record = await syncer.record(repository)
        if not request.allow_downgrade and is_downgrade(record, offer.version):
            version = record.installed.version if record is not None and record.installed is not None else None
            # A registry is believed when it wants the same a minute later; a file would always want the same.
            raise DowngradeDoubted(
                f"the file has {offer.version}, which is lower than the installed {version}: "
                "--allow-downgrade if that is meant"
            )
        choice = TagChoice(tag=offer.tag or str(offer.digest), rule="the file has it")
        reason = f"imported from {tellable(Path(request.path).name)}"
        hold = Hold(since=self._clock(), reason=reason) if request.hold else None
        desired = Desired(repository=repository, choice=choice, digest=offer.digest)
        return await syncer.install(desired, downgrade=True, hold=hold)


def _chosen(offers: Sequence[Offer], addons: Sequence[str], path: Path) -> list[Offer]:
    """What is named, or all: an addon, ``addon implementation``, ``addon/implementation`` or ``addon-implementation``.

    Raises:
        NotInstalled: one is not in the file.
        UnsupportedContent: the file has two releases of one.
    """
    found: dict[str, Offer] = {}
    for word in addons or sorted({offer.unit.leaf for offer in offers}):
        meant = [offer for offer in offers if _is_meant(offer, word)]
        if not meant:
            there = ", ".join(str(offer.unit) for offer in offers)
            raise NotInstalled(f"{word[:80]!r} is not in {path}; it holds {there}")
        for offer in meant:
            if found.setdefault(offer.unit.leaf, offer) != offer:
                raise UnsupportedContent(
                    f"{path} holds two releases of {offer.unit}: it cannot be told which one is meant"
                )
    return [offer for offer in offers if found.get(offer.unit.leaf) == offer]


def _is_meant(offer: Offer, word: str) -> bool:
    unit = offer.unit
    return word in {unit.addon, unit.leaf, f"{unit.addon} {unit.implementation}", f"{unit.addon}/{unit.implementation}"}
