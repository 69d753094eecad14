"""Work that blocks gets its seconds, and no more."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from receiver.diagnosis.probe.bounded import within


async def test_the_result_or_the_error_comes_back() -> None:
    """As if it had been called."""
    assert await within(10, lambda: threading.current_thread().daemon)
    with pytest.raises(ZeroDivisionError):
        await within(10, lambda: 1 // 0)


async def test_what_takes_longer_is_left_behind() -> None:
    """And its result, when it comes, disturbs nobody."""
    going = threading.Event()
    with pytest.raises(TimeoutError):
        await within(0.01, going.wait)
    going.set()


def test_the_program_ends_all_the_same() -> None:
    """A resolver or a drive that hangs keeps no terminal busy."""
    script = (
        "import asyncio, threading\nfrom receiver.diagnosis.probe.bounded import within\n"
        "async def main():\n    try:\n        await within(0.01, threading.Event().wait)\n"
        "    except TimeoutError:\n        print('late')\nasyncio.run(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=30,
        check=True,
    )
    assert ended.stdout == "late\n"
