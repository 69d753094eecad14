"""The reference documents are those that the code writes."""

from pathlib import Path

import pytest

from receiver.cli.main import COMMANDS
from receiver.config import SETTINGS
from scripts.generate_reference import DOCUMENTS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_reference_has_not_drifted_from_the_code(path: str) -> None:
    """Where this fails: ./scripts/generate-reference."""
    assert (ROOT / path).read_text(encoding="utf-8") == DOCUMENTS[path]()


def test_the_reference_names_every_setting_and_command() -> None:
    """A generator that lost a row would still agree with its file."""
    settings, commands = (render() for render in DOCUMENTS.values())
    assert all(f"| `{setting.name}`" in settings and setting.help in settings for setting in SETTINGS)
    assert all(f"\n## addon-sync {name}\n" in commands and f"\naddon-sync {name}" in commands for name in COMMANDS)
