"""Which blobs are kept: those of kept releases and of what is being installed. The others go, soon after."""

import asyncio
import logging

from receiver.catalog.record import AddonRecord
from receiver.document import replaced
from receiver.errors import ReceiverError
from receiver.oci.descriptor import Descriptor
from receiver.sync.ports import Blobs, Catalogue

_log = logging.getLogger(__name__)

_PAUSE = 2.0
"""Seconds after a change: installations of a moment are tidied after together."""
_REF_NAME = "org.opencontainers.image.ref.name"


class Retention:
    """Collects blobs, and says in ``index.json`` which releases the folder holds."""

    def __init__(self, *, blobs: Blobs, catalogue: Catalogue) -> None:
        self._blobs = blobs
        self._catalogue = catalogue
        self._due = asyncio.Event()

    def mark(self) -> None:
        """A release came or went."""
        self._due.set()

    async def run(self) -> None:
        """Tidy after changes, until cancelled."""
        while True:
            await self._due.wait()
            await asyncio.sleep(_PAUSE)
            await self.settle()

    async def settle(self) -> None:
        """Tidy, if something changed since the last time. What cannot be removed now is tried with the next change."""
        if not self._due.is_set():
            return
        self._due.clear()
        try:
            count = await asyncio.to_thread(self._tidy)
        except ReceiverError as error:
            _log.warning("unused blobs could not be removed: %s", error)
        else:
            _log.debug("%d unused blobs removed", count)

    def _tidy(self) -> int:
        count = self._blobs.collect(lambda: {blob.digest for record in self._records() for blob in _blobs(record)})
        self._blobs.write_index([entry for record in self._records() for entry in _entries(record)])
        return count

    def _records(self) -> list[AddonRecord]:
        return list(self._catalogue.records())


def _blobs(record: AddonRecord) -> list[Descriptor]:
    return [blob.descriptor() for release in record.kept for blob in release.artifact]


def _entries(record: AddonRecord) -> list[Descriptor]:
    return [
        replaced(release.artifact[0].descriptor(), annotations={_REF_NAME: f"{record.repository}:{release.tag}"})
        for release in record.kept
        if release.artifact
    ]
