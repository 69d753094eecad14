"""Pushes the addons of an archive, and says what became of each."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from receiver.cli.output import print_json
from receiver.cli.progress import progress
from receiver.config import Settings
from receiver.connect import document_limits, registry_client
from receiver.errors import ConfigError, ReceiverError, UnsupportedContent
from receiver.oci.reference import Repository, Tag
from receiver.packaging.archive import LayoutArchive
from receiver.packaging.artifact import Artifact
from receiver.packaging.deliveries import Delivery, artifact_of, deliveries
from receiver.packaging.layout import size_of
from receiver.packaging.push import Pushed, Pusher
from receiver.report import size
from receiver.sync.ports import Progress

_log = logging.getLogger(__name__)
LATEST = Tag("latest")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    """An artifact and where it goes."""

    repository: Repository
    tags: tuple[Tag, ...]
    artifact: Artifact

    @property
    def name(self) -> str:
        """What tells it from the others: a file may hold several releases of one addon."""
        return f"{self.repository}:{self.tags[0]}"


def run(
    settings: Settings,
    file: Path,
    *,
    tag: str | None,
    latest: bool,
    dry_run: bool,
    chunk_size: int,
    output: str,
) -> int:
    """Push ``file``; the exit code.

    Raises:
        ReceiverError: the file cannot be pushed as it is; nothing was sent.
    """
    archive = LayoutArchive.open(file, limits=document_limits(settings))
    parcels = _parcels(archive, deliveries(archive), settings.repository_prefix, tag=tag, latest=latest)
    with progress(doing="sending", done="sent") as shown:
        ends = asyncio.run(_pushed(settings, parcels, shown, dry_run=dry_run, chunk_size=chunk_size))
    failed = 0
    for parcel, end in zip(parcels, ends, strict=True):
        if isinstance(end, Pushed):
            _log.info("%s", _told(parcel, end, dry_run=dry_run), extra={"addon": parcel.repository})
        else:
            failed += 1
            _log.error("%s: %s", parcel.name, end, extra={"addon": parcel.repository})
    if failed and not dry_run:
        _log.info("push the file again: it goes on where it was")
    if output == "json":
        print_json([_row(parcel, end, dry_run=dry_run) for parcel, end in zip(parcels, ends, strict=True)])
    return 1 if failed else 0


def _parcels(
    archive: LayoutArchive, found: Sequence[Delivery], prefix: str, *, tag: str | None, latest: bool
) -> list[_Parcel]:
    chosen = None if tag is None else Tag.parse(tag)
    parcels = []
    for delivery in found:
        tags = delivery.tags if chosen is None else (chosen,)
        if not tags:
            raise ConfigError(f"{archive.path} has no tag for {delivery.unit}: give one by --tag")
        artifact = artifact_of(archive, delivery, tag=tags[0])
        tags = tuple(dict.fromkeys((*tags, LATEST) if latest else tags))
        parcels.append(_Parcel(repository=Repository.parse(f"{prefix}{delivery.leaf}"), tags=tags, artifact=artifact))
    count = Counter((parcel.repository, tag) for parcel in parcels for tag in parcel.tags)
    for (repository, name), number in count.items():
        if number > 1:
            raise UnsupportedContent(
                f"{archive.path} holds {number} artifacts for {repository}:{name}, and only one can have that tag: "
                "export them one by one"
            )
    return parcels


async def _pushed(
    settings: Settings, parcels: Sequence[_Parcel], shown: Progress, *, dry_run: bool, chunk_size: int
) -> list[Pushed | ReceiverError]:
    async with registry_client(settings) as client:
        pusher = Pusher(client.uploads(chunk_size=chunk_size), dry_run=dry_run)
        return await asyncio.gather(*(_one(pusher, parcel, shown) for parcel in parcels))


async def _one(pusher: Pusher, parcel: _Parcel, shown: Progress) -> Pushed | ReceiverError:
    """One artifact; another one may get through where it fails."""
    shown.started(parcel.name, sum(size_of(content) for content in parcel.artifact.blobs.values()))
    try:
        return await pusher.push(
            parcel.artifact, parcel.repository, parcel.tags, advanced=lambda count: shown.advanced(parcel.name, count)
        )
    except ReceiverError as error:
        return error
    finally:
        shown.finished(parcel.name)


def _told(parcel: _Parcel, pushed: Pushed, *, dry_run: bool) -> str:
    names = ", ".join(parcel.tags)
    mounted = f", {pushed.mounted} mounted" if pushed.mounted else ""
    return (
        f"{parcel.repository}:{names} {'would be' if dry_run else 'is'} {str(pushed.digest)[:19]}: "
        f"{pushed.uploaded} blobs {'to send' if dry_run else 'sent'} ({size(pushed.sent)}){mounted}, "
        f"{pushed.present} there"
    )


def _row(parcel: _Parcel, end: Pushed | ReceiverError, *, dry_run: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"repository": parcel.repository, "tags": list(parcel.tags), "dry_run": dry_run}
    if isinstance(end, Pushed):
        return {**row, **asdict(end), "digest": str(end.digest), "error": None}
    return {**row, "digest": str(parcel.artifact.digest), "error": str(end)}
