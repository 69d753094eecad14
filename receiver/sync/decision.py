"""The facts of a decision, as they are kept for whoever asks why. Pure."""

from receiver.catalog.record import AddonRecord
from receiver.sync.outcome import MOST_TAGS, Decision
from receiver.sync.syncer import Desired, Installed


def decided(desired: Desired | None, record: AddonRecord | None, installed: Installed | None) -> Decision | None:
    """What is known of a sync that got as far as this; None where the registry has not answered."""
    if desired is None:
        return None
    before = record.installed if record is not None else None
    return Decision(
        tags=tuple(sorted(desired.tags)[-MOST_TAGS:]),
        tag_count=len(desired.tags),
        tag=desired.choice.tag,
        rule=desired.choice.rule,
        digest=str(desired.digest),
        installed=before.digest if before is not None else None,
        layers=installed.layers if installed is not None else (),
        skipped=installed.skipped if installed is not None else (),
    )
