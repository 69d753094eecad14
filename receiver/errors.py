"""Every exception that the receiver raises on purpose, split by what cures it.

::

    ReceiverError
    ├── ConfigError              a setting is missing or wrong: exit code 2
    ├── InvalidNameError         a name from outside is not one that may become a path
    ├── DeliveryError            a notification cannot be taken as it is
    │   ├── Unauthenticated        401
    │   ├── Oversized              413
    │   ├── Unsupported            202, kept: no sender that we know
    │   └── Malformed              202, kept: a known sender, a broken body
    ├── RegistryError            the registry did not give what was asked for
    │   ├── Unavailable            unreachable, 5xx, cut off: time cures it
    │   │   └── RateLimited        429 or 503 with Retry-After: that much time cures it
    │   ├── AccessDenied           401, 403: the operator cures it
    │   ├── NotInRegistry          404: a push cures it
    │   └── ProtocolViolation      an answer outside the specification
    ├── ContentError             what the registry gave is not what it promised
    │   ├── DigestMismatch
    │   ├── SizeMismatch
    │   └── UnsupportedContent     an artifact that is no addon: only a new push cures it
    ├── CatalogError             the release cannot be put in place; the previous one still is
    │   ├── UnsafeArchive          only a new push cures it
    │   ├── InvalidManifest        only a new push cures it
    │   │   └── WrongRepository      only a push to another repository cures it
    │   ├── DowngradeDoubted       a lower version than the installed one: believed when it is seen again later
    │   ├── AddonHeld              a person said that it stays as it is
    │   ├── NotInstalled           there is nothing of that name to work on, or nothing to go back to
    │   └── InstallError           a full disk, a file held open: time or the operator cures it
    └── QueueError
        ├── QueueUnavailable       503: the event could not be made durable
        └── LeaseLost              another worker has the task now

``retryable`` says whether the same work may succeed later with no new push; ``max_attempts`` bounds that
where repetition cures transport but not content. ``receiver.sync.retry.after_failure`` is the only reader.
"""

from typing import ClassVar

FROM_A_BROWSER = (
    "a web page may not notify where no credential is needed: set ADDON_SYNC_TOKEN, or send neither Origin nor "
    "Sec-Fetch-Site"
)
"""Why a browser is refused at an open door: any page could make one on this host ask us."""
NO_CREDENTIAL = "a valid credential is required"
"""What whoever is not let in is told, and the journal: it never says what was wrong."""

NO_CERTIFICATE = "no client certificate was shown"
BAD_CERTIFICATE = "the client certificate was refused"
"""Why somebody was not let in where ADDON_SYNC_TLS_CLIENT_CA wants a certificate; for the operator alone."""


def quoted(path: object) -> str:
    """``path`` in quotes and on one line, with the backslashes of Windows as people write them."""
    return repr(str(path)).replace("\\\\", "\\")


class ReceiverError(Exception):
    """The root: its text names the cause and, where there is one, the remedy."""

    retryable: ClassVar[bool] = False
    max_attempts: ClassVar[int | None] = None

    def __str__(self) -> str:
        """The text, as it can be stored and sent: bytes of a file's name that are no UTF-8 are escaped."""
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class ConfigError(ReceiverError):
    """A setting is missing, unknown or of the wrong type; the text names its key."""


class InvalidNameError(ReceiverError):
    """A repository, addon or implementation name that must not become a path or a request."""


class DeliveryError(ReceiverError):
    """A notification that cannot be taken as it is; ``status`` is the HTTP answer."""

    status: ClassVar[int] = 202


class Unauthenticated(DeliveryError):
    """No valid credential. The text never says which part was wrong."""

    status = 401


class Oversized(DeliveryError):
    """The body is over the limit."""

    status = 413


class Unsupported(DeliveryError):
    """No sender that we know, or an event type of a known sender that we do not."""


class Malformed(DeliveryError):
    """A known sender with a body that cannot be parsed."""


class RegistryError(ReceiverError):
    """The registry did not give what was asked for."""

    retryable = True


class Unavailable(RegistryError):
    """Unreachable, 5xx, or cut off in the middle."""


class RateLimited(Unavailable):
    """The registry asks to come back later; ``retry_after`` in seconds, already bounded."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccessDenied(RegistryError):
    """401 or 403: the credential is missing or may not do this."""


class NotInRegistry(RegistryError):
    """404: the repository, tag or blob is not there (any more)."""


class ProtocolViolation(RegistryError):
    """An answer outside the distribution specification, or over one of our limits."""

    max_attempts = 5


class ContentError(ReceiverError):
    """What the registry gave is not what its descriptor promised, or is no addon."""


class DigestMismatch(ContentError):
    """The bytes do not hash to the digest. A broken proxy is cured by repetition, a broken blob is not."""

    retryable = True
    max_attempts = 3


class SizeMismatch(ContentError):
    """More or fewer bytes than the descriptor says."""

    retryable = True
    max_attempts = 3


class UnsupportedContent(ContentError):
    """An artifact that holds no addon, or needs what we refuse (foreign layers, unknown schema)."""


class CatalogError(ReceiverError):
    """The release cannot be put in place; the previous one is untouched."""


class UnsafeArchive(CatalogError):
    """A layer that is damaged or means harm; the text names the entry, control characters escaped."""


class InvalidManifest(CatalogError):
    """An ``addon.manifest.yaml`` that would make the catalogue unreadable, or contradicts its artifact."""


class WrongRepository(InvalidManifest):
    """The artifact of an addon in a repository that is named for another; the text names the right one."""


class DowngradeDoubted(CatalogError):
    """The registry wants a lower version than the installed one; the text says when that is believed."""

    retryable = True


class AddonHeld(CatalogError):
    """A person holds the addon where it is; the text says since when, why, and how to end it."""


class NotInstalled(CatalogError):
    """Nothing is installed from that repository, or no such release is kept; the text says what there is."""


class InstallError(CatalogError):
    """The file system refused: disk full, no permission, a file held open."""

    retryable = True


class QueueError(ReceiverError):
    """The durable queue cannot do what it must."""

    retryable = True


class QueueUnavailable(QueueError):
    """Nothing can be made durable now (disk full, database locked): the sender gets 503."""


class LeaseLost(QueueError):
    """The lease ran out and the task belongs to somebody else; the result is discarded."""
