"""Damage: every truncation and every flipped bit of a good layer gives the identical tree or a refusal."""

import contextlib
import gzip
import shutil
import zlib
from collections import deque
from pathlib import Path

import pytest

from receiver.catalog.archive import Budget, entries
from receiver.catalog.inflate import inflate
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.staging import StagedTree, unpack
from receiver.errors import UnsafeArchive
from tests.support.tarwriter import BLOCK, GNU, archive, entry, folder, gzipped, long_name, pax, record

PARTS = (
    folder("d/"),
    entry("d/a", b"content of a\n"),
    pax(record("path", "d/renamed"), record("mtime", "1.5")),
    entry("d/b", b"content of b\n"),
    long_name(b"l" * 110 + b"\0"),
    entry(b"l" * 100, b"c", magic=GNU),
)
TAR = archive(*PARTS)
LAYER = gzip.compress(TAR, mtime=0)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    tree = outcome(LAYER, tmp_path_factory.mktemp("good"))
    assert tree is not None
    assert sorted(tree) == ["d/a", "d/renamed", "l" * 110]
    return tree


def outcome(layer: bytes, folder: Path) -> dict[str, bytes] | None:
    """The tree that comes of a layer, or None where it is refused (any other error fails the test)."""
    path, root = folder / "layer", folder / "tree"
    path.write_bytes(layer)
    try:
        with StagedTree(root, Budget()) as tree:
            unpack(path, size=len(layer), tree=tree)
        content = {name: (root / name).read_bytes() for name in tree.files}
        shutil.rmtree(root)
    except UnsafeArchive:
        assert not root.exists()
        return None
    return content


def test_every_truncation_is_refused(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """E1: at every byte of the gzip stream, and at every byte of the archive in a gzip stream that is whole."""
    assert [n for n in range(len(LAYER)) if outcome(LAYER[:n], tmp_path) is not None] == []
    for length in range(len(TAR)):
        with pytest.raises(UnsafeArchive):
            read(TAR[:length])


def test_every_flipped_bit_of_a_layer_is_refused_or_harmless(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """E2: harmless are bits of the gzip header that mean nothing, and other codes for the same bytes."""
    path = tmp_path / "flipped"
    for at in range(len(LAYER)):
        for bit in range(8):
            path.write_bytes(flipped(LAYER, at, bit))
            try:
                for item in entries(inflate(path, size=len(LAYER), limits=ArchiveLimits()), Budget()):
                    b"".join(item.content)
            except UnsafeArchive:
                refused = True
            else:
                refused = False
            # With all that unpacking adds, for what was taken and for one of eight that were not.
            if not refused or bit == at % 8:
                assert outcome(path.read_bytes(), tmp_path) == (None if refused else expected), (at, bit)


def test_every_flipped_bit_of_a_header_is_refused_or_harmless() -> None:
    """The reader alone, without a CRC to protect it: no header bit changes what is read."""
    good = read(TAR)
    blocks = {at: TAR[at : at + BLOCK] for at in range(0, len(TAR), BLOCK)}
    headers = {(block[156], block[257:265]): at for at, block in blocks.items() if b"ustar" in block or not any(block)}
    assert len(headers) == len(PARTS)  # the two plain files are alike, the two blocks of the end too
    for at in (block + offset for block in headers.values() for offset in range(BLOCK)):
        for bit in range(8):
            try:
                found = read(flipped(TAR, at, bit))
            except UnsafeArchive:
                continue
            assert found == good, (at, bit)


def test_every_flipped_bit_of_an_archive_is_refused(tmp_path: Path) -> None:
    """E2: of every header, name, record, content and padding, where it stands uncompressed in its layer.

    The reader meets the damage before the CRC does: it raises a refusal and nothing else. What it reads of other
    content, the CRC refuses; through the file and the gzip reader for one bit of every 16th byte, which takes seconds.
    """
    layer, checksum, path = gzipped(TAR, level=0), zlib.crc32(TAR), tmp_path / "flipped"
    start = layer.index(TAR[:BLOCK])
    for at in range(len(TAR)):
        for bit in range(8):
            with contextlib.suppress(UnsafeArchive):
                read(flipped(TAR, at, bit))
            assert zlib.crc32(flipped(TAR, at, bit)) != checksum
        if at % 16 == 0:
            path.write_bytes(flipped(layer, start + at, at // 16 % 8))
            with pytest.raises(UnsafeArchive):
                deque(entries(inflate(path, size=len(layer), limits=ArchiveLimits()), Budget()))


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def read(archived: bytes) -> list[tuple[str, bytes]]:
    return [(item.path, b"".join(item.content)) for item in entries(iter([archived]), Budget())]
