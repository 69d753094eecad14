"""Hazards B: links. Each of these archives led some reader astray; here its first link is the end of it."""

from receiver.oci import media
from tests.support.hazards import Case, Push, layers, scripts
from tests.support.tarwriter import archive, entry, folder, gzipped, header, pax, record

_UP = "../../../../.."
"""From the staged tree of the first unit to the folder around the host, which holds ``evil`` and ``etc/passwd``."""
_LIVE_UP = "../../.."
"""To the same folder from the addon's in the catalogue, where the link would lie later."""


def _symbolic(name: str, target: str, content: bytes = b"") -> bytes:
    return entry(name, content, kind=b"2", link=target.encode())


def _hard(name: str, target: str, content: bytes = b"") -> bytes:
    return entry(name, content, kind=b"1", link=target.encode())


def _case(id: str, title: str, *members: bytes, says: str) -> Case:  # noqa: A002 - as in Case
    return Case(id=id, title=title, push=scripts(*members), says=says)


def _by_symbolic(id: str, title: str, *members: bytes, name: str) -> Case:  # noqa: A002 - as in Case
    """Refused for the symbolic link ``name``."""
    return _case(id, title, *members, says=f"'{name}': a symbolic link")


def _by_hard(id: str, title: str, *members: bytes, name: str) -> Case:  # noqa: A002 - as in Case
    """Refused for the hard link ``name``."""
    return _case(id, title, *members, says=f"'{name}': a hard link")


def _path_max_chain(length: int) -> list[bytes]:
    """Folders with long names, and a short link to each: resolved, the path outgrows PATH_MAX and is not checked."""
    steps, long = "abcdefghijklmnop", "d" * length
    members: list[bytes] = []
    path = ""
    for step in steps:
        members += [_long(path + long, kind=b"5"), _long(path + step, kind=b"2", target=long)]
        path += f"{long}/"
    way_out = f"{'/'.join(steps)}/{'l' * 254}"
    members += [_long(way_out, kind=b"2", target="../" * len(steps))]
    return [*members, _long("escape", kind=b"2", target=f"{way_out}/{_UP}"), entry("escape/evil", b"x")]


def _long(name: str, *, kind: bytes, target: str = "") -> bytes:
    """A member whose names stand in PAX records where their fields are too short."""
    records = [record(key, text) for key, text in (("path", name), ("linkpath", target)) if len(text) > 100]
    before = pax(*records) if records else b""
    return before + header(name[:100], kind=kind, link=target.encode()[:100])


def _in_config_layer(member: bytes) -> Push:
    return layers((media.CONFIG_FILES, gzipped(archive(member))), manifest=None)


_SYMBOLIC = [
    *(
        _by_symbolic("B1", f"symbolic link to {target!r}", _symbolic("escape", target), name="escape")
        for target in ("/etc/passwd", "/", "//host/share")
    ),
    Case(
        id="B1",
        title="symbolic link 'addon.manifest.yaml' to '/etc/passwd'",
        push=_in_config_layer(_symbolic("addon.manifest.yaml", "/etc/passwd")),
        says="'addon.manifest.yaml': a symbolic link",
    ),
    *(
        _by_symbolic("B2", f"symbolic link 'd/escape' to {target!r}", _symbolic("d/escape", target), name="d/escape")
        for target in (f"../{_UP}/evil", f"../{_LIVE_UP}/evil", "../../common/shared.ps1", ".")
    ),
    _by_symbolic("B2", "symbolic link to a file of the archive", entry("a", b"x"), _symbolic("b", "a"), name="b"),
    *(
        _by_symbolic(
            "B3",
            f"symbolic link 'run.ps1' to {target!r}, then a file 'run.ps1'",
            _symbolic("run.ps1", target),
            entry("run.ps1", b"x"),
            name="run.ps1",
        )
        for target in (f"{_UP}/evil", f"{_LIVE_UP}/evil", "/etc/passwd")
    ),
    _by_symbolic(
        "B4", "symbolic link 'd' upwards, then a file 'd/evil'", _symbolic("d", _UP), entry("d/evil", b"x"), name="d"
    ),
    _by_symbolic(
        "B4", "the same with a folder 'd/' between", _symbolic("d", _UP), folder("d/"), entry("d/evil", b"x"), name="d"
    ),
    _by_symbolic(
        "B5",
        "'cur' to '.', 'par' to 'cur/..', then a file 'par/x'",
        _symbolic("cur", "."),
        _symbolic("par", "cur/.."),
        entry("par/x", b"x"),
        name="cur",
    ),
    _by_symbolic(
        "B6",
        "'cur' to '.', 'cur/par' to '..', then a file 'par/x'",
        _symbolic("cur", "."),
        _symbolic("cur/par", ".."),
        entry("par/x", b"x"),
        name="cur",
    ),
    _by_symbolic(
        "B7",
        "'escape' to 'd/d/../..', which dangles until the folders come (CVE-2025-4138)",
        _symbolic("escape", f"d/d/../../{_UP}"),
        folder("d/d"),
        entry("escape/evil", b"x"),
        name="escape",
    ),
    _by_symbolic(
        "B8", "a chain of 16 links with names of 100 characters (CVE-2025-4517)", *_path_max_chain(100), name="a"
    ),
    _case(
        "B8",
        "the same with names of 247 characters, as it was published",
        *_path_max_chain(247),
        says="...: a component of 247 characters",
    ),
]

_HARD = [
    _by_symbolic(
        "B9",
        "symbolic link that dangles, then a hard link to it (CVE-2025-4330)",
        _symbolic("dangling", f"{_UP}/not-there"),
        _hard("run.ps1", "dangling"),
        entry("run.ps1", b"x"),
        name="dangling",
    ),
    _by_symbolic(
        "B10",
        "symbolic link 'a/b/c' to '../../d', harmless there, then a hard link 'c' to it (CVE-2026-11940)",
        _symbolic("a/b/c", "../../d"),
        _hard("c", "a/b/c"),
        entry("c/evil", b"x"),
        name="a/b/c",
    ),
    _by_symbolic(
        "B11",
        "symbolic link to a file, then a hard link to it",
        _symbolic("live", f"{_UP}/evil"),
        _hard("run.ps1", "live"),
        entry("run.ps1", b"x"),
        name="live",
    ),
    *(
        _by_hard(
            id, f"{title}, in front of its target", _hard("run.ps1", target), _symbolic(target, "x"), name="run.ps1"
        )
        for id, title, target in (  # noqa: A001 - as in Case
            ("B9", "hard link to a symbolic link that dangles", "dangling"),
            ("B10", "hard link to a deeper symbolic link", "a/b/c"),
            ("B11", "hard link to a symbolic link", "live"),
        )
    ),
    *(
        _by_hard(id, f"hard link to {target!r}", _hard("run.ps1", target), name="run.ps1")
        for id, target in (  # noqa: A001 - as in Case
            ("B12", "../../etc/passwd"),
            ("B12", f"{_UP}/etc/passwd"),
            ("B12", f"{_LIVE_UP}/etc/passwd"),
            ("B13", "/etc/passwd"),
        )
    ),
    _by_symbolic(
        "B14",
        "symbolic link 'd' upwards, then a hard link to 'd/etc/passwd'",
        _symbolic("d", _UP),
        _hard("run.ps1", "d/etc/passwd"),
        name="d",
    ),
    *(
        _by_hard(
            "B15",
            f"hard link to {target!r}, which is there below the process's working folder (GHSA-fxhp-mv3v-67qp)",
            _hard("run.ps1", target),
            name="run.ps1",
        )
        for target in ("pyproject.toml", "receiver/errors.py")
    ),
    _by_hard(
        "B16",
        "hard link 'run.ps1' upwards, then a file 'run.ps1' to write through it",
        _hard("run.ps1", f"{_UP}/evil"),
        entry("run.ps1", b"x"),
        name="run.ps1",
    ),
    _by_hard(
        "B16",
        "hard link to a file of the archive, then a file over it",
        entry("a", b"x"),
        _hard("b", "a"),
        entry("b", b"y"),
        name="b",
    ),
]

_NAMES = [
    *(
        _by_symbolic("B17", f"symbolic link named {name!r}", _symbolic(name, _UP), entry("evil", b"x"), name=name)
        for name in ("..", "", ".", "a/", "a/..")
    ),
    _by_symbolic(
        "B18",
        "symbolic link 'd' upwards, then a folder 'd' with mode 0777 (tar-rs: the mode of the target changed)",
        _symbolic("d", f"{_UP}/etc"),
        folder("d", mode=b"0000777\0"),
        name="d",
    ),
    _by_symbolic(
        "B18", "a folder 'd', then a symbolic link 'd'", folder("d"), _symbolic("d", _UP), entry("d/evil"), name="d"
    ),
    _by_symbolic(
        "B19",
        "symbolic link 'Tmp' to '/', then a file 'tmp/x'",
        _symbolic("Tmp", "/"),
        entry("tmp/x", b"x"),
        name="Tmp",
    ),
    *(
        _case(
            "B20",
            f"symbolic link {link!a} upwards, then a file below {file!a} (GHSA-r6q2-hw4h-h46w)",
            _symbolic(link, _UP),
            entry(f"{file}/evil", b"x"),
            says=f"{link.encode()!r}: a symbolic link",
        )
        for link, file in (("ß", "SS"), ("SS", "ß"), ("ﬁ", "FI"), ("\u00e9", "e\u0301"))
    ),
]

_TARGETS = [
    case
    for id, targets in {  # noqa: A001 - as in Case
        "B21": ("C:..\\..\\x", "C:x", "C:\\x", "c:/x"),
        "B22": (
            "\\\\srv\\share\\x",
            "\\\\?\\C:\\x",
            "\\\\.\\C:\\x",
            "\\??\\C:\\x",
            "\\??\\UNC\\srv\\share",
            "//?/C:/x",
            "\\\\?\\Volume{0}\\x",
        ),
    }.items()
    for target in targets
    for case in (
        _by_symbolic(id, f"symbolic link to {target!r}", _symbolic("escape", target), name="escape"),
        _by_hard(id, f"hard link to {target!r}", _hard("escape", target), name="escape"),
    )
]

_SMUGGLED = entry("hidden.ps1", b"x")
_PAYLOADS = [
    _by_symbolic("B23", "symbolic link with a hidden entry as content", _symbolic("a", "b", _SMUGGLED), name="a"),
    _by_hard("B23", "hard link with a hidden entry as content", _hard("a", "b", _SMUGGLED), name="a"),
    _by_hard(
        "B23",
        "hard link that claims a size and has no content: the next header would be skipped",
        header("a", size=1024, kind=b"1", link=b"b"),
        entry("hidden.ps1", b"x"),
        name="a",
    ),
]


def _two_layers(first: tuple[str, bytes], second: tuple[str, bytes]) -> Push:
    return layers(*((kind, gzipped(archive(member))) for kind, member in (first, second)))


_ACROSS = [
    Case(
        id="B24",
        title=f"the {first} layer plants a link, the {second} layer writes through it (CVE-2025-45582)",
        push=_two_layers(plant, write),
        says=f"'{name}': a symbolic link",
    )
    for first, second, plant, write, name in (
        (
            "manifests",
            "scripts",
            (media.MANIFESTS, _symbolic("d", f"../{_UP}")),
            (media.SCRIPTS, entry("manifests/d/evil", b"x")),
            "d",
        ),
        (
            "scripts",
            "Helm",
            (media.SCRIPTS, _symbolic("manifests", _UP)),
            (media.HELM_CHARTS, entry("evil", b"x")),
            "manifests",
        ),
        (
            "scripts",
            "second scripts",
            (media.SCRIPTS, _symbolic("d", _UP)),
            (media.SCRIPTS, entry("d/evil", b"x")),
            "d",
        ),
    )
]

CASES = (*_SYMBOLIC, *_HARD, *_NAMES, *_TARGETS, *_PAYLOADS, *_ACROSS)
