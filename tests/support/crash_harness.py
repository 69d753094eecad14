"""The crash harness: an operation dies before every call, and so does every recovery of what its deaths have left.

Calls that only read leave the disk as it was, and many deaths leave equal disks. So each work is watched once to learn
the disk before every call; each disk that is new is then produced by the death of a real process, looked at as a reader
would, and recovered (`tests.support.disk_images` says what equal means).
"""

import bisect
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.disk_faults import dies, stepped, undisturbed, watched
from tests.support.disk_images import copy_disk, fingerprint, image
from tests.support.install_scene import Operation, Scene
from tests.support.releases import EXCHANGES

_Work = Callable[[Path], None]


@dataclass(slots=True)
class Tally:
    """Points of death and new disks that are left: of the operation, then of each round of recoveries."""

    points: list[int] = field(default_factory=list)
    disks: list[int] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=lambda: {"old": 0, "new": 0})
    """What those disks become that are recovered undisturbed: each of them, once."""
    processes: int = 0
    """Those that died."""

    def __str__(self) -> str:
        rounds = [
            f"{points} points of death leave {disks}" for points, disks in zip(self.points, self.disks, strict=True)
        ]
        later = "".join(f", {text} more in their recoveries" for text in rounds[1:])
        ends = f"they become {self.ends['old']} old, {self.ends['new']} new"
        return f"{rounds[0]} different disks{later}; {ends}; {self.processes} processes died"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """A work that came to its end: its calls, and from which call on the disk was in which state."""

    calls: int
    changes: list[tuple[int, bytes]]

    def before(self, at: int) -> bytes:
        return self.changes[bisect.bisect_right(self.changes, at, key=lambda change: change[0]) - 1][1]


class CrashHarness:
    """One operation of a scene, with one way of exchanging folders; disks lie in ``scratch``, numbered."""

    def __init__(self, scene: Scene, operation: Operation, exchange: str, scratch: Path) -> None:
        self._scene = scene
        self._operation: Operation = operation
        self._exchange = EXCHANGES[exchange]
        self._atomic = exchange == "atomic"
        self._known: set[bytes] = set()
        self._names = (scratch / f"disk-{number}" for number in itertools.count())

    def explore(self, *, rounds: int | None = 1, exhaustive: int = 1) -> Tally:
        """Die in the operation, then in the recoveries, ``rounds`` times one after the other.

        Args:
            rounds: None goes on until no death leaves a disk that was not there before: any number of deaths.
            exhaustive: In how many rounds, the operation's being the first, a process dies before every single call,
                and not only before those that find a new disk.

        Raises:
            AssertionError: something else than old or new came out, or something between was visible.
        """
        tally = Tally()
        disks = self._round(
            [self._scene.copy(next(self._names), self._operation)], self._carry_out, tally, every=exhaustive > 0
        )
        while disks and (rounds is None or len(tally.points) <= rounds):
            disks = self._round(disks, self._recover, tally, every=len(tally.points) < exhaustive)
        for disk in disks:
            with _told(f"after the recovery of {disk.name} to its end"), watched(undisturbed):
                self._recover(disk)
                tally.ends[self._scene.end(disk, self._operation)] += 1
            shutil.rmtree(disk)
        return tally

    def _round(self, sources: Iterable[Path], work: _Work, tally: Tally, *, every: bool) -> list[Path]:
        """Do ``work`` on every disk, then die in it; the new disks."""
        points = 0
        left: list[Path] = []
        for source in sources:
            course, end = self._course(source, work)
            if work == self._recover:
                tally.ends[end] += 1
            else:
                assert end == "new"
            for at in range(1, course.calls + 2) if every else [at for at, _ in course.changes]:
                if every or course.before(at) not in self._known:
                    disk = self._death(source, work, at, course)
                    left += [disk] if disk is not None else []
                    tally.processes += at <= course.calls
            points += course.calls
            shutil.rmtree(source)
        tally.points.append(points)
        tally.disks.append(len(left))
        return left

    def _course(self, source: Path, work: _Work) -> tuple[_Course, str]:
        """Work to the end on a copy of the disk ``source``."""
        root = copy_disk(source, next(self._names))
        changes: list[tuple[int, bytes]] = []
        with _told(f"after {work.__name__.strip('_')} of {source.name} to its end"):
            calls = stepped(lambda: work(root), lambda at: changes.append((at, fingerprint(image(root)))))
            end = self._scene.end(root, self._operation)
        shutil.rmtree(root)
        return _Course(calls=calls, changes=changes), end

    def _death(self, source: Path, work: _Work, at: int, course: _Course) -> Path | None:
        """A process dies before call ``at``; the disk that it leaves, if it is a new one."""
        root = copy_disk(source, next(self._names))
        with _told(
            f"{root.name}: death before call {at} of {course.calls} to {work.__name__.strip('_')} {source.name}"
        ):
            assert dies(at, lambda: work(root)) == (at <= course.calls)
            found = image(root)
            state = fingerprint(found)
            assert state == course.before(at), "the course of the work was another one"
            if state not in self._known:
                self._scene.check_visible(found, self._operation, atomic=self._atomic)
                self._known.add(state)
                return root
        shutil.rmtree(root)
        return None

    def _carry_out(self, root: Path) -> None:
        self._scene.carry_out(root, self._exchange, self._operation)

    def _recover(self, root: Path) -> None:
        self._scene.recover(root, self._exchange)


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n{where}") from error
