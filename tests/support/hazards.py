"""The hazard cases: what somebody pushes, and what must become of it. One table for the tests and for the document.

A case is pushed as the next release of an addon that is installed, and synced through everything that a sync passes:
planning, blob store, strict reader, gates, transaction. Only the registry is a dictionary.
"""

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from receiver.addon import AddonRepository, TagChoice
from receiver.blobs import BlobStore
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.store import CatalogStore
from receiver.errors import ReceiverError, UnsafeArchive
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.sync.plan import NAME
from receiver.sync.retry import Park, after_failure
from receiver.sync.syncer import Desired, Syncer, SyncPolicy
from tests.support.addons import manifest_yaml, write_tree
from tests.support.releases import leftovers, snapshot
from tests.support.sync_fakes import FakeRegistry, Recorded, once
from tests.support.tarwriter import archive, entry, gzipped

Verdict = Literal["refused", "accepted", "normalised"]
Push = Callable[[FakeRegistry], Digest]
ADDON = "monitoring"
MANIFEST = manifest_yaml(ADDON, ADDON)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing that somebody pushes; ``id`` is that of the project's hazard list, and several cases may share it."""

    id: str
    title: str
    push: Push
    verdict: Verdict = "refused"
    error: type[ReceiverError] = UnsafeArchive
    says: str = ""
    """What the error must name: the entry, with control characters escaped."""
    tree: Mapping[str, bytes] = field(default_factory=dict)
    """Accepted: the files of the addon's folder afterwards, beside ``addon.manifest.yaml``."""
    local: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the operator has put into the addon's folder before."""
    retried: bool = False
    """Refused, but repetition may cure it (the registry or a cache on the way gave other bytes)."""

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A case that tests of its own show; ``tests`` as ``path::function``, which must exist."""

    id: str
    title: str
    verdict: Verdict = "refused"
    tests: tuple[str, ...]


def scripts(*parts: bytes) -> Push:
    """An artifact whose scripts layer holds the archive members ``parts``."""
    return scripts_layer(gzipped(archive(*parts)))


def scripts_layer(content: bytes) -> Push:
    """An artifact whose scripts layer is ``content``, byte for byte."""
    return layers((media.SCRIPTS, content))


def layers(*others: tuple[str, bytes], manifest: bytes | None = MANIFEST, name: str = ADDON) -> Push:
    """An artifact with a good config layer (unless ``manifest`` is None) and ``others``: media type and bytes."""

    def push(registry: FakeRegistry) -> Digest:
        packed = [] if manifest is None else [(media.CONFIG_FILES, config_layer(manifest))]
        described = [registry.layer(content, kind) for kind, content in (*packed, *others)]
        return registry.manifest_of({NAME: name}, *described)

    return push


def config_layer(manifest: bytes = MANIFEST) -> bytes:
    """A config layer that holds ``addon.manifest.yaml``."""
    return gzipped(archive(entry("addon.manifest.yaml", manifest)))


class Host:
    """A host with one addon installed, and around it what nobody may touch."""

    def __init__(self, outer: Path, *, limits: ArchiveLimits | None = None) -> None:
        self.outer = outer
        self.root = outer / "k"
        self.root.mkdir()
        (outer / "evil").write_bytes(b"untouched\n")
        (outer / "etc").mkdir()
        (outer / "etc/passwd").write_bytes(b"root\n")
        (self.root / "addons/common").mkdir(parents=True)
        (self.root / "addons/common/shared.ps1").write_bytes(b"shared\n")
        state = self.root / ".addon-sync"
        state.mkdir()
        self.store = CatalogStore(catalogue=self.root / "addons", state=state, limits=limits or ArchiveLimits())
        self.store.prepare()
        self.blobs = BlobStore(state / "blobs")
        self.blobs.prepare()
        self.registry = FakeRegistry()
        self._syncer = Syncer(
            registry=self.registry,
            blobs=self.blobs,
            catalogue=self.store,
            retry=once,
            progress=Recorded(),
            policy=SyncPolicy(),
            clock=time.time,
        )

    async def install_good(self) -> None:
        """The release that is there before."""
        await self.sync(scripts(entry("Enable.ps1", b"Write-Output 'good'\n"))(self.registry))

    async def sync(self, digest: Digest, leaf: str = ADDON) -> None:
        """Install ``digest`` from ``addons/<leaf>``."""
        desired = Desired(
            repository=AddonRepository.parse(f"addons/{leaf}", prefix="addons/"),
            choice=TagChoice(tag="v2.0.0", rule="for tests"),
            digest=digest,
        )
        await self._syncer.install(desired)

    def everything(self) -> dict[str, bytes | None]:
        """All that must not change by a refusal: the catalogue, the records, what lies around. Not the blobs."""
        inside = (".addon-sync/blobs", ".addon-sync/transactions")
        return {path: content for path, content in snapshot(self.outer).items() if not path.startswith(_below(inside))}

    def files(self, addon: str = ADDON) -> dict[str, bytes]:
        """The files in the addon's folder beside its manifest."""
        found = snapshot(self.root / "addons" / addon)
        return {path: content for path, content in found.items() if content is not None and path != _MANIFEST}


_MANIFEST = "addon.manifest.yaml"
_HOUR = 3600.0
_ATTRIBUTES = {"user.evil", "security.capability", "system.posix_acl_access", "system.posix_acl_default"}


def _below(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"k/{folder}" for folder in folders)


async def judge(case: Case, host: Host) -> None:
    """Push ``case``, sync it, and compare what became of it with what must.

    Raises:
        AssertionError: it is something else.
    """
    write_tree(host.root / "addons" / ADDON, case.local)
    before = host.everything()
    error = await _error_of(case, host)
    assert not leftovers(host.root), "something is left in the state folder"
    if case.verdict == "refused":
        assert error is not None, "it was installed"
        assert type(error) is case.error, f"{type(error).__name__}: {error}"
        assert case.says in str(error), str(error)
        assert str(error).isprintable(), repr(str(error))
        assert host.everything() == before, "a refusal changed something"
        assert isinstance(after_failure(error, 1, alike=1, jitter=0.5), Park) != case.retried
        return
    assert error is None, f"{type(error).__name__}: {error}"
    assert host.files() == dict(case.tree)
    assert _around(host.everything()) == _around(before), "something changed outside the addon"
    _check_attributes(host.root / "addons" / ADDON, except_for=case.local)


def _around(everything: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """What an installation of the addon leaves alone."""
    its_own = (f"k/addons/{ADDON}/", "k/addons/.addon-sync-digests/", "k/.addon-sync/")
    return {path: content for path, content in everything.items() if not f"{path}/".startswith(its_own)}


async def _error_of(case: Case, host: Host) -> ReceiverError | None:
    """The typed error; anything else fails the test where it was raised."""
    try:
        await host.sync(case.push(host.registry))
    except ReceiverError as error:
        return error
    return None


def _check_attributes(folder: Path, *, except_for: Collection[str]) -> None:
    """Nothing that an archive says of modes, owners, times or attributes is applied (hazards C7 to C13)."""
    for path in {folder, *folder.rglob("*")} - {folder / local for local in except_for}:
        status = path.lstat()
        assert abs(status.st_mtime - time.time()) < _HOUR, f"{path} has a time from the archive"
        if sys.platform != "win32":
            assert status.st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644), path
            assert status.st_uid == os.geteuid(), f"{path} has another owner"
        if sys.platform == "linux":
            assert not _ATTRIBUTES & set(os.listxattr(path)), f"{path} has attributes from the archive"
