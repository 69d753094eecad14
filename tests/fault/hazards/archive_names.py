"""Hazards A: names that lead elsewhere."""

from receiver.oci import media
from tests.support.hazards import Case, layers, scripts
from tests.support.tarwriter import GNU, archive, entry, folder, gzipped, header, long_name, pax, record

_EVIL = "evil"
_OUT = "../../../../../evil"
"""From the staged tree of the first unit to the file of this name beside the host."""


def _refused(id: str, *names: str | bytes, note: str = "", reason: str = "") -> list[Case]:  # noqa: A002 - as in Case
    """A case for each of ``names``, as a regular file."""
    return [
        Case(id=id, title=f"{note}{_plain(name)}", push=scripts(entry(name, b"x")), says=f"{_plain(name)}: {reason}")
        for name in names
    ]


def _plain(name: str | bytes) -> str:
    """As an error shows it: quoted, everything but printable ASCII escaped."""
    return ascii(name).removeprefix("b")


def _spelled(name: str) -> dict[str, bytes]:
    """A file with a name that does not stand in the plain field, by where it stands."""
    first, _, last = name.rpartition("/")
    return {
        "in the prefix of a ustar header": header(last, size=1, prefix=first.encode()) + b"x".ljust(512, b"\0"),
        "in a PAX path": pax(record("path", name)) + entry("fine", b"x"),
        "in a GNU long name": long_name(name.encode()) + entry("fine", b"x", magic=GNU),
    }


def _in_layer(kind: str, name: str) -> Case:
    """A name that leads out of the folder of its layer, though perhaps not out of the addon."""
    where = "manifests" if kind == media.MANIFESTS else "Helm"
    push = layers((kind, gzipped(archive(entry(name, b"x")))))
    return Case(id="A1", title=f"{_plain(name)} in the {where} layer", push=push, says=f"{name!r}: leads upwards")


_UPWARDS = [
    *_refused("A1", "../evil", _OUT, reason="leads upwards"),
    *(
        Case(id="A1", title=f"'../evil' {where}", push=scripts(member), says="'../evil': leads upwards")
        for where, member in _spelled("../evil").items()
    ),
    _in_layer(media.MANIFESTS, "../Enable.ps1"),
    _in_layer(media.HELM_CHARTS, "../../Enable.ps1"),
    *_refused("A2", "a/../../evil", "a/../evil", f"a/{_OUT}", reason="leads upwards"),
    *_refused("A3", "/abs", "/etc/passwd", reason="an absolute path"),
    *_refused("A4", "//abs", reason="an absolute path"),
    *_refused("A5", "/../abs", reason="an absolute path"),
    *_refused("A6", "./../evil", f"./{_OUT}", reason="leads upwards"),
    *_refused("A7", "..", note="as a file: ", reason="leads upwards"),
    *(
        Case(id="A7", title=f"as a folder: {name!r}", push=scripts(folder(name)), says=f"{name!r}: leads upwards")
        for name in ("..", "../", "a/..", f"{_OUT}/")
    ),
]

_EMPTY = [
    *_refused("A8", "", note="as a file: ", reason="an empty name"),
    Case(id="A8", title="as a folder: ''", push=scripts(folder("")), says="'': an empty name"),
    Case(
        id="A8",
        title="as a symbolic link: ''",
        push=scripts(header("", kind=b"2", link=b"../evil")),
        says="'': a symbolic link",
    ),
    Case(
        id="A8",
        title="an empty PAX path over a good name",
        push=scripts(pax(record("path", "")) + entry("fine", b"x")),
        says="'': an empty name",
    ),
    Case(
        id="A8",
        title="an empty GNU long name over a good name",
        push=scripts(long_name(b"\0") + entry("fine", b"x", magic=GNU)),
        says="'': an empty name",
    ),
    Case(
        id="A8",
        title="an empty name with a prefix",
        push=scripts(header("", prefix=b"a")),
        says="'a/': a file with the name of a folder",
    ),
    *_refused("A9", ".", "./", note="as a file: ", reason="a file with the name of a folder"),
    *(
        Case(
            id="A9",
            title=f"as a folder, before a file with that beginning: {name!r}",
            push=scripts(folder(name), entry("./run.ps1", b"x")),
            verdict="normalised",
            tree={"run.ps1": b"x"},
        )
        for name in (".", "./")
    ),
]

_REPEATED = [
    *(
        Case(
            id="A10",
            title=f"{name!r}, which names 'a/b'",
            push=scripts(entry(name, b"x")),
            verdict="normalised",
            tree={"a/b": b"x"},
        )
        for name in ("a//b", "a/./b", ".//a/././b")
    ),
    *(
        Case(
            id="A10",
            title=f"'a/b', and {name!r} with {what} content",
            push=scripts(entry("a/b", b"x"), entry(name, content)),
            says="'a/b' is in one layer twice",
        )
        for name in ("a//b", "a/./b")
        for what, content in (("other", b"y"), ("the same", b"x"))
    ),
]

_CHARACTERS = [
    *_refused("A11", "..\\evil", "a\\..\\..\\evil", "a\\b", "\\abs", reason="the character '\\\\' is not portable"),
    *_refused("A12", "..%2fevil", "..%2Fevil", "%2e%2e/evil", "100%", reason="the character '%' is not portable"),
    *_refused(
        "A13",
        b"..\xc0\xafevil",
        b"\xc0\xae\xc0\xae/evil",
        b"..\xe0\x80\xafevil",
        b"..\xf0\x80\x80\xafevil",
        b"\xff\xfe.",
        b"caf\xe9.ps1",
        b"a\xf4\x90\x80\x80",
        b"cut\xe2\x82",
        reason="not UTF-8",
    ),
    Case(
        id="A13",
        title="'..\\xc0\\xafevil' in a PAX path",
        push=scripts(pax(record("path", b"..\xc0\xafevil")) + entry("fine", b"x")),
        says="'..\\xc0\\xafevil': not UTF-8",
    ),
    Case(
        id="A14",
        title="NUL in the name of a ustar header, with more after it",
        push=scripts(entry(b"ok\0../../evil", b"x")),
        says="'ok\\x00../../evil': text after the end of a name",
    ),
    Case(
        id="A14",
        title="NUL in the prefix of a ustar header, with more after it",
        push=scripts(header("x", prefix=b"ok\0../..")),
        says="'ok\\x00../..': text after the end of a name",
    ),
    Case(
        id="A14",
        title="NUL in a PAX path: 'ok\\x00../../evil'",
        push=scripts(pax(record("path", "ok\0../../evil")) + entry("ok", b"x")),
        says="'ok\\x00../../evil'",
    ),
    Case(
        id="A14",
        title="NUL in a GNU long name: 'ok\\x00../../evil'",
        push=scripts(long_name(b"ok\0../../evil\0") + entry("ok", b"x", magic=GNU)),
        says="'ok\\x00../../evil': a GNU long name with more after its end",
    ),
    *_refused(
        "A15",
        "run.ps1\nlevel=INFO msg=installed",
        "a\rb",
        "a\tb",
        "a\x1b[2Jb",
        "a\x1b]0;title\x07b",
        "a\x08\x08b",
        "a\x7fb",
        "a\x80b",
        "a\x85b",
        "a\x9b31mb",
        "a\u2028b",
        reason="the character",
    ),
]

_SPLIT = [
    *(
        Case(
            id="A16",
            title=f"prefix {prefix!r} and name {name!r}",
            push=scripts(header(name, prefix=prefix.encode())),
            says=f"'{prefix}/{name}': {reason}",
        )
        for prefix, name, reason in (
            ("..", "evil", "leads upwards"),
            ("a/..", "../evil", "leads upwards"),
            ("a", "../../evil", "leads upwards"),
            (_OUT.removesuffix("/evil"), _EVIL, "leads upwards"),
            ("/", "abs", "an absolute path"),
            ("a", "..", "leads upwards"),
        )
    ),
    Case(
        id="A16",
        title="prefix 'a/.' and name './b': 'a/../b' only to a reader that joins without a slash",
        push=scripts(header("./b", size=1, prefix=b"a/.") + b"x".ljust(512, b"\0")),
        verdict="normalised",
        tree={"a/b": b"x"},
    ),
]

_FILLS_NAME = "n" * 96 + ".ps1"
_FILLS_PREFIX = "/".join(["p" * 51, "p" * 51, "p" * 51])


def _long(*parts: int) -> str:
    """A path whose components have these lengths."""
    return "/".join("l" * part for part in parts)


def _by_pax(name: str) -> bytes:
    return pax(record("path", name)) + entry("fine", b"x")


_LENGTHS = [
    Case(
        id="A17",
        title="100 bytes, which fill the field of the name: it has no NUL",
        push=scripts(entry(_FILLS_NAME, b"x")),
        verdict="accepted",
        tree={_FILLS_NAME: b"x"},
    ),
    Case(
        id="A17",
        title="with a prefix, 180 bytes: the limit of a path",
        push=scripts(header("n" * 79, prefix=b"p" * 100)),
        verdict="accepted",
        tree={"p" * 100 + "/" + "n" * 79: b""},
    ),
    Case(
        id="A17",
        title="by PAX, 101 bytes, one more than the field holds",
        push=scripts(_by_pax("n" * 101)),
        verdict="accepted",
        tree={"n" * 101: b"x"},
    ),
    *(
        Case(
            id="A17",
            title=f"{length} bytes {where}",
            push=scripts(member),
            says=f"...: {length} characters, the limit of a path is 180",
        )
        for length, where, member in (
            (181, "with a prefix", header("n" * 80, prefix=b"p" * 100)),
            (255, "with a prefix", header("n" * 99, prefix=_FILLS_PREFIX.encode())),
            (256, "with a prefix: both fields are full", header(_FILLS_NAME, prefix=_FILLS_PREFIX.encode())),
            (255, "by PAX", _by_pax(_long(127, 127))),
            (256, "by PAX", _by_pax(_long(127, 128))),
            (257, "by PAX", _by_pax(_long(128, 128))),
            (257, "by a GNU long name", long_name(_long(128, 128).encode()) + entry("fine", b"x", magic=GNU)),
        )
    ),
    *_refused("A18", "a/", "a/b//", "a/.", reason="a file with the name of a folder"),
    *(
        Case(
            id="A19",
            title=f"{name!r}, never expanded",
            push=scripts(entry(name, b"x")),
            verdict="accepted",
            tree={name: b"x"},
        )
        for name in ("~/x", "~root/x", "$HOME/x", "${HOME}/x", "$(id)", "`id`")
    ),
    *_refused("A19", "%SYSTEMROOT%\\x", "%SYSTEMROOT%/x", note="shells of Windows would expand it: "),
    *(
        Case(id="A20", title=title, push=scripts(member), says=says)
        for title, member, says in (
            ("a component of 129 characters", _by_pax(_long(129)), "...: a component of 129 characters"),
            ("a component of 256 characters", _by_pax(_long(256)), "...: a component of 256 characters"),
            ("a path of 1,999 characters, 16 levels deep", _by_pax(_long(*[124] * 16)), "...: 1999 characters"),
            ("a path of 4,999 characters, 50 levels deep", _by_pax(_long(*[99] * 50)), "...: 50 levels deep"),
            (
                "128 characters of three bytes each, more than Linux keeps in a name",
                _by_pax("\u8a9e" * 128),
                "...: a component of ",
            ),
            ("a component of 5,000 characters", _by_pax(_long(5000)), "...: a component of 5000 characters"),
            (
                "5,000 characters in a GNU long name",
                long_name(b"l" * 5000) + entry("fine", b"x", magic=GNU),
                "an extension header of 5000 bytes, the limit is 4096",
            ),
        )
    ),
    Case(
        id="A21",
        title="16 levels: the limit",
        push=scripts(entry("/".join("d" * 16), b"x")),
        verdict="accepted",
        tree={"/".join("d" * 16): b"x"},
    ),
    *(
        Case(
            id="A21",
            title=f"{levels:,} levels, {'a folder' if member is folder else 'a file'}",
            push=scripts(pax(record("path", "/".join("d" * levels))) + member("fine")),
            says=f": {levels} levels deep, the limit is 16",
        )
        for levels in (17, 2000)
        for member in (entry, folder)
    ),
]

_PLACES = [
    *(
        Case(id="A22", title=title, push=scripts(*members), says="'a' is a file and a folder")
        for title, members in {
            "a file 'a', then a file 'a/b'": (entry("a", b"x"), entry("a/b", b"x")),
            "a file 'a/b', then a file 'a'": (entry("a/b", b"x"), entry("a", b"x")),
            "a file 'a', then a folder 'a'": (entry("a", b"x"), folder("a")),
            "a folder 'a', then a file 'a'": (folder("a"), entry("a", b"x")),
            "a file 'a', then a folder 'a/b'": (entry("a", b"x"), folder("a/b")),
        }.items()
    ),
    Case(
        id="A22",
        title="a file 'manifests' in the scripts layer, and a manifests layer",
        push=layers(
            (media.SCRIPTS, gzipped(archive(entry("manifests", b"x")))),
            (media.MANIFESTS, gzipped(archive(entry("a.yaml", b"x")))),
        ),
        says="'manifests' is a file and a folder",
    ),
    *_refused(
        "A23",
        "../stage-evil/x",
        "../unit-0-evil/x",
        "../monitoring-evil/x",
        note="a sibling whose name begins alike: ",
        reason="leads upwards",
    ),
]

CASES = (*_UPWARDS, *_EMPTY, *_REPEATED, *_CHARACTERS, *_SPLIT, *_LENGTHS, *_PLACES)
