"""What export and push decide before they touch a file or a registry."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from receiver.catalog.layout import Unit
from receiver.catalog.sources import Source
from receiver.cli.exporting import export_time, judged_version, names_of, product_version, tag_of
from receiver.cli.pushing import _parcels
from receiver.errors import ConfigError, InvalidNameError, UnsupportedContent
from receiver.oci.manifest import DocumentLimits
from receiver.packaging.archive import LayoutArchive
from receiver.packaging.deliveries import deliveries
from receiver.packaging.layout import write_archive
from tests.support.addons import artifact, files, manifest_yaml, write_tree
from tests.unit.cli.conftest import Run


def source(addon: str, implementation: str | None = None) -> Source:
    return Source(
        unit=Unit.parse(addon, implementation or addon),
        folder=Path(addon),
        manifest=b"",
        description="",
        version=None,
        has_packages=False,
    )


@pytest.mark.parametrize(
    ("version", "tag"),
    [("1.0.0", "v1.0.0"), ("v1.0.0", "v1.0.0"), ("2", "v2"), ("nightly", "nightly"), ("V3.0.0", "V3.0.0")],
)
def test_a_version_becomes_a_tag(version: str, tag: str) -> None:
    """With one v before it."""
    assert tag_of(version) == tag


def test_the_name_of_the_file_tells_its_addons() -> None:
    """As the product's does; a long list would make a name that no system takes."""
    assert names_of([source("monitoring")], everything=False) == "monitoring"
    both = [source("ingress", "nginx"), source("registry")]
    assert names_of(both, everything=False) == "ingress-nginx-registry"
    assert names_of(both, everything=True) == "all"
    many = [source(f"an-addon-with-a-long-name-{number}") for number in range(30)]
    assert names_of(many, everything=False) == "an-addon-with-a-long-name-0-and-29-more"


def test_the_time_of_an_export_can_be_said() -> None:
    """SOURCE_DATE_EPOCH, in seconds; nothing else is guessed at."""
    assert export_time("1795348800") == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert abs((export_time(None) - datetime.now(UTC)).total_seconds()) < 60
    assert abs((export_time("") - datetime.now(UTC)).total_seconds()) < 60
    for wrong in ("today", "-1", "1.5", "9" * 12):
        with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH"):
            export_time(wrong)


def test_the_version_of_the_product_comes_from_its_file(tmp_path: Path) -> None:
    """Which Windows programs begin with a mark; a path in it must not become one of ours."""
    assert product_version(tmp_path) is None
    (tmp_path / "VERSION").write_bytes(b"\xef\xbb\xbf1.4.0\r\n")
    assert product_version(tmp_path) == "1.4.0"
    for wrong in (b"", b"../../evil", b"1 4", b"\xff\xfe1"):
        (tmp_path / "VERSION").write_bytes(wrong)
        with pytest.raises(ConfigError, match="VERSION"):
            product_version(tmp_path)
    with pytest.raises(ConfigError, match="--k2s-version"):
        judged_version("a/b", where="--k2s-version")


def archive(path: Path, *versions: str) -> LayoutArchive:
    write_archive([artifact(path, addon="hello", version=version) for version in versions], path / "file.oci.tar")
    return LayoutArchive.open(path / "file.oci.tar", limits=DocumentLimits())


def parcels(opened: LayoutArchive, *, tag: str | None = None, latest: bool = False) -> list[tuple[str, ...]]:
    found = _parcels(opened, deliveries(opened), "addons/", tag=tag, latest=latest)
    return [(parcel.repository, *parcel.tags) for parcel in found]


def test_tags_come_from_the_file_or_the_caller(tmp_path: Path) -> None:
    """Several releases of one addon are several tags."""
    opened = archive(tmp_path, "v1.0.0", "v1.1.0")
    assert parcels(opened) == [("addons/hello", "v1.0.0"), ("addons/hello", "v1.1.0")]
    one = archive(tmp_path, "v1.0.0")
    assert parcels(one, latest=True) == [("addons/hello", "v1.0.0", "latest")]
    assert parcels(one, tag="v9", latest=True) == [("addons/hello", "v9", "latest")]
    assert parcels(one, tag="latest", latest=True) == [("addons/hello", "latest")]


def test_one_tag_is_not_given_to_two_artifacts(tmp_path: Path) -> None:
    """The second push would undo the first."""
    opened = archive(tmp_path, "v1.0.0", "v1.1.0")
    for asked in ({"tag": "v9"}, {"latest": True}):
        with pytest.raises(UnsupportedContent, match="only one can have that tag"):
            parcels(opened, **asked)


@pytest.mark.parametrize(("version", "warned"), [("abc", True), ("2", True), ("1.2.3", False), ("latest", False)])
def test_a_tag_that_hosts_hardly_choose_is_told_at_once(tmp_path: Path, run: Run, version: str, warned: bool) -> None:
    """It may be meant, so it is packed; and its folder is made."""
    write_tree(tmp_path / "addons/hello", {**files(), "addon.manifest.yaml": manifest_yaml("hello", "hello")})
    done = run(
        "export", "hello", "--k2s-install-dir", str(tmp_path), "-d", str(tmp_path / "a/b"), "--k2s-version", "1.4.0",
        "--omit-images", "--omit-packages", "--version", version,
    )  # fmt: skip
    assert done.code == 0
    assert len(list((tmp_path / "a/b").iterdir())) == 1
    assert (f"'{tag_of(version)}' is no version" in done.out) is warned
    assert ("--latest" in done.out) is warned


def test_a_tag_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidNameError):
        parcels(archive(tmp_path, "v1.0.0"), tag="v 1")
