"""Names of addons that this host never heard of: most likely mistyped, so commands say so."""

from pathlib import Path

from receiver.catalog.layout import DIGESTS
from receiver.errors import NotInstalled
from receiver.sync.status import AddonStatus, is_unknown


def is_unheard_of(status: AddonStatus, catalogue: Path) -> bool:
    """Whether nothing is known of an addon, and no other tool has installed it."""
    leaf = status.repository.rpartition("/")[2]
    return is_unknown(status) and not (catalogue / leaf).exists() and not (catalogue / DIGESTS / leaf).exists()


def unheard_of(status: AddonStatus) -> NotInstalled:
    """What to say then, where the registry was not asked."""
    leaf = status.repository.rpartition("/")[2]
    return NotInstalled(
        f"nothing is known of {status.repository}: it is not installed, held, queued or in the journal; "
        f"'addon-sync ls' lists what is installed, 'addon-sync status {leaf}' asks the registry"
    )
