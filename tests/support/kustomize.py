"""Overlays as `kubectl kustomize` builds them, and the schemas that a cluster would judge them by."""

import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import yaml

from tests.support.kubectl import kubectl

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = ("1.28", "1.32", "1.37")
"""An old one, what the product has, and the newest that the schemas know."""

Resource = dict[str, Any]

_DURATION = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"}
_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}


def _object(required: str, **properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


_LABELS = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$"},
}
_NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"}
_METADATA = _object("name", name=_NAME, namespace=_NAME, labels=_LABELS, annotations={"type": "object"})
_REFERENCE = _object("name", name=_NAME)


def _custom(api: str, kind: str, spec: dict[str, object]) -> dict[str, object]:
    return _object("apiVersion kind metadata spec", apiVersion={"const": api}, kind={"const": kind}, metadata=_METADATA,
                   spec=spec)  # fmt: skip


FLUX: dict[str, dict[str, object]] = {
    "OCIRepository": _custom(
        "source.toolkit.fluxcd.io/v1",
        "OCIRepository",
        _object(
            "interval url",
            interval=_DURATION,
            url={"type": "string", "pattern": "^oci://.*$"},
            ref=_object("", digest=_TEXT, semver=_TEXT, semverFilter=_TEXT, tag=_TEXT),
            insecure=_FLAG,
            layerSelector=_object("", mediaType=_TEXT, operation={"enum": ["extract", "copy"]}),
            secretRef=_REFERENCE,
            certSecretRef=_REFERENCE,
        ),
    ),
    "Kustomization": _custom(
        "kustomize.toolkit.fluxcd.io/v1",
        "Kustomization",
        _object(
            "interval prune sourceRef",
            interval=_DURATION,
            sourceRef=_object("kind name", kind={"enum": ["OCIRepository", "GitRepository", "Bucket"]}, name=_NAME),
            path=_TEXT,
            targetNamespace={"type": "string", "minLength": 1, "maxLength": 63},
            force=_FLAG,
            prune=_FLAG,
            wait=_FLAG,
            timeout=_DURATION,
        ),
    ),
    "Receiver": _custom(
        "notification.toolkit.fluxcd.io/v1",
        "Receiver",
        _object(
            "resources secretRef type",
            type={"enum": ["generic", "generic-hmac"]},
            secretRef=_REFERENCE,
            resourceFilter=_TEXT,
            resources={
                "type": "array",
                "minItems": 1,
                "items": _object(
                    "kind name",
                    apiVersion=_TEXT,
                    kind={"enum": ["OCIRepository"]},
                    name={"type": "string", "minLength": 1, "maxLength": 253},
                    matchLabels=_LABELS,
                ),
            },
        ),
    ),
}
"""What Flux's custom resource definitions (2.6) say of the fields that we use; any other field is a mistake.

The definitions themselves judge in `tests/unit/deploy/test_definitions.py`, where there is npm."""


def build(folder: Path) -> list[Resource]:
    """The resources of an overlay, in a cluster's words."""
    program = kubectl()
    assert program is not None, "kubectl 1.21 or later is not installed: mark the test with `kubectl`"
    done = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns"
    return list(yaml.safe_load_all(done.stdout))


def find(resources: list[Resource], kind: str, name: str) -> Resource:
    """The one resource of that kind and name."""
    found = [one for one in resources if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{kind}/{name}: {len(found)} of {[one['kind'] for one in resources]}"
    return found[0]


def judge(resource: Resource) -> None:
    """Fail where a cluster would refuse ``resource``, or drop a field of it."""
    if resource["kind"] == "PodMonitor":
        return
    if (schema := FLUX.get(resource["kind"])) is not None:
        jsonschema_rs.validate(schema, resource)
        return
    for version in KUBERNETES:
        kubernetes_validate.validate(resource, version, strict=True)
