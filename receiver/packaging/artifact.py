"""An addon's folder as an OCI artifact, byte for byte the same for the same input. It speaks to no registry.

Which file belongs to which layer: ``docs/reference/artifacts.md``. Layers 1 and 2 hold paths relative to ``manifests/``
and ``manifests/chart/``, where they are unpacked; 0 and 3 relative to the implementation's folder.
The same zlib gives the same bytes; another one may compress differently: another digest with the same content.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, cast

from receiver.addon import AddonName
from receiver.catalog.names import EntryPath, NameLimits, shown
from receiver.document import encode
from receiver.errors import InstallError, InvalidManifest, UnsafeArchive
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.oci.reference import Tag

MANIFEST_NAME = "addon.manifest.yaml"
_CHUNK = 1024 * 1024
_LEVEL = 6
"""Of gzip, as its own program has it: 9 takes twice as long for a hundredth of the size."""

_Member = tuple[str, Path | bytes]
"""A path inside a layer, and the file or folder that stands for it, or its content."""
_Folders = Mapping[str, Mapping[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSlice:
    """A blob that lies inside a larger file; ``offset`` and ``size`` in bytes."""

    path: Path
    offset: int
    size: int


Content = bytes | Path | FileSlice
"""What a blob is: bytes, or where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A manifest or index, and every blob that it names. Files of blobs must outlive the artifact."""

    manifest: bytes
    media_type: str
    tag: Tag
    annotations: Mapping[str, str]
    blobs: Mapping[Digest, Content] = field(default_factory=dict)
    children: tuple["Artifact", ...] = ()
    """What an index joins."""

    @property
    def digest(self) -> Digest:
        """The digest under which a registry will know it."""
        return Digest.of(self.manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that is packed already, such as images, in a file of the caller."""

    media_type: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    media_type: str
    digest: Digest
    size: int
    content: bytes | Path

    @property
    def descriptor(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}


def build(
    folder: Path,
    *,
    name: str,
    implementation: str,
    version: str,
    created: datetime,
    scratch: Path,
    description: str = "",
    k2s_version: str = "",
    mtime: int = 0,
    manifest: bytes | None = None,
    folders: _Folders = MappingProxyType({}),
    extra_layers: Iterable[Layer] = (),
) -> Artifact:
    """Pack an implementation's folder, as the catalogue holds it.

    Args:
        folder: ``addons/<addon>``, or ``addons/<addon>/<implementation>`` for one of several.
        name: The addon.
        implementation: The same as ``name`` where the addon has one implementation only.
        version: The tag, ``v1.0.0``.
        created: When it was exported, with its time zone.
        scratch: A folder of the caller, for the packed layers; the artifact points into it.
        description: What the addon is, for people.
        k2s_version: The version of the product that exported it.
        mtime: Time of every entry, in seconds since the epoch; ``SOURCE_DATE_EPOCH`` where the caller has one.
        manifest: An ``addon.manifest.yaml`` to pack instead of the catalogue's.
        folders: Files by folder, which take the place of all that the addon has in that folder.
        extra_layers: Layers after the first four.

    Raises:
        InvalidNameError: ``name``, ``implementation`` or ``version`` cannot be what they should.
        InvalidManifest: there is no ``addon.manifest.yaml`` where the catalogue has it.
        UnsafeArchive: something in the folder is neither a file nor a folder, or has a name that no receiver takes.
        InstallError: a file cannot be read or written; ``scratch`` holds nothing of the layer that failed.
    """
    tag = Tag.parse(version)
    title = {
        # Plain text again: the encoder refuses subtypes.
        "name": str(AddonName.parse(name)),
        "implementation": str(AddonName.parse(implementation)),
        "version": str(tag),
        "description": description,
        "k2sVersion": k2s_version,
        "exportDate": created.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    config = _blob_of(encode(title), media.ADDON_CONFIG)
    sources = _layers(folder, manifest or _manifest_file(folder, named_alike=name == implementation), folders)
    layers = [_pack(members, media_type, scratch, mtime) for media_type, members in sources if members]
    layers += [_blob_at(layer.path, layer.media_type) for layer in extra_layers]
    annotations = _annotations(title)
    document = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": media.ADDON_ARTIFACT,
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
        "annotations": annotations,
    }
    return Artifact(
        manifest=encode(document),
        media_type=media.OCI_MANIFEST,
        tag=tag,
        annotations=annotations,
        blobs={blob.digest: blob.content for blob in (config, *layers)},
    )


def index(artifacts: Sequence[Artifact], *, tag: str) -> Artifact:
    """Join several artifacts under one tag: several addons, or several implementations of one.

    Raises:
        InvalidNameError: ``tag`` is none.
    """
    document = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": [index_entry(artifact, dict(artifact.annotations)) for artifact in artifacts],
    }
    return Artifact(
        manifest=encode(document),
        media_type=media.OCI_INDEX,
        tag=Tag.parse(tag),
        annotations={},
        children=tuple(artifacts),
    )


def index_entry(artifact: Artifact, annotations: Mapping[str, str]) -> dict[str, object]:
    """The descriptor by which an index names ``artifact``."""
    entry = _blob_of(artifact.manifest, artifact.media_type).descriptor
    if artifact.media_type == media.OCI_MANIFEST:
        entry["artifactType"] = media.ADDON_ARTIFACT
    return entry | {"annotations": annotations}


def _annotations(title: Mapping[str, str]) -> dict[str, str]:
    name, implementation = title["name"], title["implementation"]
    annotations = {
        "vnd.k2s.addon.name": name,
        "vnd.k2s.addon.implementation": implementation,
        "vnd.k2s.addon.export-name": name if name == implementation else f"{name}-{implementation}",
        "org.opencontainers.image.version": title["version"],
        "org.opencontainers.image.created": title["exportDate"],
        "org.opencontainers.image.description": title["description"],
        "vnd.k2s.version": title["k2sVersion"],
    }
    return {key: text for key, text in annotations.items() if text}


def _manifest_file(folder: Path, *, named_alike: bool) -> Path:
    manifest = (folder if named_alike else folder.parent) / MANIFEST_NAME
    if not manifest.is_file() or manifest.is_symlink():
        raise InvalidManifest(f"{manifest} is missing: an addon is packed together with its manifest")
    return manifest


def _layers(folder: Path, manifest: Path | bytes, folders: _Folders) -> list[tuple[str, list[_Member]]]:
    """Sort the files of ``folder`` into the four layers, each in the order of its paths."""
    config: list[_Member] = [(MANIFEST_NAME, manifest)]
    manifests: list[_Member] = []
    charts: list[_Member] = []
    scripts: list[_Member] = []
    for parts, content in sorted(_with_folders(_judged(folder), folders), key=itemgetter(0)):
        if parts[:2] == ("manifests", "chart"):
            _add(charts, parts[2:], content)
        elif parts[0] == "manifests":
            _add(manifests, parts[1:], content)
        elif parts[0] == "config" or parts == ("values.yaml",):
            _add(config, parts, content)
        elif parts != (MANIFEST_NAME,):
            _add(scripts, parts, content)
    return [
        (media.CONFIG_FILES, config),
        (media.MANIFESTS, manifests),
        (media.HELM_CHARTS, charts),
        (media.SCRIPTS, scripts),
    ]


def _with_folders(
    found: Iterable[tuple[tuple[str, ...], Path]], folders: _Folders
) -> Iterator[tuple[tuple[str, ...], Path | bytes]]:
    """What was found, with ``folders`` in the place of what has their names, in whatever case."""
    replaced = {tuple(folder.casefold().split("/")) for folder in folders}
    for parts, path in found:
        folded = tuple(part.casefold() for part in parts)
        if not any(folded[: len(folder)] == folder for folder in replaced):
            yield parts, path
    for folder, files in folders.items():
        for name, content in files.items():
            yield (*folder.split("/"), name), content


def _add(members: list[_Member], parts: tuple[str, ...], content: Path | bytes) -> None:
    # The folder that a layer is unpacked into is no entry of that layer.
    if parts:
        members.append(("/".join(parts), content))


def _judged(folder: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Everything below ``folder``, by the same rules that every receiver applies to the archive."""
    taken: dict[str, EntryPath] = {}
    for path in _walk(folder):
        parts = path.relative_to(folder).parts
        name = EntryPath.parse("/".join(parts), limits=NameLimits(), folder=path.is_dir())
        if name.collision_key in taken:
            raise UnsafeArchive(f"{shown(name)} and {shown(taken[name.collision_key])} are one name on Windows")
        taken[name.collision_key] = name
        yield parts, path


def _walk(folder: Path) -> Iterator[Path]:
    try:
        for path in folder.iterdir():
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UnsafeArchive(f"{shown(str(path))} is neither a file nor a folder: an addon holds nothing else")
            yield path
            if path.is_dir():
                yield from _walk(path)
    except OSError as error:
        raise InstallError(f"{folder} cannot be read: {error}") from error


def pack_layer(
    members: Iterable[tuple[str, Path]], media_type: str, *, scratch: Path, mtime: int = 0, compress: bool = True
) -> Layer:
    """Pack files into a layer of its own, such as images or packages; names and order are the caller's.

    Raises:
        InstallError: a file cannot be read or written; ``scratch`` holds nothing of it.
    """
    blob = _pack(members, media_type, scratch, mtime, compress=compress)
    assert isinstance(blob.content, Path)
    return Layer(media_type=media_type, path=blob.content)


def _pack(members: Iterable[_Member], media_type: str, scratch: Path, mtime: int, *, compress: bool = True) -> _Blob:
    partial = scratch / f".{media_type.rpartition('/')[2]}.partial"
    try:
        with partial.open("wb") as file:
            digest, size = _write_layer(members, file, mtime, compress=compress)
        path = partial.replace(scratch / digest.hex)
    except OSError as error:
        raise InstallError(f"a layer cannot be packed: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return _Blob(media_type=media_type, digest=digest, size=size, content=path)


def _write_layer(members: Iterable[_Member], file: BinaryIO, mtime: int, *, compress: bool) -> tuple[Digest, int]:
    measured = _Measured(file)
    with ExitStack() as stack:
        stream = cast("BinaryIO", measured)
        if compress:
            # No name and no time in the header, and no owner in the entries: they differ from machine to machine.
            zipped = gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0, compresslevel=_LEVEL)
            stream = cast("BinaryIO", stack.enter_context(zipped))
        archive = stack.enter_context(
            tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8")
        )
        for name, content in members:
            _add_member(archive, name, content, mtime)
    return Digest(measured.hash.hexdigest()), measured.size


def _add_member(archive: tarfile.TarFile, name: str, source: Path | bytes, mtime: int) -> None:
    member = tarfile.TarInfo(name)
    member.mtime = mtime
    if isinstance(source, Path) and source.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
        return
    member.mode = 0o644
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as content:
        member.size = content.seek(0, 2)
        content.seek(0)
        archive.addfile(member, content)


class _Measured:
    """A file that is hashed and counted while it is written, so that it need not be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self.hash = hashlib.sha256()
        self.size = 0
        self._file = file
        self.flush: Callable[[], None] = file.flush

    def tell(self) -> int:
        return self.size

    def write(self, chunk: bytes) -> int:
        self.hash.update(chunk)
        self.size += len(chunk)
        return self._file.write(chunk)


def _blob_of(content: bytes, media_type: str) -> _Blob:
    return _Blob(media_type=media_type, digest=Digest.of(content), size=len(content), content=content)


def _blob_at(path: Path, media_type: str) -> _Blob:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            size = file.tell()
    except OSError as error:
        raise InstallError(f"the layer {path} cannot be read: {error}") from error
    return _Blob(media_type=media_type, digest=Digest(digest.hexdigest()), size=size, content=path)
