"""A push to a real registry, announced as each of the other senders would, through the program as users run it."""

import hmac
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon
from tests.support.notifications import RECORDED, recorded
from tests.support.system import TOKEN, Host, Serving, wait_for

pytestmark = pytest.mark.registry

SECRET = "a secret, with a comma"
PATH = "secret-path-of-some-length"
SETTINGS = f"""\
senders:
  ghcr: [an older one, '{SECRET}']
  nexus: '{SECRET}'
  gitea_file: FOLDER/secret
  artifactory: '{SECRET}'
  harbor: just words
  gitlab: token-of-gitlab
  dockerhub: {PATH}-dockerhub
  quay: {PATH}-quay
"""


def mac(body: bytes, algorithm: str) -> str:
    return hmac.new(SECRET.encode(), body, algorithm).hexdigest()


Proof = Callable[[bytes], Mapping[str, str]]
DELIVERIES: Mapping[str, tuple[str, Proof]] = {
    "harbor-push": ("", lambda _: {"Authorization": "just words"}),
    "harbor-cloudevents-push": ("", lambda _: {"Authorization": f"Bearer {TOKEN}"}),
    "gitlab-push": ("", lambda _: {"Authorization": "Bearer token-of-gitlab"}),
    "acr-push": ("", lambda _: {"Authorization": f"Bearer {TOKEN}"}),
    "ghcr-package": ("", lambda body: {"X-Hub-Signature-256": "sha256=" + mac(body, "sha256")}),
    "gitea-package-created": ("", lambda body: {"X-Gitea-Signature": mac(body, "sha256")}),
    "nexus-component-created": ("", lambda body: {"X-Nexus-Webhook-Signature": mac(body, "sha1")}),
    "artifactory-pushed": ("", lambda body: {"X-JFrog-Event-Auth": mac(body, "sha256")}),
    "dockerhub-push": (f"/{PATH}-dockerhub", lambda _: {}),
    "quay-push": (f"/{PATH}-quay", lambda _: {}),
}


def deliver(serving: Serving, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    request = urllib.request.Request(serving.notifications + path, data=body, headers=dict(headers))
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def installed(host: Host, digest: str) -> None:
    wait_for(f"monitoring at {digest}", lambda: host.digest("monitoring") == digest)


def test_every_sender_brings_a_release_and_a_stranger_none(quiet_site: Site, tmp_path: Path) -> None:
    """Each announces a version of its own; nothing polls, and nothing of a secret is printed."""
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    config = tmp_path / "addon-sync.yaml"
    config.write_text(SETTINGS.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    host, serving = quiet_site.host, quiet_site.serve()
    serving.arguments = ("--config", str(config))
    with serving:
        for number, (name, (path, prove)) in enumerate(DELIVERIES.items()):
            packed = artifact(tmp_path, addon="monitoring", version=f"v1.0.{number}")
            digest = push_addon(quiet_site.registry.url, "monitoring", packed)
            document = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
            kept = {key: text for key, text in document["headers"].items() if key.startswith(("X-", "Content"))}
            body = named(recorded(name).body)
            assert deliver(serving, path and f"{path}x", body, kept) == 401, name
            assert host.digest("monitoring") != str(digest)
            assert deliver(serving, path, body, {**kept, **prove(body)}) == 202, name
            installed(host, str(digest))
        assert serving.stop() == 0
    printed = "\n".join(serving.lines)
    assert not [word for word in (SECRET, PATH, TOKEN, "just words", "token-of-gitlab") if word in printed]


def named(body: bytes) -> bytes:
    """The delivery as it would be about the repository that there is."""
    document = json.loads(body)
    for package in ("package", "registry_package"):
        if package in document:
            document[package].update(name="monitoring", namespace="addons", owner={"login": "Addons"})
    text = json.dumps(document)
    return re.sub(r'"(?:[\w-]+/)*metrics"', '"addons/monitoring"', text).encode()
