"""What is shipped for deployment is what the program takes and what the documentation shows."""

import json
from pathlib import Path

import yaml

from receiver.config import load

_ROOT = Path(__file__).parents[3]


def test_the_example_settings_are_settings(tmp_path: Path) -> None:
    """Every key is known and of its type; only the folder is another one here."""
    settings = load(
        flags={"k2s_install_dir": str(tmp_path)}, environment={}, file=_ROOT / "deploy" / "settings.example.yaml"
    )
    assert settings.registry.url == "https://registry.example.local:5000"
    assert settings.poll_interval == 300


def test_the_registry_snippets_are_those_of_the_guide() -> None:
    """One is for reading, the other for copying; they say the same."""
    guide = (_ROOT / "docs" / "how-to" / "connect-a-registry.md").read_text(encoding="utf-8")
    blocks = guide.partition("## Distribution")[2].split("```")
    shown = yaml.safe_load(next(block for block in blocks if block.startswith("yaml")).removeprefix("yaml"))
    assert shown == yaml.safe_load((_ROOT / "deploy" / "registries" / "distribution.yml").read_text(encoding="utf-8"))
    shown = json.loads(next(block for block in blocks if block.startswith("json")).removeprefix("json"))
    assert shown == json.loads((_ROOT / "deploy" / "registries" / "zot.json").read_text(encoding="utf-8"))
