"""The Job that every exported addon carries."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.oci import media
from receiver.packaging.artifact import build
from receiver.packaging.flux import resource_name
from receiver.packaging.gitops import FOLDER, gitops_sync
from tests.support.addons import files, manifest_yaml, write_tree
from tests.support.artifacts import layer_files

CREATED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def job(leaf: str) -> Any:
    return yaml.safe_load(gitops_sync(leaf, created=CREATED)["sync-job.yaml"])


def test_the_job_is_the_one_that_clusters_know() -> None:
    """Names, annotation, account and node as existing clusters, tools and tests have them."""
    found = job("ingress-nginx")
    assert (found["apiVersion"], found["kind"]) == ("batch/v1", "Job")
    assert found["metadata"]["name"] == "addon-sync-ingress-nginx"
    assert found["metadata"]["namespace"] == "k2s-addon-sync"
    assert found["metadata"]["annotations"] == {"k2s.io/export-timestamp": "2026-11-22T12:00:00Z"}
    pod = found["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "addon-sync-processor"
    assert pod["hostNetwork"] is True  # HostProcess pods must
    assert pod["nodeSelector"] == {"kubernetes.io/os": "windows"}
    windows = pod["securityContext"]["windowsOptions"]
    assert windows == {"hostProcess": True, "runAsUserName": "NT AUTHORITY\\SYSTEM"}
    (container,) = pod["containers"]
    assert container["command"] == [r"$(K2S_INSTALL_DIR)\bin\addon-sync\addon-sync.exe", "sync", "ingress-nginx"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    # REGISTRY_URL, K2S_INSTALL_DIR, INSECURE, and whatever a cluster's operator adds.
    assert container["envFrom"] == [{"configMapRef": {"name": "addon-sync-config"}}]


def test_the_kustomization_applies_the_job_and_nothing_else() -> None:
    """Its path in the artifact is ./gitops-sync; the addon's own manifests are not applied."""
    found = yaml.safe_load(gitops_sync("monitoring", created=CREATED)["kustomization.yaml"])
    assert found["resources"] == ["sync-job.yaml"]


@pytest.mark.parametrize("leaf", ["1.0", "true", "null", "0x1f"])
def test_a_name_stays_a_name(leaf: str) -> None:
    """YAML would read some as numbers, and Kubernetes takes no number for an argument."""
    assert job(leaf)["spec"]["template"]["spec"]["containers"][0]["command"][-1] == leaf


@pytest.mark.parametrize(
    ("leaf", "name"),
    [("monitoring", "addon-sync-monitoring"), ("a" * 52, "addon-sync-" + "a" * 52)],
)
def test_a_job_is_named_after_its_addon(leaf: str, name: str) -> None:
    """As far as Kubernetes takes it."""
    assert resource_name(leaf) == name


def test_jobs_of_odd_names_are_valid_and_differ() -> None:
    """Underscores, dots and length are none of Kubernetes' liking; two addons must not share a Job."""
    leaves = ["a_b", "a.b", "a-b", "x" * 53, "x" * 129, "x" * 60 + "-y"]
    names = {resource_name(leaf) for leaf in leaves}
    assert len(names) == len(leaves)
    assert all(len(name) <= 63 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)


def test_a_folder_that_came_with_a_delivery_is_replaced(tmp_path: Path) -> None:
    """The Job of another registry's export, in whatever case, does not travel on."""
    folder = tmp_path / "hello"
    old = {"manifests/GitOps-Sync/sync-job.yaml": b"old", "manifests/GitOps-Sync/more.yaml": b"old"}
    write_tree(folder, {**files(), **old, "addon.manifest.yaml": manifest_yaml("hello", "hello")})
    (tmp_path / "scratch").mkdir()
    packed = build(
        folder,
        name="hello",
        implementation="hello",
        version="v1.0.0",
        created=CREATED,
        scratch=tmp_path / "scratch",
        folders={FOLDER: gitops_sync("hello", created=CREATED)},
    )
    found = layer_files(packed, media.MANIFESTS)
    synced = {name: content for name, content in found.items() if "gitops" in name.lower()}
    assert {f"gitops-sync/{name}": content for name, content in gitops_sync("hello", created=CREATED).items()} == synced
