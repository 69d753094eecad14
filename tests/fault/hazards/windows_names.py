"""Hazards G: names that mean something else on Windows, refused everywhere, so that an artifact is portable."""

from receiver.catalog.names import shown
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.sync.plan import IMPLEMENTATION, NAME
from tests.support.addons import manifest_yaml
from tests.support.hazards import Case, Elsewhere, Push, config_layer, layers, scripts
from tests.support.sync_fakes import FakeRegistry
from tests.support.tarwriter import archive, entry, folder, gzipped, pax, record

_DEVICE = "a device of Windows"
_CHARACTER = "the character"
_DROPPED = "begins with a space, or ends with a space or a dot, which Windows drops"


def _refused(id: str, *names: str, reason: str) -> list[Case]:  # noqa: A002 - as in Case
    """A case for each of ``names``, as a regular file."""
    return [
        Case(id=id, title=ascii(name), push=scripts(entry(name, b"x")), says=f"{shown(name)}: {reason}")
        for name in names
    ]


def _as_folder(id: str, *names: str, reason: str) -> list[Case]:  # noqa: A002 - as in Case
    return [
        Case(id=id, title=f"{name!a} as a folder", push=scripts(folder(name)), says=f"{shown(name)}: {reason}")
        for name in names
    ]


def _accepted(id: str, *names: str) -> list[Case]:  # noqa: A002 - as in Case
    """The controls: names that only resemble those that are refused."""
    return [
        Case(
            id=id,
            title=f"{name!a}, which only resembles one",
            push=scripts(entry(name, b"x")),
            verdict="accepted",
            tree={name: b"x"},
        )
        for name in names
    ]


_DEVICES = [
    *_refused("G1", "CON", "PRN", "AUX", "NUL", "con", "pRn", "Aux", "nul", "d/NUL", reason=_DEVICE),
    *_accepted("G1", "CONSOLE", "nullable", "auxiliary"),
    *_refused("G2", *(f"{device}{n}" for device in ("COM", "lpt") for n in range(10)), reason=_DEVICE),
    *_accepted("G2", "COM10", "lpt", "COMA"),
    *_refused("G3", *(f"{device}{n}" for device in ("COM", "LPT") for n in "\u00b9\u00b2\u00b3"), reason=_DEVICE),
    *_refused("G3", "com\u2081", "CO\uff2d1", reason=_DEVICE),
    *_refused("G4", "CONIN$", "CONOUT$", "conin$", reason=_DEVICE),
    *_refused("G5", "nul.txt", "aux.ps1", "NUL.tar.gz", "com1.yaml", "lpt9.d/x", reason=_DEVICE),
    *_accepted("G5", "txt.nul", "my.aux"),
    *_refused("G6", "nul .txt", "aux  .ps1", "con . .x", reason=_DEVICE),
    *_refused("G6", "NUL:", "a/nul : a", "com1:", reason=_CHARACTER),
    *_refused("G6", "nul ", "nul.", reason=_DROPPED),
    *_refused("G7", "nul/x", "a/AUX/x", "com1.d/x", reason=_DEVICE),
    *_as_folder("G7", "nul", "prn/", "a/con/", reason=_DEVICE),
    *_refused("G8", "CLOCK$", "clock$", "Clock$.txt", reason=_DEVICE),
]

_ROOTS = [
    *_refused("G9", "C:foo", "C:", "c:\\x", "c:/x", "D:..\\x", "a/C:x", reason=_CHARACTER),
    *_refused("G9", "a/../c:", reason="leads upwards"),
    *_refused("G10", "\\\\srv\\share\\x", reason=_CHARACTER),
    *_refused("G10", "//srv/share/x", reason="an absolute path"),
    *_refused(
        "G11", "\\\\?\\C:\\x", "\\\\.\\C:\\x", "\\??\\C:\\x", "\\\\?\\UNC\\srv\\x", "\\\\.\\PhysicalDrive0",
        reason=_CHARACTER,
    ),
    *_refused("G11", "//?/C:/x", "//./C:/x", reason="an absolute path"),
]  # fmt: skip

_STREAMS = [
    *_refused("G12", "a.ps1:evil", "a.ps1::$DATA", ":x", "d:s:$DATA/x", reason=_CHARACTER),
    *_as_folder("G12", "d::$INDEX_ALLOCATION", "d:$I30:$INDEX_ALLOCATION/", reason=_CHARACTER),
    *_refused("G13", "Enable.ps1.", "Enable.ps1..", "dir./x", reason=_DROPPED),
    *_as_folder("G13", "dir.", reason=_DROPPED),
    *_refused("G14", "Enable.ps1 ", "x. .", "...", "....", " ", " x", "dir /x", "d/.. /x", "d/... /x", reason=_DROPPED),
    *_accepted("G14", ".hidden", "..x", "a b"),
]


def _pair(id: str, title: str, one: bytes, other: bytes, first: str, second: str) -> Case:  # noqa: A002 - as in Case
    """Two entries whose names some file system takes for one."""
    says = f"{second!a} and {first!a} are one name on some systems"
    return Case(id=id, title=title, push=scripts(one, other), says=says)


def _files(id: str, *pairs: tuple[str, str]) -> list[Case]:  # noqa: A002 - as in Case
    return [
        _pair(id, f"{first!a} and {second!a}", entry(first, b"x"), entry(second, b"x"), first, second)
        for first, second in pairs
    ]


_COLLISIONS: list[Case | Elsewhere] = [
    *_files("G15", ("Enable.ps1", "ENABLE.PS1"), ("d/a", "d/A")),
    _pair("G15", "files below 'Tmp' and 'tmp'", entry("Tmp/a"), entry("tmp/b"), "Tmp", "tmp"),
    _pair("G15", "folders 'Tmp' and 'tmp'", folder("Tmp"), folder("tmp"), "Tmp", "tmp"),
    _pair("G15", "a file 'Tmp' and a folder 'tmp'", entry("Tmp"), folder("tmp"), "Tmp", "tmp"),
    _pair("G15", "a folder 'Tmp' and a file 'tmp'", folder("Tmp"), entry("tmp"), "Tmp", "tmp"),
    Case(
        id="G15",
        title="'manifests/A.yaml' of the manifests layer and 'Manifests/a.yaml' of the scripts layer",
        push=layers(
            (media.MANIFESTS, gzipped(archive(entry("A.yaml", b"x")))),
            (media.SCRIPTS, gzipped(archive(entry("Manifests/a.yaml", b"x")))),
        ),
        says="'Manifests/a.yaml' and 'manifests/A.yaml' are one name on some systems",
    ),
    Case(
        id="G15",
        title="'ENABLE.PS1' in place of the former release's 'Enable.ps1', which goes",
        push=scripts(entry("ENABLE.PS1", b"x")),
        verdict="accepted",
        tree={"ENABLE.PS1": b"x"},
    ),
    Case(
        id="G15",
        title="'notes.txt' beside a local 'Notes.txt': where the file system tells them apart, both stay",
        push=scripts(entry("notes.txt", b"delivered")),
        verdict="accepted",
        local={"Notes.txt": b"mine"},
        tree={"notes.txt": b"delivered", "Notes.txt": b"mine"},
    ),
    Elsewhere(
        id="G15",
        title="the same where it does not (simulated): the delivered file stays whole, the local one is kept",
        verdict="accepted",
        tests=(
            "tests/unit/catalog/test_local.py::test_a_local_file_never_takes_the_place_of_a_delivered_one",
            "tests/unit/catalog/test_local.py::test_a_local_folder_where_the_release_has_a_file_waits_for_the_backups",
        ),
    ),
    *_files(
        "G16",
        ("\u0131.ps1", "I.ps1"),
        ("\u0131.ps1", "i.ps1"),
        ("\u0130.ps1", "i\u0307.ps1"),
        ("\u212a.ps1", "K.ps1"),
        ("\u212a.ps1", "k.ps1"),
        ("stra\xdfe", "STRASSE"),
        ("\u1e9e", "ss"),
        ("\ufb01", "FI"),
        ("\u017f", "S"),
        ("\u03c2", "\u03a3"),
    ),
    *_accepted("G16", "stra\xdfe.md"),
    *_files("G19", ("\u00e9.md", "e\u0301.md"), ("e\u0301.md", "\u00c9.md"), ("\u212b", "\u00e5")),
    *_accepted("G19", "e\u0301.md"),
]

_SHORT = "has the form of a short name (8.3) of Windows"
_CHARACTERS = [
    *_refused("G17", "PROGRA~1", "GIT~1", "ENABLE~1.PS1", "git~1/x", "d/A~12.YAM", "GI7EBA~1", "~1", reason=_SHORT),
    *_accepted("G17", "backup.yaml~", "a~b", "Enable.ps1~1"),
    *_refused("G18", *(f"a{character}b" for character in '<>:"|?*'), reason=_CHARACTER),
    *_refused("G18", *(f"a{chr(code)}b" for code in range(1, 0x20)), reason=_CHARACTER),
    *_refused(
        "G20",
        *(
            f"Enable{chr(code)}1sp.txt"
            for code in (
                *range(0x202A, 0x202F),  # bidi embedding and override
                *range(0x2066, 0x206A),  # bidi isolates
                *range(0x200B, 0x2010),  # zero width, joiners, marks of direction
                *(0x061C, 0x00AD, 0x2060, 0xFEFF, 0xE0001, 0xE0020, 0xE0061, 0xE007F),
            )
        ),
        reason=_CHARACTER,
    ),
    *_refused("G20", "\ufeffEnable.ps1", "a\u2028b", "a\u00a0b", "a\u3000b", "a\ue000b", "a\u0378b", reason=_CHARACTER),
    *(
        Case(
            id="G21",
            title=f"an unpaired surrogate, or a pair of them, as if UTF-16 were UTF-8: {ascii(name)[1:]}",
            push=scripts(entry(name, b"x")),
            says=f"{shown(name)}: not UTF-8",
        )
        for name in (b"a\xed\xa0\x80b", b"a\xed\xbf\xbfb", b"\xed\xa0\xbd\xed\xb8\x80.txt")
    ),
    *_refused(
        "G23",
        "desktop.ini",
        "d/Desktop.INI",
        "AUTORUN.INF",
        "run.lnk",
        "a.URL",
        "b.library-ms",
        "c.searchConnector-ms",
        "d.scf",
        reason="Windows Explorer acts on files of this name",
    ),
    *_accepted("G23", "settings.ini", "driver.inf", "lnk"),
    *_refused(
        "G25",
        "\uff0e\uff0e\uff0fevil",
        "a\uff0fb",
        "a\u2215b",
        "a\u2044b",
        "a\u2216b",
        "a\uff3cb",
        "C\uff1ax",
        "C\u2236x",
        "..\u2215evil",
        # Best fit to the code pages 932 and 949 makes a backslash of them.
        "..\u00a5evil",
        "..\u20a9evil",
        # ... and to 1252 what expands, matches, pipes or quotes.
        "\u066aPATH\u066a",
        "a\u2217",
        "a\u01c0b",
        "a\u02bab",
        "a\u030eb",
        reason=_CHARACTER,
    ),
    *_refused("G25", "\uff0e\uff0e", "\u2025/x", "a\u2026", reason=_DROPPED),
]

_ADDON, _IMPLEMENTATION = "a" * 64, "b" * 64


def _below_long_folders(member: bytes) -> Push:
    """An index with the installed addon and another, whose folder has the longest name that there is."""

    def push(registry: FakeRegistry) -> Digest:
        described = [
            registry.layer(content, kind)
            for kind, content in (
                (media.CONFIG_FILES, config_layer(manifest_yaml(_ADDON, _IMPLEMENTATION))),
                (media.SCRIPTS, gzipped(archive(member))),
            )
        ]
        other = registry.manifest_of({NAME: _ADDON, IMPLEMENTATION: _IMPLEMENTATION}, *described)
        return registry.index_of((scripts(entry("run.ps1", b"x"))(registry), {}), (other, {}))

    return push


def _whole_path(*parts: int) -> tuple[str, int]:
    """A relative path with components of these lengths, and the length of the whole path in the default folder."""
    path = "/".join("p" * part for part in parts)
    return path, len(f"C:\\k\\addons\\{_ADDON}\\{_IMPLEMENTATION}\\{path}")


_LENGTHS = [
    Case(
        id="G22",
        title=f"{what} whose whole path has {length} characters below 'C:\\k\\addons'",
        push=_below_long_folders(pax(record("path", path)) + member("fine")),
        says=f"{shown(path)}: the whole path has {length} characters",
    )
    for what, member, (path, length) in (
        ("a file", entry, _whole_path(59, 58)),
        ("a file", entry, _whole_path(59, 59, 60)),
        ("a folder", folder, _whole_path(52, 53)),
    )
]

_REPARSE_POINTS = Elsewhere(
    id="G24",
    title="reparse points: no archive can hold one; those on the disk are never followed (Windows: simulated)",
    tests=(
        "tests/fault/test_planted_links.py::test_a_planted_link_is_refused_and_never_followed",
        "tests/unit/catalog/test_filesystem.py::test_links_are_no_plain_folders",
    ),
)

CASES: tuple[Case | Elsewhere, ...] = (
    *_DEVICES,
    *_ROOTS,
    *_STREAMS,
    *_COLLISIONS,
    *_CHARACTERS,
    *_LENGTHS,
    _REPARSE_POINTS,
)
