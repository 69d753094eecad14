"""Hazards D: tar headers, PAX and GNU extensions that two readers could read differently."""

from receiver.oci import media
from tests.support.hazards import Case, Elsewhere, Push, layers, scripts
from tests.support.tarwriter import (
    BLOCK,
    GNU,
    archive,
    entry,
    folder,
    gzipped,
    header,
    long_name,
    pax,
    record,
)

FILE = entry("victim", b"12345")
_COMMENT = pax(record("comment", "c"), kind=b"g")


def _refused(number: int, title: str, *parts: bytes, says: str) -> Case:
    return Case(id=f"D{number}", title=title, push=scripts(*parts), says=says)


def _described(number: int, title: str, *records: bytes, says: str, kind: bytes = b"x") -> Case:
    """A good file under a PAX header that holds ``records``."""
    return _refused(number, title, pax(*records, kind=kind), FILE, says=says)


def _taken(number: int, title: str, *parts: bytes, tree: dict[str, bytes], normalised: bool = False) -> Case:
    verdict = "normalised" if normalised else "accepted"
    return Case(id=f"D{number}", title=title, push=scripts(*parts), verdict=verdict, tree=tree)  # type: ignore[arg-type]  # one of two words


def _across_the_end() -> Push:
    return layers((media.SCRIPTS, gzipped(archive(pax(record("path", "a"))) + archive(FILE))))


def _signed_sum() -> bytes:
    """A header whose checksum adds up the bytes as signed: old writers did, and names with high bytes show it."""
    block = header("é.ps1")
    high = sum(byte > 127 for byte in block)
    return block[:148] + b"%06o\0 " % (int(block[148:154], 8) - 256 * high) + block[156:]


INNER = archive(entry("hidden.ps1", b"evil"))
_SPARSE_OLD = bytes(41) + b"00000000000\x00" * 2 + bytes(90)  # the sparse map where POSIX has the prefix
_SPARSE = "GNU.sparse."
_SIZES = {
    "smaller": ("4", "PAX says 4 bytes and the header 5"),
    "larger": ("6", "PAX says 6 bytes and the header 5"),
    "negative": ("-5", "'-5' is no size"),
    "with a sign": ("+5", "'+5' is no size"),
    "with an underscore": ("1_0", "'1_0' is no size"),
    "with a leading space": (" 5", "' 5' is no size"),
    "of twenty digits": ("0" * 19 + "5", "is no size"),
}
_LENGTHS = {
    "zero": b"0 a=b\n",
    "too short": b"5 mtime=1\n",
    "too long": b"99 mtime=1\n",
    "overlapping the next record": b"21 mtime=1\n" + record("path", "evil"),
    "without a newline at its end": b"10 mtime=1x",
    "with a leading zero": b"0011 mtime=1\n",
    "that is no number": b"x mtime=1\n",
}
_BASE_256 = {
    "negative": b"\xff" * 12,
    "2^63": b"\x80\0\0\0" + (2**63).to_bytes(8, "big"),
    "2^80": b"\x80" + (2**80).to_bytes(11, "big"),
    "of five bytes, that octal would do for": b"\x80" + (5).to_bytes(11, "big"),
    "with an odd lead byte": b"\xc0" + (5).to_bytes(11, "big"),
}
_SPARSE_RECORDS = {
    "0.0": (record(f"{_SPARSE}size", "1099511627776"), record(f"{_SPARSE}numblocks", "1")),
    "0.1": (record(f"{_SPARSE}map", "0,1"), record(f"{_SPARSE}size", "5")),
    "1.0 with a name that leads elsewhere": (
        record(f"{_SPARSE}major", "1"),
        record(f"{_SPARSE}minor", "0"),
        record(f"{_SPARSE}name", "../../../evil"),
    ),
    "of 1 TiB": (record(f"{_SPARSE}realsize", "1099511627776"),),
    "of a negative size": (record(f"{_SPARSE}realsize", "-1"),),
    "with overlapping parts": (record(f"{_SPARSE}map", "0,4,2,4"),),
    "with a long map": (record(f"{_SPARSE}map", ",".join(["0,0"] * 15_000)),),
}

CASES: tuple[Case | Elsewhere, ...] = (
    _taken(
        1,
        "a PAX path replaces the name of one entry",
        pax(record("path", "real.ps1")),
        entry("other", b"1"),
        entry("next", b"2"),
        tree={"real.ps1": b"1", "next": b"2"},
    ),
    _described(1, "a PAX path that leads upwards", record("path", "../evil"), says="'../evil'"),
    _described(1, "an absolute PAX path", record("path", "/etc/passwd"), says="'/etc/passwd'"),
    _described(2, "a PAX link target on a file", record("linkpath", "/etc/passwd"), says="the PAX record b'linkpath'"),
    *(_described(3, f"a PAX size {title}", record("size", text), says=says) for title, (text, says) in _SIZES.items()),
    _described(4, "a PAX path that stands twice", record("path", "a"), record("path", "b"), says="'path' stands twice"),
    _described(4, "a harmless PAX record that stands twice", *[record("mtime", "1")] * 2, says="'mtime' stands twice"),
    _refused(
        5,
        "a path in PAX, then a GNU long name",
        pax(record("path", "a")),
        long_name(b"b\0"),
        FILE,
        says="follows another",
    ),
    _refused(
        5,
        "a GNU long name, then a path in PAX",
        long_name(b"b\0"),
        pax(record("path", "a")),
        FILE,
        says="follows another",
    ),
    *(
        _described(6, f"a global PAX header with {keyword}", record(keyword, text), kind=b"g", says="PAX")
        for keyword, text in (("path", "evil"), ("size", "0"), ("linkpath", "/etc/passwd"))
    ),
    _taken(6, "a global PAX header with a comment, as git writes it", _COMMENT, FILE, tree={"victim": b"12345"}),
    *(_described(7, f"a PAX record of a length {title}", text, says="PAX record") for title, text in _LENGTHS.items()),
    _described(8, "a last PAX record that is not terminated", record("mtime", "1"), b"9 path=ev", says="wrong length"),
    _described(8, "zeros after the last PAX record", record("mtime", "1"), bytes(4), says="wrong length"),
    _refused(9, "a PAX header without an entry", FILE, pax(record("path", "a")), says="ends after an extension header"),
    Case(
        id="D9", title="a PAX header, the end, then an entry", push=_across_the_end(), says="after an extension header"
    ),
    _refused(
        10,
        "a PAX header that would apply to another one",
        pax(record("size", "1024")),
        pax(record("mtime", "1")),
        FILE,
        says="follows another",
    ),
    _refused(
        10,
        "a PAX header that would apply to a global one",
        pax(record("path", "a")),
        _COMMENT,
        FILE,
        says="follows another",
    ),
    _refused(
        11,
        "an entry hidden by a PAX size of 0 (TARmageddon)",
        pax(record("size", "0")),
        entry("outer", INNER),
        says=f"PAX says 0 bytes and the header {len(INNER)}",
    ),
    _refused(
        11,
        "entries swallowed by a PAX size where the header says 0",
        pax(record("size", str(len(INNER)))),
        header("outer"),
        INNER,
        says=f"PAX says {len(INNER)} bytes and the header 0",
    ),
    _described(12, "a PAX header of 64 KiB and some bytes", record("comment", "x" * 65_536), says="the limit is 65536"),
    _refused(12, "a PAX header that says 300 MiB", header("x", kind=b"x", size=300 << 20), says="314572800 bytes"),
    Elsewhere(
        id="D12",
        title="a PAX header of 300 MiB in time and memory",
        tests=("tests/fault/test_bombs.py::test_a_bomb_is_refused_in_little_time_and_memory",),
    ),
    _refused(13, "1,000 PAX headers in a row", pax(record("mtime", "1")) * 1000, FILE, says="follows another"),
    _refused(13, "1,000 global PAX headers in a row", _COMMENT * 1000, FILE, says="in a row than the limit of 3"),
    _refused(13, "1,000 long names in a row", long_name(b"a\0") * 1000, FILE, says="follows another"),
    _refused(13, "1,000 long link names in a row", long_name(b"a\0", kind=b"K") * 1000, FILE, says="a long link name"),
    _described(14, "a PAX header of 160 KB of digits", b"1" * 160_000, says="the limit is 65536"),
    _described(14, "a PAX length of 60 KB of digits", b"1" * 60_000, says="wrong length"),
    _described(14, "a PAX size of 60 KB of digits", record("size", "1" * 60_000), says="is no size"),
    _refused(15, "a long name without an entry", FILE, long_name(b"a\0"), says="ends after an extension header"),
    _refused(15, "a long link name on a file", long_name(b"/etc/passwd\0", kind=b"K"), FILE, says="a long link name"),
    _refused(
        15, "a long name with more after its end", long_name(b"ok\0../../evil\0"), FILE, says="'ok\\x00../../evil'"
    ),
    _refused(
        16,
        "an old GNU sparse file of 1 TiB",
        entry("sparse", b"x", kind=b"S", magic=GNU, prefix=_SPARSE_OLD),
        says="'sparse': a sparse file",
    ),
    _refused(
        16,
        "old GNU sparse fields on a plain file",
        entry("sparse", b"x", magic=GNU, prefix=bytes(41) + b"00000000001\0"),
        says="'sparse': neither a POSIX header nor a GNU header of a whole file",
    ),
    *(_described(16, f"a PAX sparse file {title}", *parts, says=_SPARSE) for title, parts in _SPARSE_RECORDS.items()),
    *(
        _refused(17, f"a size in base 256 {title}", header("victim", size=size), says="is not an octal number")
        for title, size in _BASE_256.items()
    ),
    *(
        _refused(18, f"a size {title}", header("victim", size=size), bytes(BLOCK), says="'victim': ")
        for title, size in {
            "with leading spaces": b"          5\0",
            "with a space inside": b"0000000 005\0",
            "without an end": b"000000000005",
            "that is not octal": b"00000000008\0",
            "with a sign": b"-0000000005\0",
            "of spaces": b" " * 12,
            "of zeros": bytes(12),
            "with a number after its end": b"00000\x00000005",
        }.items()
    ),
    _taken(
        18,
        "numbers that end with a space; mode, owner and time that are no numbers are not read",
        entry("victim", b"12345", size=b"00000000005 ", mode=b"rwxrwxrw", owner=b"x" * 16, mtime=b"yesterday..."),
        tree={"victim": b"12345"},
        normalised=True,
    ),
    _refused(
        19, "a wrong checksum in the second header", FILE, header("b", checksum=b"000000\0 "), says="'b': the checksum"
    ),
    _refused(19, "a checksum of signed bytes", _signed_sum(), says="the checksum is wrong"),
    _refused(19, "a checksum of spaces", header("victim", checksum=b" " * 8), says="is not an octal number"),
    _taken(
        20,
        "POSIX and GNU headers in one archive",
        FILE,
        entry("gnu", b"1", magic=GNU),
        tree={"victim": b"12345", "gnu": b"1"},
    ),
    _refused(20, "a header without magic", header("victim", magic=bytes(8)), says="'victim': neither"),
    _refused(20, "a POSIX header of another version", header("victim", magic=b"ustar\x0001"), says="'victim': neither"),
    _refused(20, "a PAX header without magic", pax(record("path", "a"), magic=bytes(8)), FILE, says="neither"),
    _refused(20, "a PAX header with GNU's magic", pax(record("path", "a"), magic=GNU), FILE, says="the other format"),
    _refused(
        20, "a GNU long name with POSIX's magic", long_name(b"a\0", magic=b"ustar\x0000"), FILE, says="the other format"
    ),
    _described(
        21, "names in an unknown character set", record("hdrcharset", "BINARY"), says="b'hdrcharset' (b'BINARY')"
    ),
    _refused(
        22, "a POSIX prefix in a GNU header", entry("victim", magic=GNU, prefix=b"../evil"), says="'victim': neither"
    ),
    _refused(23, "a file twice with the same content", FILE, FILE, says="'victim' is in one layer twice"),
    _refused(
        23, "a file twice with other content", FILE, entry("victim", b"evil!"), says="'victim' is in one layer twice"
    ),
    _refused(
        23, "a file twice, once by its PAX path", FILE, pax(record("path", "victim")), entry("x"), says="'victim'"
    ),
    _refused(24, "a file after a folder of its name", folder("victim/"), FILE, says="'victim' is a file and a folder"),
    _refused(24, "a folder after a file of its name", FILE, folder("victim/"), says="'victim' is a file and a folder"),
    _refused(
        24, "a file after a folder that its entries imply", entry("victim/x"), FILE, says="'victim' is a file and"
    ),
    _refused(25, "a file 10,000 times", FILE * 10_000, says="'victim' is in one layer twice"),
    Elsewhere(
        id="D25",
        title="more entries than the limit, in time and memory",
        tests=("tests/fault/test_bombs.py::test_too_many_entries_are_refused_in_bounded_time_and_memory",),
    ),
    _taken(
        25,
        "a folder 10,000 times is one folder, and counts as 10,000 entries",
        *(folder("d/", mtime=b"%011o\0" % (n * n)) for n in range(10_000)),  # or the ratio would end it
        entry("d/a", b"1"),
        tree={"d/a": b"1"},
        normalised=True,
    ),
)
