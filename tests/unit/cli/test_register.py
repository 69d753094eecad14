"""What ``addon-sync register`` prints: what Flux takes, under the names that the documentation tells."""

import json
import re

import pytest
import yaml

from receiver.packaging.flux import resource_name
from tests.support.kustomize import DEPLOY, judge
from tests.unit.cli.conftest import Run

REGISTRY = ("--registry-url", "oci://registry.example.local:5000")


def test_an_addon_is_an_oci_repository_and_a_kustomization(run: Run) -> None:
    """Every name and value of the delivery's documentation."""
    ended = run("register", "monitoring", *REGISTRY, "--insecure", "$true")
    assert ended.code == 0
    source, kustomization = yaml.safe_load_all(ended.out)
    for resource in (source, kustomization):
        judge(resource)
        assert resource["metadata"]["name"] == "addon-sync-monitoring"
        assert resource["metadata"]["namespace"] == "k2s-addon-sync"
    assert source["spec"] == {
        "interval": "1m",
        "url": "oci://registry.example.local:5000/addons/monitoring",
        "ref": {"semver": ">=0.0.0-0"},
        "insecure": True,
        "layerSelector": {
            "mediaType": "application/vnd.k2s.addon.manifests.v1.tar+gzip",
            "operation": "extract",
        },
    }
    spec = kustomization["spec"]
    assert spec["sourceRef"] == {"kind": "OCIRepository", "name": "addon-sync-monitoring"}
    assert (spec["path"], spec["force"], spec["prune"], spec["wait"]) == ("./gitops-sync", True, True, True)
    assert spec["timeout"] == "10m"


def test_several_addons_and_an_account(run: Run) -> None:
    """In the order in which they were asked for; TLS unless it was said otherwise; a project before the prefix."""
    ended = run(
        "register", "security", "ingress-nginx", *REGISTRY, "--repository-prefix", "project/addons/",
        "--interval", "30s", "--pull-secret", "robot", "--ca-secret", "ca", "--semver-range", ">=1.0.0,<2.0.0",
    )  # fmt: skip
    sources = [one for one in yaml.safe_load_all(ended.out) if one["kind"] == "OCIRepository"]
    for source in sources:
        judge(source)
    assert [one["spec"]["url"].partition("5000/")[2] for one in sources] == [
        "project/addons/security",
        "project/addons/ingress-nginx",
    ]
    spec = sources[0]["spec"]
    assert (spec["insecure"], spec["interval"], spec["ref"]) == (False, "30s", {"semver": ">=1.0.0,<2.0.0"})
    assert (spec["secretRef"], spec["certSecretRef"]) == ({"name": "robot"}, {"name": "ca"})


def test_json_is_a_list_that_kubectl_takes_too(run: Run) -> None:
    """The same resources."""
    text = run("register", "monitoring", *REGISTRY)
    listed = json.loads(run("register", "monitoring", *REGISTRY, "--output", "json").out)
    assert listed["kind"] == "List"
    assert listed["items"] == list(yaml.safe_load_all(text.out))


def test_the_templates_filled_in_by_hand_are_the_same(run: Run) -> None:
    """As the guide of the product says: three words are replaced."""
    ended = run("register", "monitoring", *REGISTRY, "--insecure", "true")
    filled = []
    for name in ("ocirepository", "kustomization"):
        text = (DEPLOY / f"fluxcd/per-addon/{name}-template.yaml").read_text(encoding="utf-8")
        text = text.replace("ADDON_NAME_PLACEHOLDER", "monitoring")
        text = text.replace("REGISTRY_HOST_PLACEHOLDER", "registry.example.local:5000")
        filled.append(yaml.safe_load(text.replace("INSECURE_PLACEHOLDER", "true")))
    assert filled == list(yaml.safe_load_all(ended.out))


@pytest.mark.parametrize("name", ["123", "null", "true", "1e3", "0x10"])
def test_a_name_stays_a_text(run: Run, name: str) -> None:
    """Where YAML would read a number or nothing at all; labels are texts to Kubernetes."""
    for resource in yaml.safe_load_all(run("register", name, *REGISTRY).out):
        judge(resource)
        assert resource["metadata"]["labels"]["k2s.io/addon"] == name


@pytest.mark.parametrize(
    "name", ["../evil", "a\nb: c", "a: {b: c}", "--- evil", "Monitoring", "a b", "$(x)", "common", "con", "x" * 65]
)
def test_what_is_no_addon_is_refused(run: Run, name: str) -> None:
    """Nothing reaches kubectl."""
    ended = run("register", "monitoring", name, *REGISTRY)
    assert ended.code == 2
    assert ended.out == ""


@pytest.mark.parametrize("flags", [("--interval", "often"), ("--pull-secret", "a\nb"), ("--ca-secret", "A")])
def test_a_flag_that_flux_would_not_take_is_refused(run: Run, flags: tuple[str, str]) -> None:
    """Before anything is printed."""
    ended = run("register", "monitoring", *REGISTRY, *flags)
    assert (ended.code, ended.out) == (2, "")


def test_the_registry_is_the_only_setting_that_it_needs(run: Run) -> None:
    """No K2s on this machine; but without the registry's name, an error that says which setting is missing."""
    ended = run("register", "monitoring")
    assert ended.code == 2
    assert "REGISTRY_URL is not set" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("name", ["my_addon", "a.b", "x" * 53, "x" * 64, "x" * 53 + "-y"])
def test_a_name_that_kubernetes_does_not_take_becomes_one_like_it(run: Run, name: str) -> None:
    """The registry knows the repository by its own name all the same."""
    for resource in yaml.safe_load_all(run("register", name, *REGISTRY).out):
        judge(resource)
        assert re.fullmatch(r"addon-sync-[a-z0-9-]*[a-z0-9]", resource["metadata"]["name"])
        assert len(resource["metadata"]["name"]) <= 63
        if resource["kind"] == "OCIRepository":
            assert resource["spec"]["url"].endswith(f"/addons/{name}")


def test_no_two_addons_share_a_resource() -> None:
    """Neither by what is replaced in a name, nor by what is cut off; a name that fits is kept."""
    assert len({resource_name(name) for name in ("a-b", "a_b", "a.b", "x" * 52, "x" * 53, "x" * 54)}) == 6
    assert resource_name("x" * 52) == f"addon-sync-{'x' * 52}"
