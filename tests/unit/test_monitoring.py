"""Dashboard and alerts ask for what the program shows, and say what to do; Prometheus itself takes them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.settings_table import SETTINGS
from tests.support.metrics import families, filled, labels_of, series_of
from tests.support.monitoring import FOLDER, dashboard, filled_in, panels, queries

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "troubleshoot.md"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
OF_PROMETHEUS = {"up"}
NAME = re.compile(r"\b(?:addon_sync_\w+|process_\w+|up)\b")
SELECTOR = re.compile(r"(addon_sync_\w+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')
OF_TARGETS = {"job", "instance"}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (package prometheus)")


def expressions() -> Iterator[str]:
    """Everything that dashboard and rules ask Prometheus for."""
    yield from (rule["expr"] for rule in RULES)
    yield from queries()


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- what is asked for is there ----


def test_every_metric_that_is_asked_for_is_shown() -> None:
    """A panel without data and an alert that cannot fire look like good news."""
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert asked - OF_PROMETHEUS <= series_of(filled())


def test_every_metric_is_on_the_dashboard() -> None:
    """Nobody counts what nobody looks at."""
    asked = {name for expression in queries() for name in NAME.findall(expression)}
    ours = {name for name in families(filled()) if name.startswith("addon_sync_")}
    assert {name for name in ours if not any(query.startswith(name) for query in asked)} == set()


def test_every_label_that_is_asked_for_is_there() -> None:
    """With a value that there can be: one that is misspelt selects nothing."""
    shown = families(filled())
    for name, selector in (found for expression in expressions() for found in SELECTOR.findall(expression)):
        family = shown[name.removesuffix("_bucket")]
        for label, wanted in LABEL.findall(selector):
            assert label in labels_of(family) | OF_TARGETS, f"{name} has no label {label}"
            if label in {"verdict", "state", "reason", "outcome"}:
                values = {sample.labels.get(label) for sample in family.samples}
                assert set(wanted.split("|")) <= values, f"{name}: {label} is never {wanted}"


# ---- alerts ----


def test_every_alert_says_what_to_do_and_where_to_read_more() -> None:
    """At night nobody wants to guess."""
    for rule in RULES:
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, rule["alert"]
        assert rule["annotations"]["runbook"] == "docs/how-to/troubleshoot.md#alerts"
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert len(rule["annotations"]["description"]) > 80, rule["alert"]


def test_every_alert_has_its_row_in_the_guide() -> None:
    """In the same order; and no row is left of an alert that is gone."""
    section = GUIDE.read_text(encoding="utf-8").partition("\n## Alerts\n")[2]
    assert re.findall(r"^\| `(AddonSync\w+)`", section, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_settings_that_alerts_name_are_settings() -> None:
    """A remedy must be there."""
    known = {setting.name for setting in SETTINGS}
    named = {name for rule in RULES for name in re.findall(r"ADDON_SYNC_[A-Z_]+", rule["annotations"]["description"])}
    assert named <= known
    assert named


def test_every_alert_is_seen_to_fire() -> None:
    """And every story says too when nothing must fire."""
    stories = yaml.safe_load((FOLDER / "rules.test.yml").read_text(encoding="utf-8"))["tests"]
    checks = [check for story in stories for check in story.get("promql_expr_test", ())]
    seen = {name for check in checks for sample in check["exp_samples"] for name in _alerts(sample["labels"])}
    seen |= {one["alertname"] for story in stories for one in story.get("alert_rule_test", ()) if one["exp_alerts"]}
    assert seen == {rule["alert"] for rule in RULES}
    for story in stories:
        both = [*story.get("promql_expr_test", ()), *story.get("alert_rule_test", ())]
        assert any(check.get("exp_samples") == [] or check.get("exp_alerts") == [] for check in both), story["name"]


def _alerts(labels: str) -> list[str]:
    return re.findall(r'alertname="(\w+)"', labels)


@needs_promtool
def test_prometheus_takes_the_rules_and_they_fire_when_they_should() -> None:
    """By its own tool; every story of rules.test.yml."""
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules.test.yml")


@needs_promtool
def test_prometheus_takes_the_configuration() -> None:
    """As it is, with the rules beside it."""
    promtool("check", "config", "prometheus.yml")


# ---- dashboard ----


def test_panels_lie_side_by_side() -> None:
    """Within the 24 columns of a dashboard, and none upon another."""
    boxes = [panel["gridPos"] for panel in panels()]
    assert all(box["x"] >= 0 and box["x"] + box["w"] <= 24 for box in boxes)
    for one, other in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    numbers = [panel["id"] for panel in panels()]
    assert len(numbers) == len(set(numbers))


def test_the_data_source_is_the_one_that_was_chosen() -> None:
    """An identifier of somebody's Grafana would show nothing in another."""
    found = re.findall(r'"uid": "([^"]*)"', (FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    assert set(found) == {"${datasource}", dashboard()["uid"]}
    variables = {variable["name"]: variable["type"] for variable in dashboard()["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}
    used = {name for query in queries() for name in re.findall(r"\$(\w+)", query)}
    assert used <= {*variables, "__rate_interval", "__range"}


def test_every_panel_says_what_it_shows() -> None:
    """A number without an explanation is looked at once."""
    for panel in panels():
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["targets"], panel["title"]
            assert [target["refId"] for target in panel["targets"]] == list("ABCDE")[: len(panel["targets"])]


@needs_promtool
def test_prometheus_can_read_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """Each as a rule, since that is what its tool checks."""
    rules = [{"record": f"panel:{number}", "expr": filled_in(query)} for number, query in enumerate(queries())]
    file = tmp_path / "queries.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", str(file))
