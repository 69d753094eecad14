"""What was found, and how bad it is. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How it stands with what was looked at."""

    OK = "ok"
    WARNING = "warning"
    """It works, and will not for long, or not as well as it could."""
    BROKEN = "broken"
    """Addons do not arrive until somebody does something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing."""

    check: str
    """``area.subject``, the same in every release: programs may look for it."""
    standing: Standing
    text: str
    remedy: str | None = None
    """What to do; None where all is well."""

    @property
    def area(self) -> str:
        """The first part of ``check``."""
        return self.check.partition(".")[0]


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Standing.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """See `Standing.WARNING`."""
    return Finding(check, Standing.WARNING, text, remedy)


def broken(check: str, text: str, remedy: str) -> Finding:
    """See `Standing.BROKEN`."""
    return Finding(check, Standing.BROKEN, text, remedy)


def counts(findings: Iterable[Finding]) -> dict[Standing, int]:
    """How many there are of each standing; none is left out."""
    found = [finding.standing for finding in findings]
    return {standing: found.count(standing) for standing in Standing}
