"""One thread with the one writing connection: what waits is done in one transaction, and answered after its commit.

SQLite before 3.51.3 can corrupt a write-ahead log that two connections write at the same instant, so there is one. A
commit waits for the disk; sharing it is what makes many durable answers a second possible.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol, TypeVar

from receiver.document import Value
from receiver.errors import QueueError, QueueUnavailable
from receiver.tasks.database import close_database

A = TypeVar("A")
R = TypeVar("R")
Work = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]

MAX_BATCH = 256
"""Requests a transaction, so that the first of a flood does not wait for all of it."""


class _Request(Value, frozen=True, kw_only=True, eq=False):
    """Requests with the same ``work`` that wait together are done in one call."""

    work: Work
    argument: object
    future: asyncio.Future[Any]
    reads: bool
    wakes: bool


_Answer = tuple[_Request, object]


class Memory(Protocol):
    """What work remembers of the file between transactions, so as not to read it again."""

    def committed(self) -> None:
        """All since the last call is durable."""
        ...

    def undone(self) -> None:
        """All since the last call was rolled back: what was remembered of it is not true."""
        ...


class Writer:
    """Runs work on the connection that ``connect`` opens in the thread.

    ``memory`` is told in the thread what became of each transaction, ``written`` is called in the event loop after a
    commit with a request that wakes.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        memory: Memory,
        written: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._memory = memory
        self._written = written
        self._loop = asyncio.get_running_loop()
        self._pending: list[_Request] = []
        self._inbox: queue.SimpleQueue[list[_Request] | None] = queue.SimpleQueue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        # A daemon: a program that dies without close() must not hang. What was not answered was not promised.
        self._thread = threading.Thread(target=self._live, name="addon-sync-queue", daemon=True)

    async def start(self) -> None:
        """Open the connection.

        Raises:
            QueueUnavailable: it could not be opened; the thread has ended.
        """
        self._thread.start()
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Do what was asked, close the connection and end the thread; once is enough.

        Raises:
            QueueUnavailable: the log could not be folded into the file; nothing that was promised is lost.
        """
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._inbox.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    def submit(
        self, work: Callable[[sqlite3.Connection, Sequence[A]], Sequence[R | QueueError]], argument: A
    ) -> asyncio.Future[R]:
        """Do ``work`` for ``argument``, together with others of its kind; it answers for each, in order.

        An error that it returns is raised for its caller alone.
        """
        return self._ask(work, argument, reads=False, wakes=True)

    def run(self, work: Callable[[sqlite3.Connection], R], *, wakes: bool = False) -> asyncio.Future[R]:
        """Do ``work`` in a transaction. A `QueueError` that it raises means: nothing was changed."""
        return self._ask(_alone(work), None, reads=False, wakes=wakes)

    def read(self, work: Callable[[sqlite3.Connection], R]) -> asyncio.Future[R]:
        """Do ``work`` after the commit of what was asked before."""
        return self._ask(_alone(work), None, reads=True, wakes=False)

    def _ask(self, work: Work, argument: object, *, reads: bool, wakes: bool) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closing:
            future.set_exception(QueueUnavailable("the queue is closed"))
            return future
        if not self._pending:
            # All that is asked in one turn of the loop goes over at once: one wake-up of the thread, one commit.
            self._loop.call_soon(self._hand_over)
        self._pending.append(_Request(work=work, argument=argument, future=future, reads=reads, wakes=wakes))
        return future

    def _hand_over(self) -> None:
        if self._pending:
            self._inbox.put(self._pending)
            self._pending = []

    def _deliver(self, answers: Sequence[_Answer]) -> None:
        wakes = False
        for request, answer in answers:
            wakes = wakes or (request.wakes and not isinstance(answer, Exception))
            if request.future.done():
                continue  # its caller was cancelled: what it asked for is done all the same
            if isinstance(answer, Exception):
                request.future.set_exception(answer)
            else:
                request.future.set_result(answer)
        if wakes:
            self._written()

    # From here on: in the thread.

    def _live(self) -> None:
        try:
            connection = self._connect()
        except Exception as error:  # noqa: BLE001 - not swallowed: start() raises it
            self._tell(_fail, self._opened, error)
            return
        self._tell(_succeed, self._opened)
        while (requests := self._next()) is not None:
            for start in range(0, len(requests), MAX_BATCH):
                self._perform(connection, requests[start : start + MAX_BATCH])
        try:
            close_database(connection)
        except QueueUnavailable as error:
            self._tell(_fail, self._ended, error)
        else:
            self._tell(_succeed, self._ended)

    def _next(self) -> list[_Request] | None:
        """Everything that waits; None at the end."""
        requests = self._inbox.get()
        while requests is not None:
            try:
                more = self._inbox.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._inbox.put(None)  # first what was asked before
                break
            requests = requests + more
        return requests

    def _perform(self, connection: sqlite3.Connection, requests: Sequence[_Request]) -> None:
        answers = self._write(connection, [request for request in requests if not request.reads])
        answers += [_read(connection, request) for request in requests if request.reads]
        self._tell(self._deliver, answers)

    def _write(self, connection: sqlite3.Connection, requests: Sequence[_Request]) -> list[_Answer]:
        if not requests:
            return []
        try:
            answers = _transact(connection, requests)
        except sqlite3.Error as error:
            self._undo(connection)
            if _is_of_the_file(error):
                return [(request, _unavailable(error)) for request in requests]
            return self._apart(connection, requests, error)
        except Exception as error:  # noqa: BLE001 - not swallowed: the caller that asked for it raises it
            self._undo(connection)
            return self._apart(connection, requests, error)
        self._memory.committed()
        return answers

    def _apart(self, connection: sqlite3.Connection, requests: Sequence[_Request], error: Exception) -> list[_Answer]:
        """One request is impossible: the others must not suffer, so each gets a transaction of its own."""
        if len(requests) == 1:
            return [(requests[0], error)]
        return [answer for request in requests for answer in self._write(connection, [request])]

    def _undo(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.rollback()
        self._memory.undone()

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop was closed without close(): nobody is left who waits for an answer.
            self._inbox.put(None)


def _transact(connection: sqlite3.Connection, requests: Sequence[_Request]) -> list[_Answer]:
    connection.execute("BEGIN IMMEDIATE")
    answers: list[_Answer] = []
    for work, group in groupby(requests, key=lambda request: request.work):
        alike = list(group)
        answers += zip(alike, work(connection, [request.argument for request in alike]), strict=True)
    connection.execute("COMMIT")
    return answers


def _read(connection: sqlite3.Connection, request: _Request) -> _Answer:
    try:
        return request, request.work(connection, [request.argument])[0]
    except sqlite3.Error as error:
        return request, _unavailable(error)
    except Exception as error:  # noqa: BLE001 - not swallowed: the caller that asked for it raises it
        return request, error


def _alone(work: Callable[[sqlite3.Connection], R]) -> Work:
    def answer(connection: sqlite3.Connection, _: Sequence[None]) -> Sequence[R | QueueError]:
        try:
            return [work(connection)]
        except QueueError as error:
            return [error]

    return answer


def _is_of_the_file(error: sqlite3.Error) -> bool:
    """Whether the disk or the file failed (full, I/O error, locked, malformed), and not one request's values."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _unavailable(error: sqlite3.Error) -> QueueUnavailable:
    unavailable = QueueUnavailable(f"the queue cannot be used now: {error}")
    unavailable.__cause__ = error
    return unavailable


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
