"""Packs addons of the catalogue into one archive: what was chosen, in parallel, and nothing half-written."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from receiver.catalog.sources import DEFAULT_VERSION, Source
from receiver.errors import ConfigError, InstallError
from receiver.oci import media
from receiver.packaging.artifact import Artifact, Layer, build, pack_layer
from receiver.packaging.gitops import FOLDER, gitops_sync
from receiver.packaging.layout import write_archive

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")
_MAX_NAMES = 120
"""Characters of the addons' names in the name of the file; systems end at 255 for all of it."""
_EPOCH = re.compile(r"[0-9]{1,11}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Ready files that become layers 4 to 6."""

    images: tuple[Path, ...] = ()
    images_windows: tuple[Path, ...] = ()
    packages: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.images or self.images_windows or self.packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The archive and what is in it."""

    path: Path
    size: int
    replaced: bool
    """There was one of that name before."""
    artifacts: tuple[tuple[Source, Artifact], ...]


def export(
    sources: Sequence[Source],
    folder: Path,
    *,
    names: str,
    version: str | None,
    k2s_version: str,
    created: datetime,
    extras: Extras,
    done: Callable[[Source], None] = lambda _: None,
) -> Exported:
    """Write ``K2s-<k2s_version>-addons-<names>.oci.tar`` into ``folder``, which is made where it is missing.

    Args:
        sources: What to pack.
        folder: Where; also for what is written on the way there.
        names: Of the addons, for the name of the file.
        version: Of the addons; None for what their manifests say.
        k2s_version: Of the product.
        created: The time of the export; the same time and sources give the same bytes.
        extras: Layers besides, for the one source that there is then.
        done: Told of each source that was packed.

    Raises:
        InvalidNameError, CatalogError: a source cannot be packed; no archive is left, and a former one still is there.
    """
    path = folder / f"K2s-{k2s_version}-addons-{names}.oci.tar"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".addon-sync-export-", dir=folder)
    except OSError as error:
        raise InstallError(f"{folder} cannot be written to: {error.strerror}") from error

    def packed(number: int, source: Source) -> Artifact:
        own = Path(scratch.name, str(number))
        own.mkdir()
        artifact = build(
            source.folder,
            name=source.unit.addon,
            implementation=source.unit.implementation,
            version=tag_of(version or source.version or DEFAULT_VERSION),
            created=created,
            scratch=own,
            description=source.description,
            k2s_version=k2s_version,
            manifest=source.manifest,
            folders={FOLDER: gitops_sync(source.unit.leaf, created=created)},
            extra_layers=_layers(extras, own),
        )
        done(source)
        return artifact

    with scratch, ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 4)) as pool:
        artifacts = list(pool.map(packed, range(len(sources)), sources))
        replaced = path.exists()
        size = write_archive(artifacts, path, mtime=int(created.timestamp()))
    return Exported(path=path, size=size, replaced=replaced, artifacts=tuple(zip(sources, artifacts, strict=True)))


def tag_of(version: str) -> str:
    """``v1.0.0`` for ``1.0.0``; other words, such as ``v2`` and ``nightly``, stay as they are."""
    return f"v{version}" if version[:1].isdigit() else version


def names_of(sources: Sequence[Source], *, everything: bool) -> str:
    """The part of the file's name that tells the addons."""
    if everything:
        return "all"
    names = "-".join(source.unit.leaf for source in sources)
    if len(names) <= _MAX_NAMES:
        return names
    return f"{sources[0].unit.leaf}-and-{len(sources) - 1}-more"


def product_version(install_dir: Path) -> str | None:
    """What the product's file ``VERSION`` says; None where there is none.

    Raises:
        ConfigError: it cannot be read, or is no version.
    """
    path = install_dir / "VERSION"
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): give --k2s-version") from error
    return judged_version(text, where=str(path))


def judged_version(text: str, *, where: str) -> str:
    """A version that may stand in the name of a file.

    Raises:
        ConfigError: it is none; the text names ``where``.
    """
    if _VERSION.match(text) is None:
        raise ConfigError(f"{where}: {text[:80]!r} is no version such as 1.4.0")
    return text


def export_time(epoch: str | None) -> datetime:
    """The time of the export: ``SOURCE_DATE_EPOCH`` (reproducible-builds.org) where it is set, else now.

    Raises:
        ConfigError: it is no number of seconds.
    """
    if not epoch:
        return datetime.now(UTC)
    if _EPOCH.match(epoch) is None:
        raise ConfigError(f"SOURCE_DATE_EPOCH is {epoch[:40]!r}, expected seconds since 1970")
    return datetime.fromtimestamp(int(epoch), UTC)


def _layers(extras: Extras, scratch: Path) -> list[Layer]:
    layers = []
    for media_type, files in (
        (media.IMAGES_LINUX, extras.images),
        (media.IMAGES_WINDOWS, extras.images_windows),
    ):
        if files:
            members = sorted((file.name, file) for file in files)
            layers.append(pack_layer(members, media_type, scratch=scratch, compress=False))
    if extras.packages is not None:
        layers.append(pack_layer(_packages(extras.packages), media.PACKAGES, scratch=scratch))
    return layers


def _packages(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below ``folder``; no rule for names, since Debian's have colons as ``%3a``."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InstallError(f"{path} is neither a file nor a folder: packages hold nothing else")
        yield path.relative_to(folder).as_posix(), path
