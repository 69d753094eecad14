"""What ``deploy/monitoring`` holds, read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
_FILLED = {"$job": ".+", "$instance": ".+", "$__rate_interval": "5m", "$__range": "6h"}


def dashboard() -> dict[str, Any]:
    """The dashboard's document."""
    document: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return document


def panels() -> list[dict[str, Any]]:
    """Its panels, rows among them."""
    return list(dashboard()["panels"])


def queries() -> Iterator[str]:
    """Every expression of every panel, with Grafana's variables in it."""
    for panel in panels():
        yield from (target["expr"] for target in panel.get("targets", ()))


def filled_in(query: str) -> str:
    """As Grafana sends it: for every host, and with a time range."""
    for variable, text in _FILLED.items():
        query = query.replace(variable, text)
    return query
