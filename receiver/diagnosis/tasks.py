"""From the list of tasks to findings. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from receiver.diagnosis.finding import Finding, broken, ok, warning
from receiver.tasks.journal import Health
from receiver.tasks.task import State, Task

_LATE = 900.0
"""Seconds that a task may be due without anybody taking it: longer than any single sync that is still of use."""
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
            text = f"{task.repository} is parked, and is not tried again: {task.error or 'no reason is known'}"
            yield warning(
                "journal.parked",
                text,
                f"push a corrected artifact, or repair and addon-sync parked retry {task.repository}",
            )
        elif task.state is State.QUEUED and task.error:
            text = f"{task.repository} failed {task.attempts} times, and is tried again: {task.error}"
            yield warning("journal.failing", text, f"see addon-sync status {task.repository}")
    late = [task.repository for task in tasks if task.state is State.QUEUED and now - task.due > _LATE]
    if late and served:
        text = f"{len(late)} tasks are overdue by more than {_LATE / 60:.0f} minutes, such as {late[0]}"
        yield warning("journal.late", text, "see the log of serve, and restart it")


def judge_journal(journal: Health, *, now: float) -> Iterator[Finding]:
    """Judge the journal: how much it holds, and when something arrived last."""
    last = (
        "nothing has arrived yet" if journal.newest is None else f"the last delivery {_ago(now - journal.newest)} ago"
    )
    yield ok("journal.entries", f"{journal.entries} entries, {journal.bytes / 1e6:.1f} MB of deliveries, {last}")
    for problem in journal.problems:
        yield broken("journal.file", f"the queue is damaged: {problem}", _DAMAGED)


def _ago(seconds: float) -> str:
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def judge_file(path: str, problem: str | None) -> Finding:
    """Judge what SQLite says of its file; None where all is well."""
    if problem is None:
        return ok("journal.file", f"{path} is sound")
    return broken("journal.file", f"{path} is damaged: {problem}", _DAMAGED)
