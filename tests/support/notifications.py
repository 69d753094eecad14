"""Deliveries: recorded from real registries, and made up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from receiver.webhook.event import Delivery

RECORDED = Path(__file__).parents[1] / "fixtures" / "notifications"


def recorded(name: str) -> Delivery:
    """A delivery that a real registry made."""
    document = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    headers = {header.lower(): value for header, value in document["headers"].items()}
    return Delivery(headers=headers, body=json.dumps(document["body"]).encode())


def written(name: str, change: Callable[[Any], object] = lambda body: None, **headers: str) -> Delivery:
    """A delivery that was written by hand, its body changed in place by ``change``, with ``headers`` replaced."""
    delivery = recorded(name)
    body = json.loads(delivery.body)
    change(body)
    replaced = {header.replace("_", "-"): value for header, value in headers.items()}
    return Delivery(headers={**delivery.headers, **replaced}, body=json.dumps(body).encode())


def event(**changes: object) -> dict[str, object]:
    """An event of a manifest put by tag, as Distribution sends it, with members replaced."""
    return {
        "id": "291e84c1-a3d5-4cb8-b57e-dd975554b3d8",
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:" + "a" * 64,
            "repository": "addons/metrics",
            "tag": "v1.0.0",
        },
        "actor": {"name": "alice"},
        "source": {"instanceID": "8525b350-2340-4a04-90f7-26562c48e386"},
        **changes,
    }


def envelope(*events: object) -> bytes:
    """The body of a delivery of Distribution."""
    return json.dumps({"events": events}).encode()
