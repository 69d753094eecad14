"""What holds for every test: slow ones on request, seeds that are told, no silent skip on a machine for tests."""

import os
import random
import signal
from collections.abc import Callable, Iterable

import pytest

from tests.support.kubectl import kubectl

_SHOWN = "shown"
_SEED = int(os.environ.get("ADDON_SYNC_TEST_SEED") or random.SystemRandom().randrange(2**32))
# Workers of pytest-xdist inherit the environment, so that one number reproduces the whole run.
os.environ["ADDON_SYNC_TEST_SEED"] = str(_SEED)
# A run in the background of a shell ignores Ctrl-C, as would every program that it starts, also those that are sent it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``."""
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_report_header() -> str:
    """Tell the seed."""
    return f"seed: {_SEED} (repeat with ADDON_SYNC_TEST_SEED={_SEED})"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect slow tests unless they were asked for; a skip would hide those that miss a component.

    Overlays are built where there is a kubectl: no package index that the tests may use has a recent one.
    """
    if not config.getoption("--slow"):
        _deselect("slow", config, items)
    if kubectl() is None:
        _deselect("kubectl", config, items)


def _deselect(marker: str, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave those with the marker out."""
    found = [item for item in items if item.get_closest_marker(marker)]
    if found:
        items[:] = [item for item in items if not item.get_closest_marker(marker)]
        config.hook.pytest_deselected(items=found)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``CI=true`` a skipped test fails the run: the machine misses a component that it should have."""
    if session.exitstatus == pytest.ExitCode.OK and _skips_fail() and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was shown, and why a run without a failed test is not green."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == _SHOWN:
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")
    if kubectl() is None:
        terminalreporter.write_line("no kubectl 1.21 or later: the overlays were not built", yellow=True)
    if terminalreporter.stats.get("failed"):
        terminalreporter.write_line(pytest_report_header())  # a quiet run has no header
    if _skips_fail() and _skipped(terminalreporter.config):
        terminalreporter.write_line("CI=true: skipped tests count as failures", red=True)


def _skips_fail() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def _skipped(config: pytest.Config) -> Iterable[object]:
    # Workers have no reporter; the controller counts for them.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("skipped", ()) if isinstance(reporter, pytest.TerminalReporter) else ()


@pytest.fixture
def shown(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Takes what stands at the end of the run if the test passes: how many points were tried, how often was killed."""
    return lambda fact: record_property(_SHOWN, str(fact))


@pytest.fixture
def seeded() -> random.Random:
    """A source of randomness whose seed stands in the header of the run."""
    return random.Random(_SEED)
