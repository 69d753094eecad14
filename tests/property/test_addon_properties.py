"""Names and tags for all texts."""

import functools
from pathlib import PurePosixPath, PureWindowsPath

from hypothesis import given
from hypothesis import strategies as st

from receiver.addon import AddonName, AddonRepository, choose_tag, parse_version
from receiver.errors import InvalidNameError, NotInRegistry

NAMES = st.text(max_size=70) | st.from_regex(r"[a-z0-9._-]{1,12}", fullmatch=True)
NUMBERS = st.integers(0, 12)
IDENTIFIERS = st.integers(0, 12).map(str) | st.sampled_from(["alpha", "beta", "rc", "a-b", "0a"])
RELEASES = st.builds("{}.{}.{}".format, NUMBERS, NUMBERS, NUMBERS)
PRERELEASES = st.builds(
    lambda release, parts: f"{release}-{'.'.join(parts)}", RELEASES, st.lists(IDENTIFIERS, min_size=1, max_size=3)
)
VERSIONS = st.builds("{}{}".format, st.sampled_from(["", "v"]), RELEASES | PRERELEASES)
OTHERS = st.sampled_from(["edge", "main", "v1", "x1.0.0", "sha256-" + "b" * 64 + ".sig", "1.0"])


@given(NAMES)
def test_a_name_that_passes_is_one_folder_on_every_system(text: str) -> None:
    """Whatever the text."""
    try:
        name = AddonName.parse(text)
    except InvalidNameError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        assert kind(name).parts == (name,)
    assert not PureWindowsPath(name).is_reserved()
    assert name == text == text.casefold()
    assert text.isascii()


@given(NAMES, NAMES)
def test_a_repository_that_passes_is_its_prefix_and_one_name(prefix: str, text: str) -> None:
    """Nothing between them, nothing behind."""
    try:
        found = AddonRepository.parse(text, prefix=prefix)
    except InvalidNameError:
        return
    assert found.name == prefix + found.leaf


def precedence(tag: str) -> tuple[tuple[int, ...], int, list[tuple[int, int, str]]]:
    """SemVer 2.0 section 11, written a second time and as a key for sorting."""
    core, _, pre = tag.removeprefix("v").partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if part]
    return tuple(map(int, core.split("."))), 0 if pre else 1, parts


@given(st.lists(VERSIONS | OTHERS, min_size=1))
def test_the_choice_is_the_highest_and_the_same_in_any_order(tags: list[str]) -> None:
    """Of releases where there is one, else of pre-releases."""
    versions = [tag for tag in tags if parse_version(tag) is not None]
    best = [tag for tag in versions if "-" not in tag] or versions
    try:
        choice = choose_tag(tags).tag
    except NotInRegistry:
        assert all(tag.startswith("sha256-") for tag in tags)
        return
    assert choice == choose_tag(sorted(tags, reverse=True)).tag
    assert choice in tags
    if best:
        assert precedence(choice) == functools.reduce(max, map(precedence, best))


@given(st.lists(VERSIONS, min_size=1), RELEASES, RELEASES)
def test_a_range_admits_what_lies_between(tags: list[str], low: str, high: str) -> None:
    """Both ends of the interval as SemVer orders them, pre-releases left out."""
    releases = [tag for tag in tags if "-" not in tag and precedence(low) <= precedence(tag) < precedence(high)]
    try:
        choice = choose_tag(tags, policy="semver", version_range=f">={low} <{high}").tag
    except NotInRegistry:
        assert releases == []
        return
    assert precedence(choice) == max(map(precedence, releases))
