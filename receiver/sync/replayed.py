"""What a replay found. Apart from the reader of deliveries, which knows every sender and only a replay needs."""

from typing import TYPE_CHECKING

from receiver.document import Mutable, field

if TYPE_CHECKING:
    from receiver.webhook.event import Decoded, PushEvent


class Replayed(Mutable):
    """What a replay found so far."""

    documents: int = 0
    events: int = 0
    ignored: int = 0
    repositories: dict[str, int] = field(default_factory=dict)
    """How many events named each repository."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, with its line or journal number."""

    def add(self, decoded: "Decoded", *, where: str) -> None:
        """Count what one delivery says."""
        self.ignored += sum(decoded.ignored.values())
        self.problems += [f"{where}: {problem}" for problem in decoded.malformed]
        for event in decoded.events:
            self._count(event)

    def _count(self, event: "PushEvent") -> None:
        self.events += 1
        name = event.repository.name
        self.repositories[name] = self.repositories.get(name, 0) + 1
