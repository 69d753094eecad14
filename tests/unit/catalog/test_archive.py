"""The strict tar reader: which archives are taken, and how every other one is refused."""

import io
import tarfile
from collections.abc import Iterator

import pytest

from receiver.catalog.archive import Budget, entries
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.names import NameLimits
from receiver.errors import UnsafeArchive
from tests.support.tarwriter import BLOCK, GNU, archive, entry, folder, header, long_name, padded, pax, record


def read(data: bytes, budget: Budget | None = None, *, step: int | None = None) -> dict[str, bytes | None]:
    """All entries: path to content, None for a folder."""
    return {
        found.path: None if found.is_folder else b"".join(found.content)
        for found in entries(in_chunks(data, step), budget or Budget())
    }


def in_chunks(data: bytes, step: int | None) -> Iterator[bytes]:
    for at in range(0, len(data), step or max(len(data), 1)):
        yield data[at : at + (step or len(data))]


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 1000, 4096, None])
def test_content_does_not_depend_on_how_the_stream_is_cut(step: int | None) -> None:
    """Chunks end anywhere: in a header, in a content, in the padding."""
    data = archive(folder("d/"), entry("d/a", b"x" * 700), entry("empty"), entry("b", b"y" * 512), entry("c", b"z"))
    assert read(data, step=step) == {"d": None, "d/a": b"x" * 700, "empty": b"", "b": b"y" * 512, "c": b"z"}


@pytest.mark.parametrize("step", [100, None])
def test_content_that_nobody_reads_is_skipped(step: int | None) -> None:
    """The next entry is found whether the one before was read, half read or not."""
    data = archive(entry("a", b"1" * 1500), entry("b", b"2" * 1500), entry("c", b"3"))
    found = []
    for item in entries(in_chunks(data, step), Budget()):
        found.append(item.path)
        if item.path == "b":
            next(iter(item.content))
    assert found == ["a", "b", "c"]


def test_content_asked_for_too_late_is_an_error_and_not_other_bytes() -> None:
    """A stale entry must never give the bytes of a later one."""
    data = archive(entry("a", b"1" * 1500), entry("b", b"2" * 1500))
    reader = entries(in_chunks(data, 512), Budget())
    first = next(reader)
    next(reader)
    with pytest.raises(RuntimeError, match="after the next entry"):
        b"".join(first.content)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_pythons_tarfile_are_taken(form: int) -> None:
    """Each of its formats, with names that need a prefix, a long name or a PAX record."""
    names = ["a", "d/b.yaml", "/".join(["long" * 20] * 2) + "/f", "ünïcode/日本.txt"]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as writer:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(name), 1.5 if form == tarfile.PAX_FORMAT else 1
            writer.addfile(info, io.BytesIO(b"x" * len(name)))
    assert list(read(target.getvalue())) == names


REFUSED_TYPES = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a character device", b"4": "a block device",
    b"6": "a named pipe",
    b"7": "a contiguous file", b"D": "a GNU folder dump", b"K": "a long link name", b"M": "another volume",
    b"S": "a sparse file", b"V": "a volume label", b"X": "a Solaris", b"Z": "unknown type", b"A": "unknown type",
    b"s": "unknown type", b"\xff": "unknown type",
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED_TYPES)
@pytest.mark.parametrize("magic", [b"ustar\x0000", GNU])
@pytest.mark.parametrize("link", [b"", b"/etc/passwd", b"..", b"C:..\\..\\x"])
def test_everything_but_files_and_folders_is_refused(kind: bytes, magic: bytes, link: bytes) -> None:
    """Hazards B and C: whatever a link points to, the entry is named and its kind too."""
    data = archive(entry("fine"), header("evil", kind=kind, link=link, magic=magic))
    with pytest.raises(UnsafeArchive, match=f"'evil': .*{REFUSED_TYPES[kind]}"):
        read(data)


def test_a_link_with_content_is_refused() -> None:
    """B23: smuggled payload."""
    with pytest.raises(UnsafeArchive, match="symbolic link"):
        read(archive(entry("l", b"payload", kind=b"2", link=b"x")))


def test_modes_owners_and_times_are_nobodys_business() -> None:
    """C7, C9, C11: set-uid, negative owners and absurd times change nothing."""
    data = archive(
        entry("a", b"1", mode=b"0004777\0", owner=b"\xff" * 16, mtime=b"\xff" * 12),
        pax(record("mtime", "nan"), record("SCHILY.xattr.security.capability", b"\x01\0"), record("uid", "-1")),
        entry("b", b"2"),
    )
    assert read(data) == {"a": b"1", "b": b"2"}


def test_a_pax_path_replaces_the_name() -> None:
    """D1, and the path is judged like any other."""
    assert read(archive(pax(record("path", "real/name")), entry("other", b"x"))) == {"real/name": b"x"}
    with pytest.raises(UnsafeArchive, match="leads upwards"):
        read(archive(pax(record("path", "../evil")), entry("fine", b"x")))


def test_a_pax_path_holds_for_one_entry_only() -> None:
    """The next entry has its own name."""
    data = archive(pax(record("path", "first")), entry("x", b"1"), entry("second", b"2"))
    assert read(data) == {"first": b"1", "second": b"2"}


def test_a_gnu_long_name_replaces_the_name() -> None:
    """As GNU tar writes names over 100 bytes."""
    name = "/".join(["n" * 50] * 3)
    assert read(archive(long_name(name.encode() + b"\0"), entry(name[:100], b"x", magic=GNU))) == {name: b"x"}


@pytest.mark.parametrize("length", [99, 100])
def test_a_name_may_fill_its_field(length: int) -> None:
    """A17: a name of exactly 100 bytes has no terminator, with and without a prefix."""
    assert list(read(archive(entry("n" * length)))) == ["n" * length]
    assert list(read(archive(entry("n" * length, prefix=b"p" * 60)))) == ["p" * 60 + "/" + "n" * length]


def test_the_prefix_of_a_gnu_header_is_none() -> None:
    """D22: times stand there; a name there is a name to another reader only."""
    times = b"14735652000\x0014735652000\0"
    assert list(read(archive(entry("a", magic=GNU, prefix=times)))) == ["a"]
    with pytest.raises(UnsafeArchive, match="GNU header of a whole file"):
        read(archive(entry("a", magic=GNU, prefix=b"../evil")))


BROKEN_HEADERS = {
    "wrong checksum": header("a", checksum=b"000000\0 "),
    "checksum of spaces": header("a", checksum=b" " * 8),
    "checksum not octal": header("a", checksum=b"00x000\0 "),
    "no magic": header("a", magic=bytes(8)),
    "near magic": header("a", magic=b"ustar\x0001"),
    "size not octal": header("a", size=b"0000000008\0 "),
    "size empty": header("a", size=bytes(12)),
    "size with leading spaces": header("a", size=b"         12\0"),
    "size in base 256": header("a", size=b"\x80" + bytes(10) + b"\x01"),
    "size negative in base 256": header("a", size=b"\xff" * 12),
    "size 2^80": header("a", size=b"\x80\0\x01" + bytes(9)),
    "size with text after its end": header("a", size=b"0000001\x0000\x007"),
    "text after the name": header(b"ok\0../../evil"),
    "text after the prefix": header("a", prefix=b"ok\0../evil"),
    "star header": header("a", padding=b"\0" * 8 + b"tar\0"),
    "sparse fields": header("a", magic=GNU, prefix=bytes(41) + b"00000000001\0"),
    "a link target on a file": header("a", link=b"x"),
    "invalid UTF-8": header(b"..\xc0\xaf"),
    "surrogate": header(b"\xed\xa0\x80"),
    "empty name": header(""),
    "empty folder name": folder(""),
    "folder name on a file": header("a/"),
    "folder name on a file of the old type": header("a/", kind=b"\0"),
    "traversal by prefix": header("b", prefix=b"a/.."),
    "split traversal": header("./x", prefix=b".."),
    "folder with content": header("d/", kind=b"5", size=512) + bytes(512),
    "text in a padding": header("a", padding=b"x"),
}


@pytest.mark.parametrize("case", BROKEN_HEADERS)
@pytest.mark.parametrize("before", [b"", entry("fine", b"1")])
def test_a_broken_header_is_an_error_and_not_the_end(case: str, before: bytes) -> None:
    """tarfile takes several of these for the end of the archive, others for an entry."""
    with pytest.raises(UnsafeArchive):
        read(archive(before, BROKEN_HEADERS[case]))


BROKEN_EXTENSIONS = {
    "global path": pax(record("path", "evil"), kind=b"g"),
    "global size": pax(record("size", "0"), kind=b"g"),
    "global link path": pax(record("linkpath", "x"), kind=b"g"),
    "link path on a file": pax(record("linkpath", "/etc/passwd")),
    "size differs": pax(record("size", "0")),
    "size negative": pax(record("size", "-1")),
    "size with a sign": pax(record("size", "+5")),
    "size with underscore": pax(record("size", "1_0")),
    "size with spaces": pax(record("size", " 5")),
    "size of twenty digits": pax(record("size", "1" * 20)),
    "size of many digits": pax(record("size", "1" * 60_000)),
    "size with a leading zero": pax(record("size", "05")),
    "size empty": pax(record("size", "")),
    "path empty": pax(record("path", "")),
    "path with NUL": pax(record("path", b"ok\0../../evil")),
    "path not UTF-8": pax(record("path", b"\xff")),
    "doubled keyword": pax(record("path", "a"), record("path", "b")),
    "doubled harmless keyword": pax(record("mtime", "1"), record("mtime", "1")),
    "length zero": pax(b"0 a=b\n"),
    "length too short": pax(b"3 a=b\n"),
    "length too long": pax(b"99 a=b\n"),
    "length without digits": pax(b" a=b\n"),
    "length padded": pax(b"006 a=\n"),
    "length of many digits": pax(b"1" * 60_000),
    "length into the keyword": pax(b"2 6 a=b\n"),
    "no newline": pax(b"6 a=bc"),
    "unterminated": pax(record("mtime", "1"), b"9 path=ev"),
    "no value": pax(b"8 mtime\n"),
    "zeros after the records": pax(record("mtime", "1"), bytes(4)),
    "sparse 0.0": pax(record("GNU.sparse.size", "1099511627776"), record("GNU.sparse.numblocks", "1")),
    "sparse 0.1": pax(record("GNU.sparse.map", "0,1")),
    "sparse 1.0": pax(record("GNU.sparse.major", "1"), record("GNU.sparse.name", "../../../evil")),
    "star sparse": pax(record("SCHILY.realsize", "1099511627776")),
    "star type": pax(record("SCHILY.filetype", "sparse")),
    "Solaris sparse": pax(record("SUN.holesdata", " 0 1")),
    "binary names": pax(record("hdrcharset", "BINARY")),
    "unknown keyword": pax(record("path2", "x")),
    "empty keyword": pax(record("", "x")),
    "too many records": pax(*(record(f"SCHILY.x{n}", "1") for n in range(129))),
    "too large": pax(record("comment", "x" * 65_536)),
    "two PAX headers": pax(record("path", "a")) + pax(record("path", "b")),
    "PAX header and long name": pax(record("path", "a")) + long_name(b"b\0"),
    "long name and PAX header": long_name(b"b\0") + pax(record("path", "a")),
    "PAX header over a global one": pax(record("path", "a")) + pax(record("comment", "c"), kind=b"g"),
    "PAX with a GNU header": pax(record("path", "a"), magic=GNU),
    "long name with a POSIX header": long_name(b"b\0", magic=b"ustar\x0000"),
    "two long names": long_name(b"a\0") + long_name(b"b\0"),
    "long name with more after its end": long_name(b"ok\0../evil\0"),
    "long name upwards": long_name(b"../evil\0"),
    "long name empty": long_name(b""),
    "long name too long": long_name(b"a/" * 2048 + b"a\0"),
    "long link name": long_name(b"x\0", kind=b"K"),
    "four in a row": pax(record("comment", "c"), kind=b"g") * 4,
    "a thousand in a row": pax(record("comment", "c"), kind=b"g") * 1000,
}


@pytest.mark.parametrize("case", BROKEN_EXTENSIONS)
def test_an_extension_header_that_readers_could_read_differently_is_refused(case: str) -> None:
    """Hazards D, among them TARmageddon (CVE-2025-62518): PAX and header disagree about a size."""
    with pytest.raises(UnsafeArchive):
        read(archive(BROKEN_EXTENSIONS[case], entry("fine", b"12345")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header(b"ok\0../../evil"), "text after the end of a name"),
        (header("a", prefix=b"ok\0../evil"), "text after the end of a name"),
        (entry(b"PaxHeaders\0x", record("path", "b"), kind=b"x"), "text after the end of a name"),
        (long_name(b"ok\0../evil\0"), "more after its end"),
    ],
)
def test_what_follows_the_end_of_a_name_is_named(data: bytes, reason: str) -> None:
    """A14: where one reader stops and another goes on, the operator should see which trick it was."""
    with pytest.raises(UnsafeArchive, match=reason):
        read(archive(data, entry("fine")))


def test_a_hidden_entry_stays_hidden_from_everybody() -> None:
    """D11: the content of an entry is an archive; with PAX ``size=0`` some readers would unpack it."""
    inner = archive(entry("hidden", b"evil"))
    data = archive(pax(record("size", "0")), entry("outer", inner))
    with pytest.raises(UnsafeArchive, match=f"PAX says 0 bytes and the header {len(inner)}"):
        read(data)


def test_extensions_that_describe_and_change_nothing_are_taken() -> None:
    """git archive writes a global comment, bsdtar times and attributes, GNU tar the character set."""
    data = archive(
        pax(record("comment", "0123abcd"), kind=b"g"),
        pax(
            record("mtime", "1700000000.123456789"),
            record("LIBARCHIVE.creationtime", "1"),
            record("SCHILY.fflags", "nodump"),
            record("hdrcharset", "ISO-IR 10646 2000 UTF-8"),
            record("size", "5"),
        ),
        entry("a", b"12345"),
    )
    assert read(data) == {"a": b"12345"}


def test_three_extension_headers_in_a_row_are_taken_again_and_again() -> None:
    """The limit is in a row, not in an archive."""
    comment = pax(record("comment", "c"), kind=b"g")
    data = archive(*(comment * 3 + entry(f"f{n}", b"x") for n in range(5)))
    assert len(read(data)) == 5


BROKEN_ENDS = {
    "nothing at all": b"",
    "no end": entry("a", b"1"),
    "cut in a header": entry("a", b"1") + header("b")[:100],
    "cut in a content": entry("a", b"1" * 600)[:1100],
    "cut in a padding": entry("a", b"1")[:600],
    "one zero block": archive(entry("a"), end=bytes(BLOCK)),
    "one and a half": archive(entry("a"), end=bytes(BLOCK + 100)),
    "an entry after one zero block": archive(entry("a"), end=bytes(BLOCK)) + archive(entry("b")),
    "an entry after the end": archive(entry("a")) + archive(entry("b")),
    "text after the end": archive(entry("a")) + padded(b"Write-Host evil"),
    "no whole block after the end": archive(entry("a")) + bytes(100),
    "too many zeros": archive(entry("a")) + bytes(1024 * 1024 + BLOCK),
    "end after a PAX header": archive(pax(record("path", "a"))),
    "end after a long name": archive(long_name(b"a\0")),
    "PAX header across the end": archive(pax(record("path", "a"))) + archive(entry("b")),
}


@pytest.mark.parametrize("case", BROKEN_ENDS)
@pytest.mark.parametrize("step", [333, 512, None])
def test_an_archive_that_does_not_end_properly_is_refused(case: str, step: int | None) -> None:
    """D9, E12, E14: a short archive is not a small one."""
    with pytest.raises(UnsafeArchive):
        read(BROKEN_ENDS[case], step=step)


@pytest.mark.parametrize("blocks", [2, 3, 20, 2048])
def test_zeros_may_fill_up_after_the_end(blocks: int) -> None:
    """E4: tar fills the last record."""
    assert read(archive(entry("a", b"1"), end=bytes(blocks * BLOCK))) == {"a": b"1"}


def test_an_empty_archive_is_an_archive() -> None:
    """Two zero blocks and nothing else."""
    assert read(archive()) == {}


def test_a_file_over_its_limit_is_refused_before_it_is_read() -> None:
    """The size in the header is enough; no byte of the content is needed."""
    data = header("big", size=101)
    with pytest.raises(UnsafeArchive, match="'big': 101 bytes, the limit of a file is 100"):
        read(data, Budget(ArchiveLimits(max_file_size=100)))


def test_the_budget_holds_over_all_layers() -> None:
    """Two layers of half the limit each are fine, one byte more is not."""
    limits = ArchiveLimits(max_addon_size=1000)
    budget = Budget(limits)
    read(archive(entry("a", b"x" * 500)), budget)
    read(archive(entry("b", b"x" * 500)), budget)
    with pytest.raises(UnsafeArchive, match="limit of 1000 bytes an artifact"):
        read(archive(entry("c", b"x")), budget)


def test_extension_headers_count_as_content() -> None:
    """D12, E13: a bomb of PAX headers is a bomb."""
    budget = Budget(ArchiveLimits(max_addon_size=10_000))
    part = pax(record("comment", "x" * 3000)) + entry("f")
    with pytest.raises(UnsafeArchive, match="limit of 10000 bytes"):
        read(archive(part, part, part, part), budget)


def test_the_number_of_entries_has_a_limit_over_all_layers() -> None:
    """D25: folders count, and so do entries that come again."""
    budget = Budget(ArchiveLimits(max_files=4))
    read(archive(folder("d/"), entry("d/a")), budget)
    read(archive(folder("d/"), entry("d/b")), budget)
    with pytest.raises(UnsafeArchive, match="limit of 4 an artifact"):
        read(archive(folder("d/")), budget)


@pytest.mark.parametrize(
    ("part", "limits", "reason"),
    [
        (pax(record("comment", "x" * 100)), ArchiveLimits(max_pax_header=50), "the limit is 50"),
        (pax(record("mtime", "1"), record("ctime", "1")), ArchiveLimits(max_pax_records=1), "the limit of 1"),
        (long_name(b"x" * 20 + b"\0"), ArchiveLimits(max_gnu_name=20), "the limit is 20"),
        (pax(record("comment", "x"), kind=b"g") * 2, ArchiveLimits(max_extensions=1), "the limit of 1"),
        (entry("a/b/c"), ArchiveLimits(names=NameLimits(max_depth=2)), "the limit is 2"),
    ],
)
def test_each_limit_can_be_set_and_is_named(part: bytes, limits: ArchiveLimits, reason: str) -> None:
    """An operator must see which number to change."""
    with pytest.raises(UnsafeArchive, match=reason):
        read(archive(part, entry("fine")), Budget(limits))


def test_the_checksum_is_exact_for_the_largest_sums() -> None:
    """The short cut by Adler-32 must not wrap: a header full of high bytes is judged by its real sum."""
    full = header(b"\xff" * 100, prefix=b"\xff" * 155, link=b"\xff" * 100, owner=b"\xff" * 16, mode=b"\xff" * 8)
    with pytest.raises(UnsafeArchive, match="a link target"):
        read(archive(full))
    with pytest.raises(UnsafeArchive, match="checksum"):
        read(archive(full[:-1] + b"\x01"))


def test_the_signed_checksum_of_old_writers_is_refused() -> None:
    """D19: two sums would let two readers disagree."""
    block = header("é")
    unsigned = int(block[148:154], 8)
    with pytest.raises(UnsafeArchive, match="checksum"):
        read(archive(block[:148] + b"%06o\0 " % (unsigned - 512) + block[156:]))
