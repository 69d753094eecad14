"""Names from archives: what may become a path, on every system."""

import pytest

from receiver.catalog.names import EntryPath, NameLimits, shown, tellable
from receiver.document import decode, encode
from receiver.errors import UnsafeArchive

LIMITS = NameLimits()

TRAVERSAL = [
    "../evil", "a/../../evil", "a/../b", "/abs", "//abs", "/../abs", "./../evil", "..", "a/..", "..\\evil",
    "a\\..\\..\\evil",
    "..%2fevil", "a\0b", "ok\0../../evil", "a\nb", "a\x1b[31m", "a\x85b", "a\x7fb", "../stage-evil/x",
    "%SYSTEMROOT%\\x",
]  # fmt: skip
WINDOWS = [
    "CON", "prn", "Aux.txt", "nul", "NUL.tar.gz", "com1", "COM9.ps1", "lpt0", "COM¹", "lpt³.txt", "CONIN$", "conout$",
    "CLOCK$",
    "nul .txt", "NUL:", "a/nul : a", "nul/x", "C:foo", "C:", "c:\\x", "a/../c:", "\\\\srv\\share\\x", "//srv/share/x",
    "\\\\?\\C:\\x", "\\??\\C:\\x", "a.ps1:evil", "a.ps1::$DATA", ":x", "d::$INDEX_ALLOCATION", "Enable.ps1.", "dir./x",
    "x. .", "...", "a ", " a", "PROGRA~1", "git~1/x", "ENABLE~1.PS1", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b",
    "desktop.ini",
    "x/AUTORUN.INF", "run.lnk", "a.url/x", "b.library-ms", "c.scf",
]  # fmt: skip
UNICODE = [
    "a\u202eb", "a\u2066b", "a\u200bb", "a\u200db", "\ufeffa", "a\U000e0041", "．．／x", "‥/x", "．．", "a／b",
    "a∕b", "a⁄b", "a＼b",
    "C：x", "ＣＯＮ", "a\u2028b", "a\u00a0b", "a\ud800b", "a\ue000b", "x…", "a\u0378b",
]  # fmt: skip
FINE = [
    "a", "Enable.ps1", ".helmignore", "a/b/c.yaml", "_x/-y", "~/x", "$HOME/x", "a b.txt", "ünïcode.md", "日本.txt",
    "console.ps1", "com10.txt",
    "nullable", "a~b", "backup.yaml~", "templates/_helpers.tpl", "x.ini", "y.inf", "[a](b){c}=d,e+f@g#h!&'",
    "lnk",
]  # fmt: skip


@pytest.mark.parametrize("name", [*TRAVERSAL, *WINDOWS, *UNICODE, ""])
@pytest.mark.parametrize("folder", [False, True])
def test_a_name_that_is_not_portable_is_refused(name: str, folder: bool) -> None:
    """Hazards A and G: on Linux too, whether it names a file or a folder."""
    with pytest.raises(UnsafeArchive):
        EntryPath.parse(name, limits=LIMITS, folder=folder)


@pytest.mark.parametrize("name", FINE)
def test_names_of_real_addons_are_taken_as_they_are(name: str) -> None:
    """Strict is not the same as useless."""
    assert EntryPath.parse(name, limits=LIMITS) == name


@pytest.mark.parametrize(
    ("text", "path"), [("./a", "a"), ("a//b", "a/b"), ("a/./b", "a/b"), ("././a/b", "a/b")]
)  # fmt: skip
def test_what_changes_nothing_is_dropped(text: str, path: str) -> None:
    """A10: bsdtar writes ./ before each name."""
    assert EntryPath.parse(text, limits=LIMITS) == path


@pytest.mark.parametrize(("text", "path"), [("a/", "a"), ("./", ""), (".", ""), ("./a//", "a"), ("a/.", "a")])
def test_a_folder_may_end_with_a_slash_or_be_the_place_itself(text: str, path: str) -> None:
    """A9: ``./`` as a folder is the place itself."""
    assert EntryPath.parse(text, limits=LIMITS, folder=True) == path


@pytest.mark.parametrize("text", ["a/", ".", "./", "a/.", "a/b//"])
def test_a_file_does_not_end_like_a_folder(text: str) -> None:
    """A9, A18: readers disagree on what such a file is."""
    with pytest.raises(UnsafeArchive, match="a file with the name of a folder"):
        EntryPath.parse(text, limits=LIMITS)


@pytest.mark.parametrize(
    ("at_limit", "reason"),
    [
        ("/".join("d" * 16), "levels deep, the limit is 16"),
        ("x" * 128, "the limit is 128"),
        ("é" * 127, "the limit is 128"),
        ("/".join(["p" * 59] * 3), "the limit of a path is 180"),
        ("/".join(["é" * 59] * 3), "the limit of a path is 180"),
    ],
)
def test_each_length_is_taken_at_its_limit_and_refused_above(at_limit: str, reason: str) -> None:
    """A20, A21, G22, for names of plain letters and for others; the limit is in the text."""
    deeper = at_limit + "/d" if "deep" in reason else at_limit + at_limit[-1] * 2
    assert EntryPath.parse(at_limit, limits=LIMITS) == at_limit
    with pytest.raises(UnsafeArchive, match=reason):
        EntryPath.parse(deeper, limits=LIMITS)


def test_a_name_longer_than_file_systems_take_is_refused_here() -> None:
    """128 characters of three bytes are more than NAME_MAX: not an error of the disk that time could cure."""
    with pytest.raises(UnsafeArchive, match="a component"):
        EntryPath.parse("語" * 86, limits=LIMITS)


def test_a_smaller_path_limit_holds_for_plain_names_too() -> None:
    """The short cut for plain names knows every limit."""
    with pytest.raises(UnsafeArchive, match="the limit of a path is 20"):
        EntryPath.parse("a" * 21, limits=NameLimits(max_path=20))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Enable.ps1", "ENABLE.PS1"),
        ("ı", "I"),
        ("ı", "i"),
        ("K", "k"),
        ("straße", "STRASSE"),
        ("ẞ", "ss"),
        ("ﬁle", "file"),
        ("\u00e9", "e\u0301"),
        ("ſ", "S"),
        ("Ω", "ω"),
        ("dir/A", "DIR/a"),
    ],
)
def test_names_that_some_system_takes_for_one_collide(one: str, other: str) -> None:
    """B20, G15, G16, G19."""
    assert EntryPath(one).collision_key == EntryPath(other).collision_key


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("é", "e"), ("a/b", "a-b"), ("o", "0")])
def test_different_names_do_not_collide(one: str, other: str) -> None:
    """The rule must not refuse what every system keeps apart."""
    assert EntryPath(one).collision_key != EntryPath(other).collision_key


def test_a_message_shows_names_escaped_and_cut() -> None:
    """A15: what is logged later cannot forge a line or fill the log."""
    with pytest.raises(UnsafeArchive) as caught:
        EntryPath.parse("a\n\x1b]0;x\u202e" + "y" * 5000, limits=LIMITS)
    text = str(caught.value)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 300
    assert shown(b"\xff") == "b'\\xff'"


def test_the_name_of_an_operators_file_can_always_be_told() -> None:
    """Linux takes any bytes for a name; what is stored and sent is text."""
    assert tellable("a/ü \udcff.txt") == "a/ü \\udcff.txt"
    assert decode(encode(tellable("\udcff")), str) == "\\udcff"
