"""The custom resources, by the definitions that Flux and the Prometheus operator install in a cluster."""

import copy
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.packaging.flux import kustomization, oci_repository
from tests.support.kustomize import DEPLOY, ROOT

DEFINITIONS = ROOT / ".cache" / "definitions"
COMPONENTS = DEPLOY / "receiver" / "components"
SOURCE = oci_repository(
    "addon-sync-a",
    addon="a",
    url="oci://registry.local:5000/addons/a",
    insecure=True,
    semver=">=0.0.0-0",
    interval="1m",
    secrets={"secretRef": "robot", "certSecretRef": "ca"},
)
APPLIED = kustomization("addon-sync-a", addon="a")


def read(path: Path) -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return resource


def complaints(*resources: Mapping[str, Any]) -> list[list[str]]:
    """Of each resource: ``/path keyword`` for what a cluster refuses, ``name unknown`` for what it drops."""
    node = shutil.which("node")
    if node is None or not DEFINITIONS.is_dir():
        pytest.skip(f"no definitions at {DEFINITIONS}: ./scripts/test fetches them (npm is needed)")
    command = [node, str(ROOT / "tests/support/definitions.mjs"), str(DEFINITIONS)]
    asked = json.dumps(resources)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=60, check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_a_cluster_with_flux_takes_ours() -> None:
    """What `register` prints and what the component for its webhook adds, each field known."""
    receiver = read(COMPONENTS / "flux-webhook/receiver.yaml")
    assert complaints(SOURCE, APPLIED, receiver) == [[], [], []]


def test_a_cluster_with_the_prometheus_operator_takes_ours() -> None:
    """The component `podmonitor`."""
    assert complaints(read(COMPONENTS / "podmonitor/podmonitor.yaml")) == [[]]


@pytest.mark.parametrize(
    ("resource", "field", "value", "said"),
    [
        (SOURCE, "url", "https://registry.local/a", "/spec/url pattern"),
        (SOURCE, "interval", "1 minute", "/spec/interval pattern"),
        (SOURCE, "layerSelector", {"operation": "unpack"}, "/spec/layerSelector/operation enum"),
        (SOURCE, "layerselector", {}, "layerselector unknown"),
        (APPLIED, "sourceRef", {"kind": "Registry", "name": "a"}, "/spec/sourceRef/kind enum"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_a_cluster_refuses_is_refused_here(resource: Mapping[str, Any], field: str, value: Any, said: str) -> None:
    """Else the tests above would show nothing."""
    wrong = copy.deepcopy(dict(resource))
    wrong["spec"][field] = value
    (found,) = complaints(wrong)
    assert said in found
