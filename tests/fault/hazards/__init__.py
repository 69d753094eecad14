"""The hazard cases by group, and what a reader of their table should know of each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.fault.hazards.archive_names import CASES as NAMES
from tests.fault.hazards.documents import CASES as DOCUMENTS
from tests.fault.hazards.endpoint import CASES as ENDPOINT
from tests.fault.hazards.environment import CASES as ENVIRONMENT
from tests.fault.hazards.headers import CASES as HEADERS
from tests.fault.hazards.links import CASES as LINKS
from tests.fault.hazards.lying_registry import CASES as LYING_REGISTRY
from tests.fault.hazards.semantics import CASES as SEMANTICS
from tests.fault.hazards.streams import CASES as STREAMS
from tests.fault.hazards.types_and_modes import CASES as TYPES
from tests.fault.hazards.windows_names import CASES as WINDOWS
from tests.support.hazards import Case, Elsewhere


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cases with one letter."""

    title: str
    count: int
    """How many identifiers the group has: A1 to A23 are 23."""
    cases: Sequence[Case | Elsewhere]
    pushed: str = "what is pushed"
    """Heads the column of titles."""
    note: str = ""
    """What the verdicts mean, where they are not about a pushed artifact."""


GROUPS: Mapping[str, Group] = {
    "A": Group(title="Names and traversal", count=23, cases=NAMES),
    "B": Group(title="Links", count=24, cases=LINKS),
    "C": Group(title="Types, modes, metadata", count=16, cases=TYPES),
    "D": Group(title="Headers: PAX and GNU extensions", count=25, cases=HEADERS),
    "E": Group(title="Stream and compression", count=15, cases=STREAMS),
    "F": Group(title="Environment", count=10, cases=ENVIRONMENT),
    "G": Group(title="Windows names", count=25, cases=WINDOWS),
    "H": Group(title="Addon-level semantics", count=16, cases=SEMANTICS),
    "I": Group(title="OCI manifests and indexes", count=22, cases=DOCUMENTS),
    "J": Group(
        title="A registry that lies",
        count=24,
        cases=LYING_REGISTRY,
        pushed="what it does",
        note="- **refused**: the sync fails with an error that says what cures it, or the request is never sent.\n"
        "- **accepted**, **normalised**: the sync goes on, and nothing is believed that was not verified.",
    ),
    "W": Group(
        title="Notification endpoint",
        count=22,
        cases=ENDPOINT,
        pushed="what is sent",
        note="- **refused**: the answer is 401, 413 or 503, or the connection ends without one. Nothing is stored.\n"
        "- **accepted**: the answer is 202. What an authenticated sender delivers is stored, and what cannot be\n"
        "  read is kept for the operator and makes the receiver look at everything.",
    ),
}
