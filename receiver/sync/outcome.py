"""What a look at an addon came to."""

from typing import Literal

from receiver.document import Moment, Value
from receiver.tasks.task import Trigger

Status = Literal["installed", "unchanged", "held", "absent", "failed"]


class LayerFact(Value, frozen=True):
    """A layer that the release is made of."""

    label: str
    """What is in it: ``config``, ``manifests``, …"""
    digest: str
    size: int
    fetched: bool
    """False: it was in the blob store already."""


class Decision(Value, frozen=True):
    """The facts by which it was decided what to install, for ``why``."""

    tags: tuple[str, ...]
    """Of the repository, in lexical order; the last `MOST_TAGS` of them."""
    tag_count: int
    tag: str
    rule: str
    """Why this tag."""
    digest: str
    """What the tag points at."""
    installed: str | None
    """The digest that was installed before."""
    layers: tuple[LayerFact, ...] = ()
    skipped: tuple[str, ...] = ()
    """Layers that are never transferred, in words."""


MOST_TAGS = 20
"""Kept of each decision: a repository may have thousands."""


class Outcome(Value, frozen=True):
    """One attempt at one addon repository; ``duration`` in seconds."""

    repository: str
    status: Status
    trigger: Trigger
    asked: Moment
    """When the look was asked for: for an event, when it arrived."""
    started: Moment
    duration: float
    digest: str | None = None
    tag: str | None = None
    version: str | None = None
    files: int = 0
    fetched: int = 0
    """Bytes of layers that came from the registry for this."""
    visible: Moment | None = None
    kept: tuple[str, ...] = ()
    replaced: Moment | None = None
    """When the release that was there before had been installed."""
    replaced_digest: str | None = None
    error: str | None = None
    """Why it failed, or is held, or absent."""
    error_kind: str | None = None
    """Name of its class in `receiver.errors`."""
    attempts: int = 0
    """Failed attempts, this one included."""
    retry_at: Moment | None = None
    """When it is tried again, where that is planned."""
    decision: Decision | None = None
    """None where the registry could not be asked, or was not."""
    parked: bool = False
    """The failure is final until a new digest or a person comes."""
    turn: int = 0
    """In which turn of the workers its task was taken: one that was asked for before that is answered by it."""


class Surveyed(Value, frozen=True):
    """One look at everything."""

    started: Moment
    duration: float
    changed: tuple[str, ...] = ()
    """The repositories that need a task: another digest, a folder gone, or a comparison that failed."""
    drifted: tuple[str, ...] = ()
    """Those among them whose files have changed: the release that is installed is to be installed again."""
    unchanged: int = 0
    """Those that need none: also where the registry was not asked, or had nothing."""
    held: tuple[str, ...] = ()
    """Those about which the registry was not asked, because a person holds them."""
    fresh: tuple[str, ...] = ()
    """Those about which it was not asked again: a sync had just looked at them."""
    absent: tuple[str, ...] = ()
    """Those that it did not have, or without a tag that qualifies; what is installed of them stays."""
    error: str | None = None
    """Why nothing could be compared at all."""
    turn: int = 0
    """As of an `Outcome`."""

    def has_asked(self, repository: str) -> bool:
        """Whether the registry was asked about ``repository``, as far as it is known."""
        return repository not in self.held and repository not in self.fresh
