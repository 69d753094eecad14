"""From a layer to files: what is written, what is refused, and what is left when it fails."""

import errno
import hashlib
import importlib.util
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from receiver.catalog import staging
from receiver.catalog.archive import Budget
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.staging import StagedTree, unpack
from receiver.errors import CatalogError, InstallError, UnsafeArchive
from tests.support.tarwriter import entry, folder, write_layer

MANIFEST = "addon.manifest.yaml"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[StagedTree]:
    with StagedTree(tmp_path / "tree", Budget()) as staged:
        yield staged


@pytest.fixture(params=["folder descriptors", "paths"])
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With folder descriptors, and without them as on Windows."""
    if request.param == "paths":
        monkeypatch.setattr(staging, "_HAS_FOLDER_DESCRIPTORS", False)


def put(tree: StagedTree, *parts: bytes, prefix: str = "", capture: tuple[str, ...] = ()) -> dict[str, bytes]:
    layer = write_layer(tree.root.parent / "layer", *parts)
    return unpack(layer, size=layer.stat().st_size, tree=tree, prefix=prefix, capture=capture)


def on_disk(root: Path) -> dict[str, bytes | None]:
    return {path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes() for path in root.rglob("*")}


def stage(root: Path, *layers: list[bytes], after_first: Callable[[StagedTree], object] | None = None) -> None:
    """A tree of several layers; ``after_first`` happens once the first one is unpacked."""
    with StagedTree(root, Budget()) as tree:
        for parts in layers:
            put(tree, *parts)
            if after_first is not None and parts is layers[0]:
                after_first(tree)


def open_descriptors() -> set[str]:
    """What this process has open, where the system shows it."""
    links = [Path(entry.path) for entry in os.scandir("/proc/self/fd")] if sys.platform == "linux" else []
    return {str(link.readlink()) for link in links if link.exists()}


@pytest.mark.usefixtures("_system")
def test_a_layer_becomes_a_tree(tmp_path: Path) -> None:
    """Files, folders, folders that only files imply, empty ones; in the order of the archive, back and forth."""
    large = os.urandom(1_500_000)
    with StagedTree(tmp_path / "tree", Budget()) as tree:
        put(
            tree, folder("./"), folder("./d/"), entry("./d/a", b"1"), entry("x/y/z", b"2"), entry("d/b", large),
            folder("e"), entry("top", b""), entry("x/y/w", b"3"), folder("d/"), entry("d/s/t", b"4"),
        )  # fmt: skip
    content = {"d/a": b"1", "x/y/z": b"2", "d/b": large, "top": b"", "x/y/w": b"3", "d/s/t": b"4"}
    folders = {"d", "x", "x/y", "e", "d/s"}
    assert on_disk(tmp_path / "tree") == {**content, **dict.fromkeys(folders)}
    assert tree.folders == folders
    assert {path: file.size for path, file in tree.files.items()} == {p: len(c) for p, c in content.items()}
    assert {path: file.sha256 for path, file in tree.files.items()} == {
        p: hashlib.sha256(c).hexdigest() for p, c in content.items()
    }


@pytest.mark.parametrize("count", [199, 200, 201, 450])
def test_collected_files_are_all_written_before_the_layer_ends(tree: StagedTree, count: int) -> None:
    """Small files wait for each other: none is forgotten, and after `unpack` all are there."""
    put(tree, *(entry(f"f{n}", b"%d" % n) for n in range(count)))
    assert on_disk(tree.root) == {f"f{n}": b"%d" % n for n in range(count)}


def test_collected_files_are_bounded_by_their_size_too(tree: StagedTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 files of 64 KiB would be 12 MiB."""
    monkeypatch.setattr(staging, "_MAX_COLLECTED_SIZE", 1000)
    for n in range(3):
        tree.add_file(f"f{n}", bytes(400))
    assert len(on_disk(tree.root)) == 3


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o027])
def test_modes_are_ours_whatever_umask_and_archive_say(tmp_path: Path, mask: int) -> None:
    """C7, C8, F9: 0644 and 0755, and nobody may look in before the tree is complete."""
    before = os.umask(mask)
    try:
        with StagedTree(tmp_path / "tree", Budget()) as tree:
            put(tree, folder("d", mode=b"0000777\0"), entry("d/a", b"1", mode=b"0004777\0"), entry("b", bytes(70_000)))
            assert stat.S_IMODE(tree.root.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in [tree.root, *tree.root.rglob("*")]}
    assert modes == {"tree": 0o755, "d": 0o755, "a": 0o644, "b": 0o644}


def test_a_prefix_leads_every_path_and_is_judged_with_it(tmp_path: Path) -> None:
    """Helm charts go to manifests/chart; limits hold for the whole path."""
    budget = Budget(ArchiveLimits())
    with StagedTree(tmp_path / "tree", budget) as tree:
        put(tree, folder("./"), entry("Chart.yaml", b"1"), prefix="manifests/chart")
        assert set(tree.files) == {"manifests/chart/Chart.yaml"}
        assert tree.folders == {"manifests", "manifests/chart"}
    with pytest.raises(UnsafeArchive, match="17 levels"), StagedTree(tmp_path / "two", budget) as tree:
        put(tree, entry("/".join("d" * 15)), prefix="manifests/chart")


COLLISIONS = {
    "file twice": [entry("a", b"1"), entry("a", b"1")],
    "file twice, other content": [entry("a", b"1"), entry("a", b"2")],
    "file twice by another spelling": [entry("d/a", b"1"), entry("d//a", b"1")],
    "file twice, much between": [entry("a", b"1"), *(entry(f"d{n}/f", b"x") for n in range(300)), entry("a", b"1")],
    "large file twice": [entry("a", bytes(70_000)), entry("a", bytes(70_000))],
    "file, then folder": [entry("a", b"1"), folder("a")],
    "folder, then file": [folder("a"), entry("a", b"1")],
    "file, then a file beneath": [entry("a", b"1"), entry("a/b", b"1")],
    "implied folder, then file": [entry("a/b", b"1"), entry("a", b"1")],
    "implied folder of an implied folder, then file": [entry("a/b/c", b"1"), entry("a", b"1")],
    "case of files": [entry("Enable.ps1", b"1"), entry("ENABLE.PS1", b"1")],
    "case of folders": [folder("Tmp"), folder("tmp")],
    "case of implied folders": [entry("Tmp/a", b"1"), entry("tmp/b", b"1")],
    "case of a file and a folder": [entry("Tmp", b"1"), entry("tmp/b", b"1")],
    "sharp s": [entry("ß", b"1"), entry("SS", b"1")],
    "ligature": [entry("ﬁ", b"1"), entry("FI", b"1")],
    "composed": [entry("é", b"1"), entry("e\u0301", b"1")],
    "the place itself as a file": [entry(".", b"1")],
}


@pytest.mark.parametrize("case", COLLISIONS)
@pytest.mark.parametrize("layers", ["one", "each its own"])
def test_paths_that_some_system_takes_for_one_are_refused(tmp_path: Path, case: str, layers: str) -> None:
    """A10, A22, B19, B20, D23, D24, G15-G19, within a layer and across layers; nothing stays behind."""
    if layers == "each its own" and case.startswith(("file twice", "large file twice")):
        case = "file twice, other content"
    parts = COLLISIONS[case]
    with pytest.raises(UnsafeArchive, match="layer"):
        stage(tmp_path / "tree", *([parts] if layers == "one" else [[part] for part in parts]))
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("case", [name for name in COLLISIONS if "folder, then" in name or "file, then" in name])
def test_a_path_that_is_a_file_and_a_folder_is_named(tmp_path: Path, case: str) -> None:
    """A22, D24: judged by us, not left to whatever the file system says."""
    with pytest.raises(UnsafeArchive, match="'a' is a file and a folder"):
        stage(tmp_path / "tree", COLLISIONS[case])


@pytest.mark.parametrize("size", [1, 70_000])
def test_the_same_file_from_two_layers_is_taken_once(tree: StagedTree, size: int) -> None:
    """H12: both the manifests layer and the scripts layer may ship a file, if it is the same file."""
    put(tree, entry("manifests/x", b"1" * size))
    put(tree, entry("x", b"1" * size), prefix="manifests")
    with pytest.raises(UnsafeArchive, match="two layers with different content"):
        put(tree, entry("x", b"1" * (size - 1) + b"2"), prefix="manifests")


def test_a_file_twice_in_a_layer_is_refused_even_where_an_earlier_layer_had_it(tree: StagedTree) -> None:
    """What came before does not excuse a doubled entry."""
    put(tree, entry("a", b"1"))
    with pytest.raises(UnsafeArchive, match="in one layer twice"):
        put(tree, entry("a", b"1"), entry("a", b"1"))


def test_a_captured_file_is_given_and_not_written(tree: StagedTree) -> None:
    """The manifest of the config layer goes elsewhere."""
    assert put(tree, entry(f"./{MANIFEST}", b"kind"), entry("values", b"1"), capture=(MANIFEST,)) == {MANIFEST: b"kind"}
    assert on_disk(tree.root) == {"values": b"1"}


BAD_MANIFESTS = {
    "not captured": ([entry(MANIFEST, b"x")], (), "second manifest"),
    "deeper": ([entry(f"d/{MANIFEST}", b"x")], (MANIFEST,), "second manifest"),
    "other case": ([entry("Addon.Manifest.YAML", b"x")], (MANIFEST,), "second manifest"),
    "full width": ([entry("ａddon.manifest.yaml", b"x")], (MANIFEST,), "second manifest"),
    "as a folder": ([folder(f"d/{MANIFEST}")], (MANIFEST,), "second manifest"),
    "as a folder above": ([entry(f"{MANIFEST}/x", b"x")], (MANIFEST,), "second manifest"),
    "captured twice": ([entry(MANIFEST, b"x")] * 2, (MANIFEST,), "there twice"),
    "captured folder": ([folder(MANIFEST)], (MANIFEST,), "a folder"),
    "too large": ([entry(MANIFEST, bytes(65_537))], (MANIFEST,), "the limit is 65536"),
}


@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_a_manifest_where_none_belongs_is_refused(tree: StagedTree, case: str) -> None:
    """H6: one more file of this name below addons/ makes the whole catalogue unreadable."""
    parts, capture, reason = BAD_MANIFESTS[case]
    with pytest.raises(UnsafeArchive, match=reason):
        put(tree, *parts, capture=capture)


def test_names_that_only_resemble_a_manifest_are_taken(tree: StagedTree) -> None:
    """The rule is about one name."""
    put(tree, entry("my-addon.manifest.yaml", b"1"), entry("addon.manifest.yaml.md", b"2"))
    assert len(tree.files) == 2


def test_a_manifest_of_exactly_the_limit_is_taken(tree: StagedTree) -> None:
    """64 KiB is allowed."""
    assert len(put(tree, entry(MANIFEST, bytes(65_536)), capture=(MANIFEST,))[MANIFEST]) == 65_536


@pytest.mark.parametrize(
    "paths",
    [["d/a"], ["d/a", "d/b"], ["d/s/a"], ["d/s/t/a"], ["x/a", "d/a"]],
)
def test_a_link_planted_between_layers_is_not_followed(tmp_path: Path, paths: list[str]) -> None:
    """B24, F7: somebody replaces a staged folder by a link; nothing is written where it leads."""
    outside = tmp_path / "outside"
    (outside / "s").mkdir(parents=True)

    def plant(tree: StagedTree) -> None:
        (tree.root / "d").rename(tmp_path / "moved")
        (tree.root / "d").symlink_to(outside)

    first, second = [entry("d/first", b"1"), entry("top", b"1")], [entry(path, b"evil") for path in paths]
    with pytest.raises(InstallError):
        stage(tmp_path / "tree", first, second, after_first=plant)
    assert on_disk(outside) == {"s": None}
    assert not (tmp_path / "tree").exists()


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize("target", ["outside", "nowhere"])
def test_a_file_is_created_and_never_opened(tmp_path: Path, target: str) -> None:
    """B3, B7, B16: a planted link with the name of a file is not written through, live or dangling."""
    (tmp_path / "outside").write_bytes(b"precious")
    with pytest.raises(CatalogError, match="'a'"):
        stage(
            tmp_path / "tree",
            [entry("first", b"1")],
            [entry("a", b"evil")],
            after_first=lambda tree: (tree.root / "a").symlink_to(tmp_path / target),
        )
    assert (tmp_path / "outside").read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("_system")
def test_a_planted_hard_link_is_not_written_through(tmp_path: Path) -> None:
    """B16: only O_EXCL tells a file that is there from one that we created."""
    (tmp_path / "outside").write_bytes(b"precious")
    with pytest.raises(CatalogError, match="'a'"):
        stage(
            tmp_path / "tree",
            [entry("first", b"1")],
            [entry("a", b"evil")],
            after_first=lambda tree: (tree.root / "a").hardlink_to(tmp_path / "outside"),
        )
    assert (tmp_path / "outside").read_bytes() == b"precious"


def test_files_are_opened_with_both_guards_against_links() -> None:
    """For a symbolic link either is enough on Linux; not every system and file system keeps both."""
    assert staging._NEW_FILE & os.O_EXCL
    assert staging._NEW_FILE & getattr(os, "O_NOFOLLOW", 0) == getattr(os, "O_NOFOLLOW", 0)


@pytest.mark.usefixtures("_system")
def test_a_root_that_is_there_already_is_refused_and_kept(tmp_path: Path) -> None:
    """A fresh folder or none; what was there is not ours to remove."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "x").touch()
    with pytest.raises(InstallError, match="cannot create"), StagedTree(tmp_path / "tree", Budget()):
        pass
    assert (tmp_path / "tree" / "x").exists()


def test_a_root_that_cannot_be_made_private_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is entered, so nothing would be left: the folder must go where it was made."""

    def refuse(*args: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(InstallError, match="cannot create"):
        stage(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize("call", ["open", "write", "mkdir", "close"])
@pytest.mark.parametrize("content", [b"small", bytes(70_000)])
def test_a_failing_disk_is_an_install_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, content: bytes
) -> None:
    """F1, F4: ENOSPC at the n-th call of each kind, for every n; no file, no folder, no open descriptor stays."""
    layer = write_layer(tmp_path / "layer", *(entry(f"d{n}/s/f", content) for n in range(3)))
    before, refused, real = open_descriptors(), [], getattr(os, call)

    def attempt(nth: int) -> None:
        countdown = iter(range(nth - 1, -1, -1))

        def failing(*args: object, **kwargs: object) -> object:
            if next(countdown, None) != 0:
                return real(*args, **kwargs)
            if call == "close":
                real(*args)
            raise OSError(errno.ENOSPC, "No space left on device")

        with StagedTree(tmp_path / "tree", Budget()) as tree, monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            unpack(layer, size=layer.stat().st_size, tree=tree)

    for nth in range(1, 100):
        try:
            attempt(nth)
        except InstallError as error:
            refused.append(str(error))
        else:
            break
        assert not (tmp_path / "tree").exists()
        assert open_descriptors() == before
    assert len(refused) >= 3
    assert all("No space left" in text for text in refused)


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize("content", [b"small" * 10, bytes(range(256)) * 300])
def test_a_disk_that_takes_a_part_gets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """`write` may take fewer bytes than it is given."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    with StagedTree(tmp_path / "tree", Budget()) as tree:
        put(tree, entry("a", content))
    monkeypatch.undo()
    assert (tmp_path / "tree" / "a").read_bytes() == content


def test_a_file_system_that_folds_names_more_than_we_do_is_a_refusal(
    tree: StagedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its EEXIST comes again at every try: no time cures it."""

    def taken(*args: object, **kwargs: object) -> int:
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(staging._Folders, "create", taken)
    with pytest.raises(UnsafeArchive, match="one name on this file system"):
        put(tree, entry("a", b"1"))


def test_any_error_in_the_context_removes_the_tree(tmp_path: Path) -> None:
    """Also one that has nothing to do with the archive."""
    before = open_descriptors()

    def interrupt(tree: StagedTree) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path / "tree", [entry("d/a", b"1")], after_first=interrupt)
    assert not (tmp_path / "tree").exists()
    assert open_descriptors() == before


def test_a_small_file_that_cannot_be_written_at_the_end_is_still_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was collected last is written on leaving: a full disk then is no success."""

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def last_file(tree: StagedTree) -> None:
        tree.add_file("a", b"1")
        monkeypatch.setattr(os, "write", full)

    with pytest.raises(InstallError, match="No space left"):
        stage(tmp_path / "tree", [], after_first=last_file)
    assert not (tmp_path / "tree").exists()


def test_the_text_of_a_refusal_names_layer_and_entry(tmp_path: Path) -> None:
    """What an operator reads in `status`."""
    layer = write_layer(tmp_path / ("ab" * 32), entry("../evil"))
    with pytest.raises(UnsafeArchive) as caught, StagedTree(tmp_path / "tree", Budget()) as tree:
        unpack(layer, size=layer.stat().st_size, tree=tree)
    assert str(caught.value) == "layer abababababab: '../evil': leads upwards"


def test_paths_given_by_hand_are_judged_too(tree: StagedTree) -> None:
    """Callers are no exception."""
    with pytest.raises(UnsafeArchive, match="leads upwards"):
        tree.add_file("../x", b"1")
    with pytest.raises(UnsafeArchive, match="device"):
        tree.add_folder("nul/")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as Windows would load it: no folder descriptors, no O_NOFOLLOW, but O_BINARY."""
    for name in ("O_NOFOLLOW", "O_DIRECTORY", "fchmod"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(os, "supports_dir_fd", set())
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)  # O_LARGEFILE to Linux: changes nothing
    spec = importlib.util.find_spec("receiver.catalog.staging")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_on_windows_files_are_written_as_they_are_without_what_it_lacks(windows: ModuleType, tmp_path: Path) -> None:
    """Without O_BINARY every newline would become two bytes."""
    assert windows._NEW_FILE & 0x8000
    layer = write_layer(tmp_path / "layer", entry("d/a", b"1\n2\n"), folder("e"))
    with windows.StagedTree(tmp_path / "tree", Budget()) as tree:
        windows.unpack(layer, size=layer.stat().st_size, tree=tree)
    assert on_disk(tmp_path / "tree") == {"d": None, "d/a": b"1\n2\n", "e": None}
