"""Every failure comes with what to do about it, and every command that is named exists."""

import re
from collections.abc import Iterator

import click
import pytest

from receiver import errors
from receiver.cli.main import COMMANDS, cli
from receiver.errors import ReceiverError
from receiver.sync.remedy import remedy

PLANNED = {"doctor", "export"}
"""Commands that come with other work."""
ONLY_ROOTS = {"RegistryError", "CatalogError"}
ENDS_NO_SYNC = {"ConfigError", "DeliveryError", "Unauthenticated", "Oversized", "Unsupported", "Malformed"}
GENERIC = remedy(None, addon="monitoring", parked=False)


def kinds(root: type[ReceiverError] = ReceiverError) -> Iterator[type[ReceiverError]]:
    """Every class below ``root``."""
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


ENDING = sorted({kind.__name__ for kind in kinds()} - ENDS_NO_SYNC - ONLY_ROOTS)


@pytest.mark.parametrize("parked", [True, False])
@pytest.mark.parametrize("kind", ENDING)
def test_every_error_that_ends_a_sync_has_a_remedy_of_its_own(kind: str, parked: bool) -> None:
    """By its class, or by one above it."""
    assert remedy(kind, addon="monitoring", parked=parked) not in {
        GENERIC,
        remedy(None, addon="monitoring", parked=True),
    }


@pytest.mark.parametrize("kind", [None, "Later", "ReceiverError", "annotations", "ClassVar", "__doc__"])
def test_what_is_not_known_has_a_remedy_too(kind: str | None) -> None:
    """A fault of ours, or a class of another version: what is tried again is left alone, the rest is retried."""
    assert remedy(kind, addon="monitoring", parked=False) == GENERIC
    assert "'addon-sync parked retry monitoring'" in remedy(kind, addon="monitoring", parked=True)


@pytest.mark.parametrize("kind", [None, *ENDING])
def test_a_remedy_names_commands_that_exist(kind: str | None) -> None:
    """With the flags that they have, and subcommands."""
    for parked in (True, False):
        for line in re.findall(r"'addon-sync ([^']*)'", remedy(kind, addon="monitoring", parked=parked)):
            name, *words = line.split()
            if name not in PLANNED:
                assert name in COMMANDS
                _check(cli.get_command(click.Context(cli), name), words)


def _check(command: click.Command | None, words: list[str]) -> None:
    assert command is not None
    if isinstance(command, click.Group) and words:
        return _check(command.commands.get(words[0]), words[1:])
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert [word for word in words if word.startswith("-") and word not in flags] == []
    return None


def test_names_of_errors_are_classes_of_errors() -> None:
    """What else is in that module is none."""
    assert all(issubclass(getattr(errors, kind), ReceiverError) for kind in ENDING)
