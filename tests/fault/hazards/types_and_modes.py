"""Hazards C: entries that are neither file nor folder, and what headers say of modes, owners, times and attributes."""

from receiver.catalog.header import BLOCK
from tests.support.hazards import Case, scripts
from tests.support.tarwriter import entry, folder, header, pax, record

_UNAME, _GNAME, _DEVICE, _STAR_TIMES, _STAR_MAGIC = 265, 297, 329, 476, 508
"""Where these fields begin in a header."""


_FILE = entry("run.ps1", b"x")


def _patched(block: bytes, at: int, value: bytes) -> bytes:
    """A header with other bytes at ``at``, and the checksum that is right for them."""
    changed = block[:at] + value + block[at + len(value) :]
    blank = changed[:148] + b" " * 8 + changed[156:BLOCK]
    return changed[:148] + b"%06o\0 " % sum(blank) + changed[156:]


def _base256(value: int, width: int) -> bytes:
    """A number as GNU writes it where octal digits do not suffice."""
    mark = 1 << (8 * width - 1)
    return ((value & (mark - 1)) | mark).to_bytes(width, "big")


def _refused(id: str, title: str, kind: bytes, says: str, **fields: bytes) -> Case:  # noqa: A002 - as in Case
    push = scripts(entry("before", b"x"), entry("odd", kind=kind, **fields), entry("after", b"x"))
    return Case(id=id, title=title, push=push, says=f"'odd': {says}")


def _ignored(id: str, title: str, *members: bytes, path: str = "run.ps1") -> Case:  # noqa: A002 - as in Case
    """Taken, as a plain file that has nothing of what the archive says of it."""
    return Case(id=id, title=title, push=scripts(*members), verdict="normalised", tree={path: b"x"})


_TYPES = [
    _refused("C1", "a character device", b"3", "a character device"),
    _refused("C2", "a block device", b"4", "a block device"),
    _refused("C3", "a named pipe: to open it for writing would hang", b"6", "a named pipe"),
    *(
        _refused(
            "C4", f"an entry of the type {kind!r}", kind.encode(), f"an entry of the unknown type {kind.encode()!r}"
        )
        for kind in "ABCEFGHIJNOPQRTUWYZ89anz "
    ),
    Case(
        id="C4",
        title="an entry of the type 0xFF",
        push=scripts(entry("odd", kind=b"\xff")),
        says="'odd': an entry of the unknown type b'\\xff'",
    ),
    Case(
        id="C4",
        title="a folder of an unknown type with a name that ends with a slash",
        push=scripts(entry("odd/", kind=b"Z")),
        says="'odd/': an entry of the unknown type b'Z'",
    ),
    _refused("C5", "a contiguous file", b"7", "a contiguous file"),
    _refused("C6", "a GNU folder dump", b"D", "a GNU folder dump", magic=b"ustar  \0"),
    _refused("C6", "the rest of a file of another volume", b"M", "a part of a file", magic=b"ustar  \0"),
    _refused("C6", "a volume label", b"V", "a volume label", magic=b"ustar  \0"),
]

_MODES = [
    *(
        _ignored("C7", f"a file of mode {mode}", entry("run.ps1", b"x", mode=mode.encode() + b"\0"))
        for mode in ("0004777", "0002755", "0001777", "0007777", "0000755")
    ),
    _ignored("C8", "a file of mode 0000", entry("run.ps1", b"x", mode=b"0000000\0")),
    *(
        _ignored(
            "C8",
            f"a folder of mode {mode}",
            folder("d", mode=mode.encode() + b"\0"),
            entry("d/run.ps1", b"x"),
            path="d/run.ps1",
        )
        for mode in ("0000000", "0000777", "0006777")
    ),
    *(
        _ignored("C8", f"a mode that is no octal number: {mode!a}", entry("run.ps1", b"x", mode=mode))
        for mode in (b"99999999", b"rwxr-xr-", b"\xff" * 8)
    ),
]

_OWNERS = [
    *(
        _ignored("C9", f"owner and group {title}", entry("run.ps1", b"x", owner=value * 2))
        for title, value in {
            "-1": _base256(-1, 8),
            "2^62": _base256(2**62, 8),
            "07777777": b"7777777\0",
            "that are no number": b"-0000001",
        }.items()
    ),
    *(
        _ignored("C9", f"owner and group {title} by PAX", pax(record("uid", number), record("gid", number)), _FILE)
        for title, number in {"-1": "-1", "2^32": str(2**32), "of 400 digits": "9" * 400, "'root'": "root"}.items()
    ),
    _ignored(
        "C10",
        "NUL in the owner's name, with more after it",
        _patched(_FILE, _UNAME, b"root\0../../evil"),
    ),
    _ignored("C10", "a group's name that fills its field", _patched(_FILE, _GNAME, b"g" * 32)),
    _ignored("C10", "an owner's name of 4 KB by PAX", pax(record("uname", "u" * 4096)), _FILE),
    _ignored(
        "C10",
        "NUL and line feed in an owner's name by PAX",
        pax(record("uname", "root\0\nevil"), record("gname", b"\xff\xfe")),
        _FILE,
    ),
    _ignored("C10", "device numbers on a file", _patched(_FILE, _DEVICE, b"0000001\x000000003\0")),
]

_TIMES = [
    *(
        _ignored("C11", f"time {title}", entry("run.ps1", b"x", mtime=value))
        for title, value in {
            "-1": _base256(-1, 12),
            "2^63": _base256(2**63, 12),
            "of the year 2242, the last that fits": b"77777777777\0",
            "0, of 1970": b"00000000000\0",
            "that is no number": b"yesterday\0\0\0",
        }.items()
    ),
    *(
        _ignored(
            "C11",
            f"times {time!r} by PAX",
            pax(*(record(keyword, time) for keyword in ("mtime", "atime", "ctime"))),
            _FILE,
        )
        for time in ("-1", str(2**63), "nan", "inf", "-inf", "1e400", "253402300800", "")
    ),
]

_ATTRIBUTES = [
    *(
        _ignored("C12", f"{keyword} by PAX", pax(record(keyword, value)), _FILE)
        for keyword, value in (
            ("SCHILY.xattr.security.capability", b"\1\0\0\2\0\4\0\0" + bytes(12)),
            ("SCHILY.xattr.user.evil", b"x"),
            ("LIBARCHIVE.xattr.user.evil", b"eA=="),
            ("LIBARCHIVE.xattr.security.capability", b"AQAAAgAEAAAAAAAAAAAAAAAAAAA="),
            ("LIBARCHIVE.creationtime", b"-1"),
        )
    ),
    *(
        _ignored("C13", f"{keyword} by PAX", pax(record(keyword, value)), _FILE)
        for keyword, value in (
            ("SCHILY.acl.access", b"user::rwx,group::rwx,other::rwx,user:nobody:rwx:65534,mask::rwx"),
            ("SCHILY.acl.default", b"user::rwx,group::rwx,other::rwx"),
            ("SCHILY.acl.ace", b"everyone@:rwxp:fd:allow"),
            ("RHT.security.selinux", b"unconfined_u:object_r:bin_t:s0"),
            ("SCHILY.fflags", b"schg,nodump"),
            ("SCHILY.xattr.system.posix_acl_access", b"\2\0\0\0"),
        )
    ),
]


def _vendor_record(keyword: str, value: bytes) -> Case:
    return Case(
        id="C14",
        title=f"the PAX record {keyword}",
        push=scripts(pax(record(keyword, value)), _FILE),
        says=f"the PAX record b'{keyword}' ({value!r}) is not supported",
    )


_STAR = _patched(header("run.ps1", size=1), _STAR_TIMES, b"00000000000 00000000000 ")

_VENDORS = [
    Case(
        id="C14",
        title="an extended header of Solaris, with a path",
        push=scripts(pax(record("path", "../evil"), kind=b"X"), _FILE),
        says="'PaxHeaders/x': a Solaris extended header",
    ),
    *(
        _refused("C14", f"of Solaris: {title}", kind, f"an entry of the unknown type {kind!r}")
        for title, kind in (("an ACL in front of its file", b"A"), ("an extended attribute", b"E"))
    ),
    Case(
        id="C14",
        title="a header of star, which has times where POSIX has the prefix",
        push=scripts(_patched(_STAR, _STAR_MAGIC, b"tar\0") + b"x".ljust(BLOCK, b"\0")),
        says="'run.ps1': padding that is not zero",
    ),
    Case(
        id="C14",
        title="the same without star's mark: its times would be folders",
        push=scripts(_STAR + b"x".ljust(BLOCK, b"\0")),
        says="text after the end of a name",
    ),
    _vendor_record("SCHILY.realsize", b"1"),
    _vendor_record("SCHILY.filetype", b"sparse"),
    _vendor_record("SUN.devmajor", b"1"),
    _vendor_record("SUN.holesdata", b" 0 512"),
    _vendor_record("AIX.unknown", b"1"),
]

_CONTENT = [
    Case(
        id="C15",
        title="a folder of 512 bytes, followed by a header as its content",
        push=scripts(folder("d", size=b"00000001000\0"), entry("hidden.ps1"), _FILE),
        says="'d': a folder with content",
    ),
    Case(
        id="C15",
        title="a folder that has 512 bytes by PAX only",
        push=scripts(pax(record("size", "512")), folder("d"), entry("hidden.ps1")),
        says="'d': PAX says 512 bytes and the header 0",
    ),
    *(
        Case(
            id="C16",
            title=f"a file of the old type NUL whose name ends with a slash{title}",
            push=scripts(entry("d/", content, kind=b"\0")),
            says="'d/': a file with the name of a folder",
        )
        for title, content in (("", b""), (", with content", b"x"))
    ),
    _ignored("C16", "a file of the old type NUL", entry("run.ps1", b"x", kind=b"\0")),
]

CASES = (*_TYPES, *_MODES, *_OWNERS, *_TIMES, *_ATTRIBUTES, *_VENDORS, *_CONTENT)
