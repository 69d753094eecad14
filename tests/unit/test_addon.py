"""Addons: their names, and which of their tags is wanted."""

import pytest

from receiver.addon import (
    AddonName,
    AddonRepository,
    TagPolicy,
    VersionRange,
    choose_tag,
    is_last_resort,
    is_version_tag,
    parse_version,
)
from receiver.errors import InvalidNameError, NotInRegistry

SIGNATURE = "sha256-" + "a" * 64


@pytest.mark.parametrize(
    "text", ["monitoring", "ingress-nginx", "a", "a.b_c--d", "0", "commons", "com10", "auxiliary", "a" * 64]
)
def test_names_of_addons_are_taken(text: str) -> None:
    """As they are."""
    assert AddonName.parse(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../x", "a/b", "a\\b", "a b", "A", "Monitoring", ".hidden", "-a", "a-", "a.", "a\n", "a\0", "ä",
     "ａ", "a:b",
     "common", "con", "prn", "aux", "nul", "com1", "lpt9", "com0", "nul.txt", "con.a.b", ".addon-sync", "a" * 65,
     "%2e%2e"],
)  # fmt: skip
def test_what_must_not_become_a_folder_is_refused(text: str) -> None:
    """Hazards H1, H2, G1 to G5: on every system the same."""
    with pytest.raises(InvalidNameError):
        AddonName.parse(text)


def test_a_repository_is_one_level_below_the_prefix() -> None:
    """Of whichever project."""
    found = AddonRepository.parse("project/addons/ingress-nginx", prefix="project/addons/")
    assert (found.name, found.leaf, str(found)) == ("project/addons/ingress-nginx", "ingress-nginx", found.name)
    for text in ("addons/x", "project/addons/", "project/addons/a/b", "project/addons/../x", "project/addons/common"):
        with pytest.raises(InvalidNameError):
            AddonRepository.parse(text, prefix="project/addons/")


@pytest.mark.parametrize("text", ["Hello", "addons/Hello", "Addons/HELLO"])
def test_a_person_who_writes_capitals_is_told_the_name(text: str) -> None:
    """The product's documentation begins sentences with names of addons."""
    with pytest.raises(InvalidNameError, match="names are lower-case, did you mean 'hello'\\?"):
        AddonRepository.named(text, prefix="addons/")


@pytest.mark.parametrize("text", ["he!lo", "He!lo", "../X", "common"])
def test_a_name_that_cannot_be_meant_is_not_offered(text: str) -> None:
    """It would be refused again."""
    with pytest.raises(InvalidNameError) as caught:
        AddonRepository.named(text, prefix="addons/")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("tags", "policy", "choice"),
    [
        (["v1.0.0", "latest", "v2.0.0"], "latest-or-semver", "latest"),
        (["v1.0.0", "Latest"], "latest-or-semver", "Latest"),
        (["LATEST", "latest", "Latest"], "latest-or-semver", "latest"),
        (["v9.0.0", "v10.0.0", "v10.0.1-rc1", "v2", "1.0.0", SIGNATURE + ".sig"], "latest-or-semver", "v10.0.0"),
        (
            ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1"],
            "latest-or-semver",
            "1.0.0-rc.1",
        ),
        (["1.0.0-alpha.9", "1.0.0-alpha.10", "1.0.0-alpha.beta"], "latest-or-semver", "1.0.0-alpha.beta"),
        (["v2.0.0-rc.1", "v1.0.0"], "latest-or-semver", "v1.0.0"),
        (["1.0.0", "v1.0.0"], "latest-or-semver", "v1.0.0"),
        (["edge", "main", SIGNATURE], "latest-or-semver", "main"),
        (["v01.0.0", "a"], "latest-or-semver", "v01.0.0"),
        (["latest", "v1.0.0", "v2.0.0-rc.1"], "semver", "v2.0.0-rc.1"),
    ],
)
def test_the_tag_is_chosen_as_the_rules_say(tags: list[str], policy: TagPolicy, choice: str) -> None:
    """``docs/reference/artifacts.md``, SemVer 2.0 section 11; whatever the order they come in."""
    assert choose_tag(tags, policy=policy).tag == choice
    assert choose_tag(reversed(tags), policy=policy).tag == choice


def test_a_guess_is_told_as_one() -> None:
    """The last in lexical order deserves a warning, the others do not."""
    assert not choose_tag(["edge", "main"]).certain
    assert all(choose_tag(tags).certain for tags in (["latest"], ["v1.0.0"], ["v1.0.0-rc.1"]))


@pytest.mark.parametrize("tags", [[], [SIGNATURE + ".sig"], [SIGNATURE, SIGNATURE + ".att", SIGNATURE + ".sbom"]])
def test_signatures_are_no_addon(tags: list[str]) -> None:
    """They live in the same repository."""
    with pytest.raises(NotInRegistry, match="push one"):
        choose_tag(tags)
    assert not any(is_version_tag(tag) for tag in tags)


@pytest.mark.parametrize(
    ("version_range", "choice"),
    [(">=0.0.0-0", "v2.0.0-rc.1"), (">=0.0.0", "v1.5.0"), (">=1.0.0 <1.5.0", "v1.0.0"), (">= 1.0.0, < 1.5.0", "v1.0.0"),
     ("==1.0.0", "v1.0.0"), ("!=1.5.0", "v1.0.0"), ("1.0.0", "v1.0.0"), ("<=2.0.0-rc.1", "v2.0.0-rc.1")],
)  # fmt: skip
def test_a_range_admits_what_all_its_parts_admit(version_range: str, choice: str) -> None:
    """Pre-releases only where a part names one."""
    tags = ["v1.0.0", "v1.5.0", "v2.0.0-rc.1", "latest", "edge"]
    assert choose_tag(tags, policy="semver", version_range=version_range).tag == choice


def test_no_version_in_the_range_is_said_with_the_range() -> None:
    """And ``latest`` is no version."""
    with pytest.raises(NotInRegistry, match=r">=3\.0\.0"):
        choose_tag(["latest", "v1.0.0"], policy="semver", version_range=">=3.0.0")


@pytest.mark.parametrize(
    "text", ["", " ", ",", "^1.2.3", "~1.2.3", ">=1.2", ">=v1.0.0", "1.x", ">=1.0.0 || <2.0.0", "latest", ">="]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    """At start, by the setting's name."""
    with pytest.raises(ValueError, match=r"version"):
        VersionRange.parse(text)


@pytest.mark.parametrize(
    ("tag", "last"), [("abc", True), ("v2", True), ("v1.0.0", False), ("1.0.0-rc.1", False), ("Latest", False)]
)
def test_a_tag_that_is_no_version_is_the_last_resort(tag: str, last: bool) -> None:
    """It is chosen alone; beside a version, however low, it is not, and where versions are the policy it never is."""
    assert is_last_resort(tag) is last
    assert choose_tag([tag]).tag == tag
    assert (choose_tag([tag, "v0.0.1-0"]).tag != tag) is last
    if last:
        with pytest.raises(NotInRegistry):
            choose_tag([tag], policy="semver")


def test_versions_are_three_numbers_with_or_without_v() -> None:
    """Anything else is a tag like another."""
    assert str(parse_version("v1.2.3-rc.1")) == "1.2.3-rc.1"
    assert str(parse_version("V1.2.3")) == "1.2.3"
    assert [parse_version(text) for text in ("v1", "v1.2", "1.2.3.4", "vv1.2.3", "x1.2.3", "", "01.2.3")] == [None] * 7


def test_a_mixed_set_of_tags_has_one_answer() -> None:
    """Whatever a repository has gathered over the years, each rule knows which tag it means (hazards J18)."""
    tags = ["latest", "v9", "v10", "v10-rc1", "V2", "1.0", "v1.2.3", "V1.10.0", f"sha256-{'a' * 64}.sig"]
    assert choose_tag(tags).tag == "latest"
    assert choose_tag(tags[1:]).tag == "V1.10.0"
    assert choose_tag(tags, policy="semver").tag == "V1.10.0"
    short = choose_tag(["v9", "v10", "v10-rc1", "V2", "1.0", tags[-1]])
    assert (short.tag, short.certain) == ("v9", False)
