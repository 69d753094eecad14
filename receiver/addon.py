"""Addons as the registry and the catalogue name them, and which of their tags is wanted. Pure; the home of semver.

Rules: ``docs/reference/artifacts.md`` ("Which tag"), SemVer 2.0 section 11 for the order of versions.
"""

import re
from collections.abc import Iterable
from typing import Literal, Self

import semver

from receiver.document import Value
from receiver.errors import InvalidNameError, NotInRegistry
from receiver.oci.reference import Repository

_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*\Z")
_MAX_NAME = 64
# What the product has below addons/ that is no addon (hazards H2).
_NO_ADDONS = frozenset({"common", "lib", "addon.manifest.yaml", "addon.manifest.schema.json"})
# Windows gives these names to devices, with any extension (hazards G1, G2).
_DEVICES = frozenset({"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)})
# Signatures, attestations and SBOMs live under such tags in the same repository (cosign), referrers under the plain.
_SIGNATURE_TAG = re.compile(r"sha256-[a-f0-9]{64}(?:\.[a-z0-9.]+)?\Z")
_LATEST = "latest"
_VERSION = re.compile(r"[vV]?(\d.*)\Z")

TagPolicy = Literal["latest-or-semver", "semver"]


class AddonName(str):
    """The name of an addon or of an implementation: one folder name, the same on every system."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Judge ``text`` before it becomes a folder.

        Raises:
            InvalidNameError: empty, too long, reserved, or more than lower-case words joined by ``.``, ``_``, ``-``.
        """
        if len(text) > _MAX_NAME or _NAME.match(text) is None:
            raise InvalidNameError(f"not an addon name: {text[:80]!r} (lower-case letters, digits, '.', '_' and '-')")
        if text in _NO_ADDONS or text.split(".", maxsplit=1)[0] in _DEVICES:
            raise InvalidNameError(f"{text!r} is a reserved name and cannot be an addon")
        return cls(text)


class AddonRepository(Value, frozen=True):
    """A repository that holds an addon: ``<prefix><leaf>``, such as ``addons/`` and ``ingress-nginx``."""

    name: Repository
    leaf: AddonName

    @classmethod
    def parse(cls, text: str, *, prefix: str) -> Self:
        """Judge a repository name from an event, a catalogue or a command line.

        Raises:
            InvalidNameError: not below ``prefix``, deeper than one level, or no name for a folder.
        """
        if not text.startswith(prefix):
            raise InvalidNameError(f"{text[:80]!r} is not below {prefix!r}")
        return cls(Repository.parse(text), AddonName.parse(text[len(prefix) :]))

    @classmethod
    def named(cls, addon: str, *, prefix: str) -> Self:
        """What a person means by ``addon``: the last part of the repository, or all of it.

        Raises:
            InvalidNameError: see `parse`.
        """
        try:
            return cls.parse(addon if addon.startswith(prefix) else prefix + addon, prefix=prefix)
        except InvalidNameError as error:
            meant = addon.lower().removeprefix(prefix)
            if addon == addon.lower() or _NAME.match(meant) is None:
                raise
            raise InvalidNameError(f"{error}: names are lower-case, did you mean {meant!r}?") from error

    def __str__(self) -> str:
        return self.name


class TagChoice(Value, frozen=True, kw_only=True):
    """The tag that is wanted, and the rule that chose it, for people."""

    tag: str
    rule: str
    certain: bool = True
    """False where no tag is a version and the choice is a guess."""


def is_version_tag(tag: str) -> bool:
    """Whether a push of ``tag`` can concern an addon: signatures and attestations cannot."""
    return _SIGNATURE_TAG.match(tag) is None


def parse_version(tag: str) -> semver.Version | None:
    """``v1.2.3``, ``1.2.3-rc.1`` and the like; None where ``tag`` is no version."""
    match = _VERSION.match(tag)
    if match is None:
        return None
    try:
        return semver.Version.parse(match[1])
    except ValueError:
        return None


def is_last_resort(tag: str) -> bool:
    """Whether `choose_tag` takes ``tag`` only where there is neither ``latest`` nor a version, or by policy never."""
    return parse_version(tag) is None and tag.lower() != _LATEST


def choose_tag(
    tags: Iterable[str], *, policy: TagPolicy = "latest-or-semver", version_range: str = ">=0.0.0-0"
) -> TagChoice:
    """Choose the tag to install.

    Raises:
        NotInRegistry: no tag qualifies; the text says under which rule.
    """
    candidates = sorted(tag for tag in tags if is_version_tag(tag))
    if policy == "semver":
        return _in_range(candidates, version_range)
    return _latest_or_highest(candidates)


def _latest_or_highest(candidates: list[str]) -> TagChoice:
    latest = [tag for tag in candidates if tag.lower() == _LATEST]
    if latest:
        # The lower-case spelling is the one that clients push by default.
        return TagChoice(tag=_LATEST if _LATEST in latest else latest[0], rule="the tag latest")
    versions = _versions(candidates)
    releases = [pair for pair in versions if pair[0].prerelease is None]
    if releases:
        return TagChoice(tag=_highest(releases), rule="the highest version")
    if versions:
        return TagChoice(tag=_highest(versions), rule="the highest pre-release, there is no release")
    if not candidates:
        raise NotInRegistry("the repository has no tag that could be an addon version: push one, such as v1.0.0")
    return TagChoice(tag=candidates[-1], rule="the last tag in lexical order, none is a version", certain=False)


def _in_range(candidates: list[str], version_range: str) -> TagChoice:
    wanted = VersionRange.parse(version_range)
    admitted = [pair for pair in _versions(candidates) if wanted.admits(pair[0])]
    if not admitted:
        raise NotInRegistry(f"no tag is a version in the range {version_range!r}")
    return TagChoice(tag=_highest(admitted), rule=f"the highest version in {version_range}")


def _versions(candidates: list[str]) -> list[tuple[semver.Version, str]]:
    return [(version, tag) for tag in candidates if (version := parse_version(tag)) is not None]


def _highest(versions: list[tuple[semver.Version, str]]) -> str:
    # Versions of equal precedence (v1.0.0 and 1.0.0, build metadata) are ordered by their text: a stable choice.
    return max(versions, key=lambda pair: (pair[0], pair[1]))[1]


class VersionRange(Value, frozen=True):
    """Comparators joined by commas or spaces, all of which must hold: ``>=1.2.0 <2.0.0``.

    As in the range syntax that FluxCD takes, pre-releases count only where a comparator names one (``>=0.0.0-0``).
    """

    comparators: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a range.

        Raises:
            ValueError: no comparator, or one that is not an operator and a version.
        """
        comparators = tuple(re.sub(r"(?<=[<>=!])\s+", "", text).replace(",", " ").split())
        if not comparators:
            raise ValueError("an empty version range")
        for comparator in comparators:
            try:
                semver.Version(0).match(comparator)
            except ValueError as error:
                raise ValueError(
                    f"{comparator!r} is no operator (<, <=, >, >=, ==, !=) and version of three numbers, as in >=1.2.0"
                ) from error
        return cls(comparators)

    def admits(self, version: semver.Version) -> bool:
        """Whether ``version`` satisfies every comparator."""
        if version.prerelease is not None and not any("-" in comparator for comparator in self.comparators):
            return False
        return all(version.match(comparator) for comparator in self.comparators)
