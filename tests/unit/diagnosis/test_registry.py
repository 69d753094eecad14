"""What is said of a registry's answers."""

import pytest

from receiver.diagnosis.finding import Standing
from receiver.diagnosis.registry import Access, Looked, judge_access, judge_addons, judge_catalogue, judge_plain
from receiver.errors import AccessDenied, NotInRegistry, ProtocolViolation, RegistryError, Unavailable


@pytest.mark.parametrize(
    ("source", "asked", "words"),
    [
        ("--registry-username", True, "takes the credentials from --registry-username"),
        ("--registry-username", False, "were not needed"),
        (None, False, "lets in whoever asks"),
        (None, True, "lets in whoever asks"),
    ],
)
def test_who_is_let_in(source: str | None, asked: bool, words: str) -> None:
    """Credentials that nobody wanted were not tried, and that is said."""
    found = judge_access(Access(target="r:1", source=source, asked=asked))
    assert (found.standing, words in found.text) == (Standing.OK, True)


@pytest.mark.parametrize(
    ("error", "check", "words"),
    [
        (AccessDenied("no"), "registry.credentials", "docker"),
        (Unavailable("away"), "registry.answer", "log"),
        (ProtocolViolation("html"), "registry.answer", "REGISTRY_URL"),
        (NotInRegistry("404"), "registry.answer", "is no registry"),
    ],
)
def test_who_is_not(error: RegistryError, check: str, words: str) -> None:
    """By what cures it."""
    found = judge_access(Access(target="r:1", source=None, error=error))
    assert (found.standing, found.check) == (Standing.BROKEN, check)
    assert words in f"{found.text} {found.remedy}"


@pytest.mark.parametrize(
    ("listed", "error", "configured", "standing", "words"),
    [
        (["addons/a", "x"], None, 0, "ok", "lists 2 repositories, below addons/ 1"),
        ([], None, 0, "warning", "push an addon"),
        (["proj/addons/a"], None, 0, "warning", "such as proj/addons/a"),
        ([], None, 2, "ok", "0"),
        (None, NotInRegistry("404"), 0, "warning", "ADDON_SYNC_REPOSITORIES"),
        (None, AccessDenied("401"), 3, "ok", "names 3"),
        (None, Unavailable("503"), 3, "broken", "503"),
    ],
)
def test_a_catalogue(
    listed: list[str] | None, error: RegistryError | None, configured: int, standing: str, words: str
) -> None:
    """Without one, the configured repositories take its place."""
    (found,) = judge_catalogue(listed, error, prefix="addons/", configured=configured)
    assert found.standing == standing
    assert words in f"{found.text} {found.remedy}"


def test_addons_are_named_and_those_without_a_tag_are_told() -> None:
    """A dozen at most in the sentence; what is wrong is never cut."""
    good = [Looked(repository=f"addons/{number}", tag="v1", rule="highest") for number in range(20)]
    bad = [
        Looked(repository="addons/bad", error="no tag"),
        Looked(repository="addons/x", tag="x", certain=False, rule="r"),
    ]
    found = list(judge_addons([*good, *bad], 3))
    assert [one.standing for one in found] == ["ok", "warning", "warning", "warning"]
    assert "addons/11 v1, and 9 more" in found[0].text
    assert "addons/bad: no tag" in found[1].text
    assert "3 addons were not asked" in found[3].text
    assert list(judge_addons([], 0)) == []


def test_plain_http_is_a_warning() -> None:
    """It works."""
    assert judge_plain("http://r").standing is Standing.WARNING
