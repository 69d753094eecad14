"""The reference documents are those that the code writes."""

import re
from pathlib import Path

import pytest

from receiver.cli.main import COMMANDS
from receiver.settings_table import SETTINGS
from receiver.webhook.decode import BY_KEY, SENDERS
from scripts.generate_hardening import escaped
from scripts.generate_reference import DOCUMENTS
from tests.fault.hazards import GROUPS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_reference_has_not_drifted_from_the_code(path: str) -> None:
    """Where this fails: ./scripts/generate-reference."""
    assert (ROOT / path).read_text(encoding="utf-8") == DOCUMENTS[path]()


def test_the_reference_names_every_setting_and_command() -> None:
    """A generator that lost a row would still agree with its file."""
    settings, commands = (DOCUMENTS[f"docs/reference/{name}.md"]() for name in ("settings", "commands"))
    assert all(f"| `{setting.name}`" in settings and setting.help in settings for setting in SETTINGS)
    assert all(f"\n## addon-sync {name}\n" in commands and f"\naddon-sync {name}" in commands for name in COMMANDS)


def test_the_reference_names_every_sender_and_how_it_proves_itself() -> None:
    """Aliases among them; a row that ended early would hide a proof."""
    rows = re.findall(r"^\| (`[a-z`, ]+) \| (.+) \|$", DOCUMENTS["docs/reference/settings.md"](), re.MULTILINE)
    assert {key for keys, _ in rows for key in re.findall(r"`(\w+)`", keys)} == set(BY_KEY)
    assert sum(text.count("; or ") + 1 for _, text in rows) == sum(len(sender.proofs) for sender in SENDERS)


def test_the_reference_names_every_hazard_in_a_row_of_its_own() -> None:
    """A title that ends its cell early, or its line, would hide a verdict."""
    rows = re.findall(r"^\| [A-Z]\d+ .*$", DOCUMENTS["docs/reference/hardening.md"](), re.MULTILINE)
    assert len(rows) == sum(len(group.cases) for group in GROUPS.values())
    cells = [re.split(r"(?<!\\)(?:\\\\)*\|", row) for row in rows]
    assert {len(row) for row in cells} == {6}


@pytest.mark.parametrize(
    ("title", "cell"),
    [
        ("a|b", "a\\|b"),
        ("`a`\n", "\\`a\\`\\\\n"),
        ("a\u202eb", "a\\\\u202eb"),
        ("\\|", "\\\\\\|"),
        ("ß *x*", "ß \\*x\\*"),
    ],
)
def test_a_title_is_text_and_not_markup(title: str, cell: str) -> None:
    """Titles hold the names that attackers choose."""
    assert escaped(title) == cell
