"""Random archives: whatever a good writer writes is read, and nothing else ever raises anything but a refusal."""

import io
import tarfile
import unicodedata
from collections.abc import Iterator

from hypothesis import example, given, settings
from hypothesis import strategies as st

from receiver.catalog import names
from receiver.catalog.archive import Budget, entries
from receiver.catalog.names import EntryPath, NameLimits
from receiver.errors import UnsafeArchive
from tests.support.tarwriter import BLOCK, archive, entry, header, pax, record

LIMITS = NameLimits()
words = st.text(st.sampled_from("abcdefgh01-_é日"), min_size=1, max_size=40).filter(lambda text: text.strip("-") != "")
paths = st.lists(words, min_size=1, max_size=4).map("/".join).filter(lambda path: len(path) <= 150)
trees = st.dictionaries(paths, st.binary(max_size=2000), max_size=8)
steps = st.integers(1, 3000)


def cut(data: bytes, step: int) -> Iterator[bytes]:
    return (data[at : at + step] for at in range(0, len(data), step))


@settings(deadline=None)
@given(trees, steps, st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_what_a_good_writer_writes_is_read(tree: dict[str, bytes], step: int, form: int) -> None:
    """All formats, any names that are portable, any cut of the stream."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as writer:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            try:
                writer.addfile(info, io.BytesIO(content))
            except ValueError:  # ustar cannot hold the name
                return
    found = {item.path: b"".join(item.content) for item in entries(cut(target.getvalue(), step), Budget())}
    assert found == tree


blocks = st.one_of(
    st.builds(entry, st.binary(max_size=100), st.binary(max_size=600)),
    st.builds(
        header,
        st.binary(max_size=100),
        size=st.one_of(st.integers(0, 2**33 - 1), st.binary(min_size=12, max_size=12)),
        kind=st.binary(min_size=1, max_size=1),
        prefix=st.binary(max_size=155),
        magic=st.sampled_from([b"ustar\x0000", b"ustar  \0"]),
    ),
    st.lists(st.builds(record, st.sampled_from(["path", "size", "mtime", "x"]), st.binary(max_size=50))).map(
        lambda records: pax(*records)
    ),
    st.binary(max_size=600).map(pax),
    st.binary(min_size=BLOCK, max_size=BLOCK),
    st.just(bytes(BLOCK)),
)


@settings(deadline=None)
@given(st.lists(blocks, max_size=6), steps)
def test_garbage_is_refused_and_never_an_accident(parts: list[bytes], step: int) -> None:
    """RecursionError, OverflowError, MemoryError and UnicodeError all came out of other readers."""
    try:
        for item in entries(cut(archive(*parts), step), Budget()):
            assert len(b"".join(item.content)) == item.size
            judged_again(item.path)
    except UnsafeArchive as error:
        assert str(error).isascii()  # noqa: PT017  # a refusal is one of two good outcomes
        assert str(error).isprintable()  # noqa: PT017  # as above


def judged_again(path: EntryPath) -> None:
    assert path == "" or EntryPath.parse(path, limits=LIMITS) == path


tricky = st.text(
    st.one_of(st.sampled_from("aZ09./\\:~ -_%$conCONlpt1nkurl"), st.characters(codec="utf-8")), min_size=1, max_size=30
)


@settings(deadline=None)
@given(tricky)
@example("con.lnk")
@example("a/desktop.ini")
@example("x.LNK/y")
@example("a./b")
@example("ſon")
def test_the_short_cut_for_plain_names_judges_like_the_rules(text: str) -> None:
    """One expression passes most names: it must pass none that the rules refuse or change."""
    if names._PLAIN.match(text) is None:
        return
    assert text.isascii()
    for component in text.split("/"):
        names._judge_component(component, LIMITS.max_component)


@settings(deadline=None)
@given(tricky)
def test_a_path_that_passes_is_stable_and_safe(text: str) -> None:
    """Parsing twice is parsing once, and no normal form of a path means something else."""
    try:
        path = EntryPath.parse(text, limits=LIMITS)
    except UnsafeArchive:
        return
    judged_again(path)
    for form in (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFKC", path), path.upper()):
        assert ".." not in form.split("/")
        assert not set(form) & set('\\:*?"<>|\0')
        assert not form.startswith("/")


@settings(deadline=None)
@given(tricky)
def test_every_simple_change_of_case_or_form_has_the_same_collision_key(text: str) -> None:
    """G16: NFKC, case folding, upper and lower case, decomposed and composed."""
    key = EntryPath(text).collision_key
    changed = [text.casefold(), text.upper(), *(unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC"))]
    assert {EntryPath(form).collision_key for form in changed} == {key}
