"""What the weather of a `FaultProxy` will be: which faults happen to which sync, all of it from one seed. Pure."""

import random
from dataclasses import dataclass

from tests.support.fault_proxy import BREAKING, HARMLESS, LYING, Fault, Request

_OF_A_BODY = frozenset({*LYING, "chunks", "cut in chunks"})
"""These make no sense of the answer to a HEAD."""
_WEIGHTS = {"stall": 1, "cut": 6, "reset": 4, "cut in chunks": 3}
"""How likely each is; a stall takes the client's whole patience."""
_BUDGETS = ((0, 0), (1, 0), (2, 0), (4, 0), (0, 1), (1, 1), (3, 1), (0, 2), (9, 1), (8, 2), (6, 2))
"""How many answers of one sync break, and how many lie: at most two, since `DigestMismatch.max_attempts` says how often
an artifact may come wrong in a row before it is parked."""


@dataclass(slots=True)
class _Storm:
    breaking: int
    lying: int
    calm: int
    """Requests that pass first."""
    force: float
    """How likely the next request is hit, while there is something left."""


class Weather:
    """A forecast by repository, all of it from one seed; it clears up after some faults, so that a sync can end."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._chances: dict[str, random.Random] = {}
        self._storms: dict[str, _Storm] = {}

    def brew(self, repository: str) -> None:
        """Draw what will happen to the next sync of ``repository``."""
        chance = self._chance(repository)
        breaking, lying = chance.choice(_BUDGETS)
        self._storms[repository] = _Storm(
            breaking=breaking, lying=lying, calm=chance.randrange(6), force=chance.choice((0.4, 1.0))
        )

    def __call__(self, request: Request) -> Fault | None:
        """The next fault for the repository that ``request`` is about."""
        repository = request.path.removeprefix("/v2/").partition("/manifests/")[0].partition("/blobs/")[0]
        repository = repository.partition("/tags/")[0]
        chance = self._chance(repository)
        kind = self._kind(chance, self._storms.get(repository))
        if kind is None or (request.method == "HEAD" and kind in _OF_A_BODY):
            return None
        at = chance.choice((0.0, 1.0, chance.random(), chance.random(), chance.random()))
        if kind == "drip":
            return Fault(kind=kind, at=at, count=100)
        return Fault(kind=kind, at=at, seconds=chance.uniform(0.0, 0.02))

    def _kind(self, chance: random.Random, storm: _Storm | None) -> str | None:
        if storm is not None and storm.calm > 0:
            storm.calm -= 1
        elif storm is not None and storm.breaking + storm.lying > 0 and chance.random() < storm.force:
            if chance.randrange(storm.breaking + storm.lying) < storm.lying:
                storm.lying -= 1
                return chance.choice(LYING)
            storm.breaking -= 1
            return chance.choices(BREAKING, [_WEIGHTS[kind] for kind in BREAKING])[0]
        return chance.choice(HARMLESS) if chance.random() < 0.3 else None

    def _chance(self, repository: str) -> random.Random:
        return self._chances.setdefault(repository, random.Random(f"{self._seed} {repository}"))
