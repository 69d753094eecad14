"""A command line without the settings and the log of whoever runs the tests."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from receiver.cli import main
from receiver.settings_table import SETTINGS


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run ``addon-sync`` with arguments in this process."""
    for setting in SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
        monkeypatch.delenv(setting.name + "_FILE", raising=False)
    logger = logging.getLogger("receiver")
    before = (logger.handlers[:], logger.level, logger.propagate)
    logger.handlers.clear()

    def ended(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["addon-sync", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Ended(caught.value.code, captured.out, captured.err)

    yield ended
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])
