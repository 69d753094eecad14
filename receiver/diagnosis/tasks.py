"""From the list of tasks to findings. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from receiver.diagnosis.finding import Finding, broken, ok, warning
from receiver.sync import heard as arrivals
from receiver.sync.heard import Heard, in_words
from receiver.tasks.journal import Health
from receiver.tasks.task import EVERYTHING, State, Task

_LATE = 900.0
"""Seconds that a task may be due without anybody taking it: longer than any single sync that is still of use."""
_ALL_ADDONS = "see registry.* above; addon-sync poll tries now"
"""About the task of the poll, which no command can name."""
_DAMAGED = (
    "stop the receiver, move the file away with its -wal and -shm neighbours, and start again: the poll at start finds "
    "what the lost events announced"
)


def judge_tasks(tasks: Sequence[Task], *, served: bool, now: float) -> Iterator[Finding]:
    """Judge the list; ``served`` where somebody should be working on it."""
    found = Counter(task.state for task in tasks)
    yield ok("journal.tasks", ", ".join(f"{found[state]} {state.value}" for state in State))
    for task in tasks:
        if task.state is State.PARKED:
            text = f"{_name(task)} is parked, and is not tried again: {task.error or 'no reason is known'}"
            remedy = f"push a corrected artifact, or repair and addon-sync parked retry {task.repository}"
            yield warning("journal.parked", text, _ALL_ADDONS if task.repository == EVERYTHING else remedy)
        elif task.state is State.QUEUED and task.error:
            text = f"{_name(task)} failed {task.attempts} times, and is tried again: {task.error}"
            remedy = f"see addon-sync status {task.repository}"
            yield warning("journal.failing", text, _ALL_ADDONS if task.repository == EVERYTHING else remedy)
    late = [_name(task) for task in tasks if task.state is State.QUEUED and now - task.due > _LATE]
    if late and served:
        text = f"{len(late)} tasks are overdue by more than {_LATE / 60:.0f} minutes, such as {late[0]}"
        yield warning("journal.late", text, "see the log of serve, and restart it")


def _name(task: Task) -> str:
    return "a look at all addons" if task.repository == EVERYTHING else task.repository


def judge_journal(journal: Health, heard: Heard, *, now: float) -> Iterator[Finding]:
    """Judge the journal: how much it holds, what arrived last, and what was not let in."""
    size = f"{journal.entries} entries, {journal.bytes / 1e6:.1f} MB of deliveries"
    yield ok("journal.entries", f"{size}, {_last(journal, heard, now)}")
    if heard.last_refused is not None:
        last = heard.last_refused
        text = (
            f"{heard.refused} deliveries were refused in the last 24 hours, the last "
            f"{in_words(now - last.received)} ago from {last.address or 'nobody knows where'}: {last.reason}"
        )
        yield warning("journal.refused", text, arrivals.remedy(last.reason))
    for problem in journal.problems:
        yield broken("journal.file", f"the queue is damaged: {problem}", _DAMAGED)


def _last(journal: Health, heard: Heard, now: float) -> str:
    if heard.last is not None:
        return f"the last delivery {in_words(now - heard.last.received)} ago"
    if heard.ignored:
        return f"{heard.ignored} deliveries in the last 24 hours, all ignored ({heard.why_ignored})"
    if heard.refused:
        return "nothing was let in in the last 24 hours"
    return "nothing has arrived yet" if journal.newest is None else "nothing has arrived in the last 24 hours"


def judge_file(path: str, problem: str | None) -> Finding:
    """Judge what SQLite says of its file; None where all is well."""
    if problem is None:
        return ok("journal.file", f"{path} is sound")
    return broken("journal.file", f"{path} is damaged: {problem}", _DAMAGED)
