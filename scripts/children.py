"""Child processes of the quickstart: each with a log, awaited with a deadline, ended by its own process id."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.005
"""Seconds between two looks; what is measured is this exact."""
_GRACE = 10.0


class Failed(Exception):
    """The quickstart cannot go on; the text says why, ``log`` what the program said last."""

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(message)
        self.log = log


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end of the block: what is made in it is also remembered in it."""
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: held.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    for caught in held:
        signal.raise_signal(caught)


class Child:
    """One program that runs beside us. Make it, see to it that `stop` is called, then `start` it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._environment = environment
        self._folder = folder
        self._shown = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; a signal that comes meanwhile finds a process that can be ended."""
        with self._log.open("wb") as file, undisturbed():
            # A session of its own: Ctrl-C reaches us only, and we end the children in order.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(self._environment),
                cwd=self._folder,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None where it did not."""
        return None if self._process is None else self._process.poll()

    def until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until ``ready``.

        Raises:
            Failed: the program ended or ``seconds`` went by; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise Failed(f"{self.name} ended with exit code {self.exit_code}", log=self.tail())
            if time.monotonic() > deadline:
                raise Failed(f"{what} did not happen within {seconds:.0f} s", log=self.tail())
            time.sleep(_PAUSE)

    def new_lines(self) -> Iterator[str]:
        """The whole lines that were logged since the last call."""
        with self._log.open("rb") as file:
            file.seek(self._shown)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._shown += len(whole)
        yield from whole.decode("utf-8", "replace").splitlines()

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End it where it was started; by force where it takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
