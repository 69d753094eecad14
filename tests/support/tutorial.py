"""Do what a tutorial says, as its reader does: type its blocks into terminals, and compare what is shown.

A comment before a block says what it is for; readers of the page do not see it:

- ``<!-- run -->``                      typed into the first terminal; ends with 0
- ``<!-- run, exit code 1 -->``         the same; ends with 1
- ``<!-- run in: receiver -->``         typed into another terminal, where it goes on
- ``<!-- shows -->``                    what the last ``run`` printed; without one, it printed nothing
- ``<!-- shows in: receiver -->``       lines that appear there, in this order; others may stand between them
- ``<!-- interrupt: receiver -->``      Ctrl-C there; stands alone
- ``<!-- not run: the reason -->``

Digests, times, durations and sizes are compared as such, not by their value; ``…`` stands for anything.
"""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support.system import wait_for

FIRST = ""
_STEP = re.compile(
    r"^<!-- (?P<what>(?:run|shows|interrupt|not run)\b[^\n]*?) -->\n(?:```\w+\n(?P<text>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
_FENCE = re.compile(r"^```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_WHAT = re.compile(r"(?P<verb>run|shows|interrupt)(?:, exit code (?P<code>\d+)|(?: in)?: (?P<terminal>\w+))?")
_VALUES = (
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "<digest>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|m|h)\b"), "<duration>"),
    (re.compile(r"\b\d+(\.\d+)? (B|KB|MB|bytes)\b"), "<size>"),
    (re.compile(r"\s+"), " "),
)
_END = "end of the block:"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that the reader does or sees."""

    verb: str
    terminal: str = FIRST
    code: int = 0
    text: str = ""


def steps(page: str) -> Iterator[Step]:
    """The steps of a tutorial, in order.

    Raises:
        AssertionError: a block, or a comment, of which it is not said what it is for.
    """
    assert _FENCE.findall(_STEP.sub("", page)) == [], "blocks without a comment that says what they are for"
    for match in _STEP.finditer(page):
        if match["what"].startswith("not run: "):
            continue
        what = _WHAT.fullmatch(match["what"])
        assert what is not None, f"what is {match['what']!r}?"
        code, terminal = int(what["code"] or 0), what["terminal"] or FIRST
        yield Step(verb=what["verb"], terminal=terminal, code=code, text=match["text"] or "")


def follow(plan: list[Step], environment: Mapping[str, str], folder: Path) -> None:
    """Do every step in ``folder``.

    Raises:
        AssertionError: something else was shown, or happened, than the tutorial says.
    """
    with Desk(dict(environment), folder) as desk:
        for number, step in enumerate(plan):
            following = plan[number + 1] if number + 1 < len(plan) else None
            desk.do(step, shown=following.text if following and _belongs(following) else "")


def _belongs(step: Step) -> bool:
    return step.verb == "shows" and step.terminal == FIRST


@dataclass
class Desk:
    """The terminals that the reader has open."""

    environment: dict[str, str]
    folder: Path
    terminals: dict[str, "Terminal"] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for terminal in self.terminals.values():
            terminal.close()

    def do(self, step: Step, *, shown: str) -> None:
        """Do one step; ``shown`` is what a block in the first terminal is to print."""
        if step.terminal not in self.terminals:
            self.terminals[step.terminal] = Terminal(self.environment, self.folder)
        terminal = self.terminals[step.terminal]
        match step.verb:
            case "run" if step.terminal == FIRST:
                code, printed = terminal.run(step.text)
                assert code == step.code, f"{step.text}ended with {code}:\n{printed}"
                assert same(shown, printed), f"{step.text}printed\n{printed}\nand not\n{shown}"
            case "run":
                terminal.type(step.text)
            case "shows" if step.terminal != FIRST:
                for line in step.text.splitlines():
                    terminal.wait_for(line)
            case "interrupt":
                terminal.interrupt()


def same(expected: str, printed: str) -> bool:
    """Whether the output is the expected one, whatever the values in it."""
    patterns, lines = expected.splitlines(), printed.splitlines()
    return len(patterns) == len(lines) and all(_fits(*pair) for pair in zip(patterns, lines, strict=True))


def _fits(expected: str, line: str) -> bool:
    return re.fullmatch(_pattern(expected), _without_values(line)) is not None


def _pattern(expected: str) -> str:
    return ".*".join(re.escape(part) for part in _without_values(expected).split("…"))


def _without_values(line: str) -> str:
    for pattern, name in _VALUES:
        line = pattern.sub(name, line)
    return line.strip()


class Terminal:
    """A shell that is typed into, and what it has shown."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._shell = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,  # so that Ctrl-C reaches what runs in it, and not the tests
        )
        self._lines: list[str] = []
        self._seen = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, text: str) -> None:
        """Type ``text``."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(text)
        self._shell.stdin.flush()

    def run(self, text: str) -> tuple[int, str]:
        """Type ``text``, and wait until it has run: exit code and output."""
        begin = len(self._lines)
        self.type(f'{text}echo "{_END}$?"\n')
        wait_for(f"the end of\n{text}", lambda: self._lines[begin:] and self._lines[-1].startswith(_END), seconds=60)
        *printed, last = self._lines[begin:]
        return int(last.removeprefix(_END)), "\n".join(printed)

    def wait_for(self, expected: str) -> None:
        """Wait for a line as ``expected``, after those that were waited for before."""

        def shown() -> bool:
            lines = list(enumerate(self._lines))[self._seen :]
            found = next((number for number, line in lines if _fits(expected, line)), None)
            self._seen = self._seen if found is None else found + 1
            return found is not None

        try:
            wait_for(f"the line {expected!r}", shown)
        except AssertionError as error:
            error.add_note("shown were\n" + "\n".join(self._lines))
            raise

    def interrupt(self) -> None:
        """Ctrl-C: what runs in the foreground ends, the shell waits for it and goes on."""
        os.killpg(self._shell.pid, signal.SIGINT)

    def close(self) -> None:
        """End the shell and what runs in it, which is all in a group of its own."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.stdin.close()
        try:
            self._shell.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
        self._reader.join(15)
        self._shell.stdout.close()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            self._lines.append(line.rstrip("\n"))
