"""What we know of an addon repository: what is installed, what can be brought back, who holds it. Types only."""

from datetime import UTC, datetime

from receiver.document import Document, field
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest

FORMAT = 2
"""1 held nothing but the installed release; it is read too."""


class OwnedUnit(Document, frozen=True):
    """The files of one implementation, by path below its folder: size in bytes and SHA-256 in hexadecimal digits."""

    addon: str
    implementation: str
    files: dict[str, tuple[int, str]]


class InstalledRelease(Document, frozen=True):
    """What the repository has delivered; ``installed`` in seconds since the epoch."""

    tag: str
    version: str | None
    digest: str
    installed: float
    units: list[OwnedUnit]
    manifests: dict[str, str]
    """SHA-256 of each shared ``addon.manifest.yaml`` as it was written, by addon."""
    backup: str = ""
    """Folder of this installation in the backups of each unit, if it had to put anything there."""


class KeptBlob(Document, frozen=True):
    """A descriptor of something in the blob store."""

    media_type: str
    digest: str
    size: int

    def descriptor(self) -> Descriptor:
        """The same, judged.

        Raises:
            UnsupportedContent: the record is damaged.
        """
        return Descriptor(media_type=self.media_type, digest=Digest.parse(self.digest), size=self.size)


class KeptRelease(Document, frozen=True):
    """A release that can be installed again from the blob store; ``arrived`` in seconds since the epoch."""

    tag: str
    version: str | None
    digest: str
    arrived: float
    artifact: list[KeptBlob]
    """Manifests and indexes, the release's own first, and the layers that are installed."""


class Hold(Document, frozen=True):
    """A person's word that this addon stays as it is; ``since`` in seconds since the epoch."""

    since: float
    reason: str


class Doubt(Document, frozen=True):
    """A release with a lower version than the installed one was wanted ``since`` then (seconds since the epoch)."""

    digest: str
    since: float


class AddonRecord(Document, frozen=True):
    """All that we know of the repository ``repository``."""

    repository: str
    leaf: str
    installed: InstalledRelease | None = None
    kept: list[KeptRelease] = field(default_factory=list)
    """The newest arrival first; the installed one is among them, wherever it stands."""
    hold: Hold | None = None
    doubt: Doubt | None = None
    removed: str | None = None
    """The digest that an uninstallation removed, until something is installed again."""
    format: int = FORMAT


def held_text(leaf: str, hold: Hold) -> str:
    """Why nothing is done with ``leaf``, and how to change that."""
    since = datetime.fromtimestamp(hold.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"held since {since} ({hold.reason}); 'addon-sync release {leaf}' ends that"
