"""Everything on the hazard list, pushed over an installed release: the stated verdict, and nothing else changes."""

from pathlib import Path

import pytest

from tests.fault.hazards import GROUPS
from tests.support.hazards import Case, Elsewhere, Host, judge

ROOT = Path(__file__).parents[3]
_CASES = [case for group in GROUPS.values() for case in group.cases if isinstance(case, Case)]
_ELSEWHERE = [case for group in GROUPS.values() for case in group.cases if isinstance(case, Elsewhere)]


@pytest.mark.parametrize("case", _CASES, ids=str)
async def test_the_verdict_holds_through_a_whole_sync(tmp_path: Path, case: Case) -> None:
    """Refused: one typed error that names the entry, and nothing changed. Accepted: exactly the expected files."""
    host = Host(tmp_path)
    await host.install_good()
    await judge(case, host)


@pytest.mark.parametrize("case", _ELSEWHERE, ids=lambda case: case.id)
def test_a_case_that_is_shown_elsewhere_has_its_tests(case: Elsewhere) -> None:
    """A table that names a test must not outlive it."""
    for test in case.tests:
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), test


@pytest.mark.parametrize("letter", GROUPS)
def test_a_group_is_whole(letter: str) -> None:
    """Every identifier of the list has a case, and none was made up."""
    group = GROUPS[letter]
    identifiers = {f"{letter}{number}" for number in range(1, group.count + 1)}
    assert {case.id for case in group.cases} == identifiers
