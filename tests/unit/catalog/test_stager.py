"""What must not be installed: refused before anything is visible, with an error that says what to do."""

from pathlib import Path

import pytest

from receiver.catalog.release import Release
from receiver.catalog.store import CatalogStore
from receiver.errors import InstallError, InvalidManifest, UnsafeArchive, WrongRepository
from tests.support.addons import artifact, files, manifest_yaml, write_tree
from tests.support.releases import catalog_store, leftovers, one_of_several, release, single, snapshot


@pytest.fixture
def store(tmp_path: Path) -> CatalogStore:
    return catalog_store(tmp_path / "k")


def _refused(store: CatalogStore, wanted: Release, error: type[Exception], match: str) -> None:
    before = snapshot(store.catalogue)
    with pytest.raises(error, match=match):
        store.install(wanted)
    assert snapshot(store.catalogue) == before
    assert not leftovers(store.catalogue.parent)


def test_a_manifest_of_another_addon_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """The annotations say one thing, the manifest another."""
    wanted = single(tmp_path, manifest=manifest_yaml("security", "monitoring"))
    _refused(store, wanted, InvalidManifest, "names the addon 'security'")


def test_a_manifest_without_the_implementation_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """Nobody could enable it."""
    wanted = one_of_several(tmp_path, "ingress", "nginx", manifest=manifest_yaml("ingress", "traefik"))
    _refused(store, wanted, InvalidManifest, "does not list the implementation 'nginx'")


def test_an_artifact_without_a_manifest_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """Scripts alone are no addon (hazards H6)."""
    wanted = single(tmp_path)
    unit = wanted.units[0]
    bare = type(unit)(unit=unit.unit, layers=unit.layers[1:])
    cut = Release(repository=wanted.repository, tag=wanted.tag, version=None, digest=wanted.digest, units=(bare,))
    _refused(store, cut, InvalidManifest, "has no addon.manifest.yaml")


def test_another_addon_in_a_repository_of_this_name_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """The repository `monitoring` cannot deliver `security` (hazards H3)."""
    wanted = release(artifact(tmp_path, addon="security"), "monitoring")
    _refused(store, wanted, WrongRepository, "push it to a repository named 'security'")


def test_an_addon_that_another_repository_delivers_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """An index must not take over what is installed from elsewhere."""
    store.install(single(tmp_path))
    both = [artifact(tmp_path, addon="monitoring"), artifact(tmp_path, addon="security")]
    _refused(store, release(both, "bundle"), InvalidManifest, "which addons/monitoring has installed")


@pytest.mark.parametrize("first", ["single", "several"])
def test_one_folder_cannot_be_both_of_two_repositories(store: CatalogStore, tmp_path: Path, first: str) -> None:
    """`ingress` beside `ingress-nginx`: one would lie in the other."""
    wanted = [single(tmp_path, "ingress"), one_of_several(tmp_path, "ingress", "nginx")]
    if first == "several":
        wanted.reverse()
    store.install(wanted[0])
    _refused(store, wanted[1], InvalidManifest, "one folder cannot be both")


def test_an_addon_does_not_change_its_layout_under_people(store: CatalogStore, tmp_path: Path) -> None:
    """The same repository delivers implementations where it delivered one."""
    store.install(single(tmp_path, "ingress"))
    wanted = one_of_several(tmp_path, "ingress", "nginx", leaf="ingress")
    _refused(store, wanted, InvalidManifest, "uninstall that first")


def test_one_release_cannot_hold_nested_folders(store: CatalogStore, tmp_path: Path) -> None:
    """`ingress` and `ingress nginx` in one index."""
    packed = [artifact(tmp_path, addon="ingress"), artifact(tmp_path, addon="ingress", implementation="nginx")]
    _refused(store, release(packed, "ingress"), InvalidManifest, "would lie in the other's")


@pytest.mark.parametrize("kind", ["single", "several"])
def test_the_layout_of_an_adopted_addon_is_respected(store: CatalogStore, tmp_path: Path, kind: str) -> None:
    """Another tool installed it: the release would swallow it, or be swallowed."""
    if kind == "single":
        tree = {"addon.manifest.yaml": manifest_yaml("ingress", "ingress")}
        wanted = one_of_several(tmp_path, "ingress", "nginx")
    else:
        tree = {"addon.manifest.yaml": manifest_yaml("ingress", "nginx"), "nginx/values.yaml": b""}
        wanted = single(tmp_path, "ingress")
    write_tree(store.catalogue / "ingress", tree)
    _refused(store, wanted, InstallError, "one folder cannot be both")


def test_implementations_that_are_listed_and_not_delivered_are_left_out(store: CatalogStore, tmp_path: Path) -> None:
    """Also where the addon has one folder."""
    store.install(single(tmp_path, manifest=manifest_yaml("monitoring", "monitoring", "other")))
    content = (store.catalogue / "monitoring/addon.manifest.yaml").read_bytes()
    assert content == manifest_yaml("monitoring", "monitoring")


def test_a_broken_shared_manifest_waits_for_a_person(store: CatalogStore, tmp_path: Path) -> None:
    """No new push cures it, so the addon is tried again instead of parked."""
    write_tree(store.catalogue / "ingress", {"addon.manifest.yaml": b"{"})
    _refused(store, one_of_several(tmp_path, "ingress", "nginx"), InstallError, "repair it")


def test_a_broken_manifest_of_a_single_addon_is_replaced(store: CatalogStore, tmp_path: Path) -> None:
    """The release brings a good one; the broken one is in the backups."""
    write_tree(store.catalogue / "monitoring", {"addon.manifest.yaml": b"{"})
    assert store.install(single(tmp_path)).kept == ("monitoring/addon.manifest.yaml",)


@pytest.mark.parametrize("place", ["ingress", "ingress/nginx", ".addon-sync-digests"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_in_the_way_is_never_followed(store: CatalogStore, tmp_path: Path, place: str, kind: str) -> None:
    """At the addon, the implementation, the digests (hazards F6)."""
    path = store.catalogue / place
    path.parent.mkdir(exist_ok=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    if kind == "link":
        path.symlink_to(outside)
    else:
        path.touch()
    _refused(store, one_of_several(tmp_path, "ingress", "nginx"), InstallError, "link or no folder|Not a directory")
    assert not any(outside.iterdir())


def test_a_folder_in_place_of_the_digest_file_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """Found before the exchange: afterwards the installation could never be finished."""
    (store.catalogue / ".addon-sync-digests/monitoring").mkdir(parents=True)
    _refused(store, single(tmp_path), InstallError, "must be a file")


def test_a_hidden_manifest_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """A second one below the addon would be taken for another addon (hazards H6)."""
    wanted = single(tmp_path)
    unit = wanted.units[0]
    layers = tuple(type(layer)(rule=unit.layers[-1].rule, path=layer.path, size=layer.size) for layer in unit.layers)
    hidden = Release(
        repository=wanted.repository, tag=wanted.tag, version=None, digest=wanted.digest,
        units=(type(unit)(unit=unit.unit, layers=layers),),
    )  # fmt: skip
    _refused(store, hidden, UnsafeArchive, "second manifest")
    assert files()
