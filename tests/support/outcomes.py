"""Outcomes of syncs, where a test only cares for a few of their members."""

from typing import Any

from receiver.document import replaced
from receiver.sync.outcome import Decision, LayerFact, Outcome, Status
from receiver.tasks.task import Trigger

DIGEST = "sha256:" + "a" * 64
DECISION = Decision(
    tags=("v1", "v2"),
    tag_count=2,
    tag="v2",
    rule="the highest version",
    digest=DIGEST,
    installed=None,
    layers=(LayerFact(label="config", digest=DIGEST, size=10**12, fetched=True),),
    skipped=("an image layer",),
)
"""With every member set that may be."""


def outcome(
    status: Status = "installed", trigger: Trigger = Trigger.EVENT, *, at: float = 1.0, **members: Any
) -> Outcome:
    """Of `addons/a`, asked for and begun at ``at``, unless ``members`` say otherwise."""
    plain = Outcome(repository="addons/a", status=status, trigger=trigger, asked=at, started=at, duration=0.5)
    return replaced(plain, **members)
