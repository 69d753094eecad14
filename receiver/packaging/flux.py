"""The resources by which FluxCD watches one addon: one source for ``register`` and for ``deploy/``. Pure.

Flux sees a new version, unpacks the manifests layer, and applies the folder ``gitops-sync`` in it, which holds the Job
that runs ``addon-sync sync``. Names and labels are those that clusters have already: ``docs/how-to/deploy-flux.md``.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from receiver.oci.media import MANIFESTS

NAMESPACE = "k2s-addon-sync"
_MAX_NAME = 63
"""Characters: the name of a Job becomes a label of its pods (Kubernetes, "Labels and Selectors")."""

Resource = Mapping[str, Any]


def resource_name(leaf: str) -> str:
    """``addon-sync-<leaf>``; where Kubernetes would not take that for a name (RFC 1123), one like it with a hash."""
    name = f"addon-sync-{leaf}".replace("_", "-").replace(".", "-")
    if len(name) <= _MAX_NAME and name == f"addon-sync-{leaf}":
        return name
    # Two addons must not share it.
    return f"{name[: _MAX_NAME - 9].rstrip('-')}-{hashlib.sha256(leaf.encode()).hexdigest()[:8]}"


def oci_repository(
    name: str,
    *,
    addon: str,
    url: str,
    insecure: bool | str,
    semver: str,
    interval: str,
    secrets: Mapping[str, str] | None = None,
) -> Resource:
    """What Flux watches: the highest version of the addon, and of it the manifests layer.

    ``secrets``: names of Secrets by the field that refers to them, ``secretRef`` or ``certSecretRef``.
    """
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": _metadata(name, addon=addon, component="source"),
        "spec": {
            "interval": interval,
            "url": url,
            "ref": {"semver": semver},
            "insecure": insecure,
            "layerSelector": {"mediaType": MANIFESTS, "operation": "extract"},
            **{field: {"name": secret} for field, secret in (secrets or {}).items()},
        },
    }


def kustomization(name: str, *, addon: str) -> Resource:
    """What Flux applies of it: the Job. ``force``, because Jobs are immutable; ``wait``, so that Flux shows its end."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": _metadata(name, addon=addon, component="kustomization"),
        "spec": {
            "interval": "10m",
            "sourceRef": {"kind": "OCIRepository", "name": name},
            "path": "./gitops-sync",
            "targetNamespace": NAMESPACE,
            "force": True,
            "prune": True,
            "wait": True,
            "timeout": "10m",
        },
    }


def _metadata(name: str, *, addon: str, component: str) -> Resource:
    labels = {
        "app.kubernetes.io/name": "addon-sync",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "k2s",
        "k2s.io/addon": addon[:_MAX_NAME],
    }
    return {"name": name, "namespace": NAMESPACE, "labels": labels}
