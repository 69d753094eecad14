"""The overlays of deploy/: they build, a cluster takes them, and every name is the one that clusters know already."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver import __version__
from receiver.config import load
from receiver.errors import ConfigError
from receiver.flux import NAME
from receiver.packaging.flux import NAMESPACE
from tests.support.kustomize import DEPLOY, Resource, build, find, judge

OVERLAYS = ["base", "fluxcd", "argocd", "receiver"]
COMPONENTS = ["host-files", "linux", "podmonitor", "flux-webhook"]
SYSTEM = {"hostProcess": True, "runAsUserName": "NT AUTHORITY\\SYSTEM"}


@pytest.fixture
def with_components(request: pytest.FixtureRequest) -> Path:
    """An overlay of a user, beside ours: the receiver with some of its components."""
    folder: Path = request.getfixturevalue("tmp_path")
    # kustomize takes folders by relative path only.
    up = "/".join([".."] * (len(folder.parts) - 1))
    where = f"{up}{DEPLOY.resolve()}/receiver"
    chosen = [f"{where}/components/{name}" for name in request.param]
    text = yaml.safe_dump({"resources": [where], "components": chosen})
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    return folder


def pod(resource: Resource) -> dict[str, Any]:
    spec = resource["spec"]
    spec = spec["jobTemplate"]["spec"] if resource["kind"] == "CronJob" else spec
    found: dict[str, Any] = spec["template"]["spec"]
    return found


@pytest.mark.kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_builds_and_a_cluster_takes_it(overlay: str) -> None:
    """Without a warning, and by the strict schemas of three versions of Kubernetes."""
    resources = build(DEPLOY / overlay)
    for resource in resources:
        judge(resource)
    assert {one["metadata"].get("namespace", NAMESPACE) for one in resources} == {"k2s-addon-sync"}
    assert all(one["metadata"]["labels"]["app.kubernetes.io/name"] == "addon-sync" for one in resources)
    assert all(one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "k2s" for one in resources)


@pytest.mark.kubectl
@pytest.mark.parametrize(
    "with_components",
    [*([name] for name in COMPONENTS), ["linux", "podmonitor", "flux-webhook"], ["host-files", "flux-webhook"]],
    indirect=True,
)
def test_the_receiver_builds_with_its_components(with_components: Path) -> None:
    """Alone, and those together that fit together."""
    for resource in build(with_components):
        judge(resource)


@pytest.mark.kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_holds_what_jobs_refer_to(overlay: str) -> None:
    """Artifacts that are in registries already carry Jobs that name them."""
    resources = build(DEPLOY / overlay)
    assert find(resources, "Namespace", "k2s-addon-sync")["metadata"]["labels"] == {
        "app.kubernetes.io/name": "addon-sync",
        "app.kubernetes.io/part-of": "k2s",
        "pod-security.kubernetes.io/enforce": "privileged",
    }
    assert find(resources, "ServiceAccount", "addon-sync-processor")["automountServiceAccountToken"] is False
    assert find(resources, "ConfigMap", "addon-sync-config")["data"] == {
        "REGISTRY_URL": "oci://k2s.registry.local:30500",
        "K2S_INSTALL_DIR": "C:\\k",
        "INSECURE": "true",
    }
    script = find(resources, "ConfigMap", "addon-sync-script")["data"]
    assert script == {"Sync-Addons.ps1": (DEPLOY / "base/scripts/Sync-Addons.ps1").read_text(encoding="ascii")}
    # Nothing here speaks to the Kubernetes API.
    assert not {one["kind"] for one in resources} & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


@pytest.mark.kubectl
def test_fluxcd_has_no_resource_of_an_addon() -> None:
    """Addons are registered one by one; the overlay alone triggers nothing."""
    assert {one["kind"] for one in build(DEPLOY / "fluxcd")} == {"Namespace", "ServiceAccount", "ConfigMap"}


@pytest.mark.kubectl
def test_the_poller_polls_every_five_minutes_as_system() -> None:
    """Name, schedule and limits as documented; from the host's files, so that no image is pulled."""
    poller = find(build(DEPLOY / "argocd"), "CronJob", "addon-sync-poller")
    spec, job = poller["spec"], poller["spec"]["jobTemplate"]["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("*/5 * * * *", "Forbid")
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (300, 0)
    labels = job["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "poller"  # kubectl logs -l …
    inside = pod(poller)
    assert inside["securityContext"]["windowsOptions"] == SYSTEM
    assert inside["hostNetwork"] is True
    assert inside["nodeSelector"] == {"kubernetes.io/os": "windows"}
    assert inside["serviceAccountName"] == "addon-sync-processor"
    [container] = inside["containers"]
    assert container["command"] == ["$(K2S_INSTALL_DIR)\\bin\\addon-sync\\addon-sync.exe", "poll"]
    assert container["envFrom"] == [{"configMapRef": {"name": "addon-sync-config"}}]
    assert container["image"] == "shsk2s.azurecr.io/pause-win:v1.8.0"
    assert container["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.kubectl
def test_the_receiver_is_one_process_of_the_windows_host() -> None:
    """One, never two: it holds the state folder. Probed where it answers, limited, and no variable is made for it."""
    resources = build(DEPLOY / "receiver")
    deployment = find(resources, "Deployment", "addon-sync-receiver")
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")
    inside = pod(deployment)
    assert inside["securityContext"]["windowsOptions"] == SYSTEM
    assert inside["hostNetwork"] is True
    assert inside["enableServiceLinks"] is False
    assert inside["terminationGracePeriodSeconds"] > 10  # what serve takes at most
    [container] = inside["containers"]
    assert container["image"] == f"addon-sync-windows:{__version__}"
    assert container["args"] == ["serve"]
    assert {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")} == {"/healthz"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert set(container["resources"]) == {"requests", "limits"}
    service = find(resources, "Service", "addon-sync")["spec"]
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    policy = find(resources, "NetworkPolicy", "addon-sync-receiver")["spec"]
    assert service["selector"].items() <= labels
    assert policy["podSelector"]["matchLabels"].items() <= labels
    assert policy["policyTypes"] == ["Ingress"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == {"http"}


@pytest.mark.kubectl
def test_the_receiver_does_not_listen_before_it_has_a_token(tmp_path: Path) -> None:
    """No token is shipped that somebody could know: the Secret is empty, and an empty one ends the receiver at once."""
    resources = build(DEPLOY / "receiver")
    assert find(resources, "Secret", "addon-sync-token")["data"] == {"token": ""}
    [container] = pod(find(resources, "Deployment", "addon-sync-receiver"))["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["ADDON_SYNC_TOKEN_FILE"] == "C:\\addon-sync-token\\token"
    (tmp_path / "token").write_text("")
    with pytest.raises(ConfigError, match="ADDON_SYNC_TOKEN_FILE is set and holds no word"):
        load(
            flags={},
            environment={
                **find(resources, "ConfigMap", "addon-sync-config")["data"],
                **environment,
                "K2S_INSTALL_DIR": str(tmp_path),
                "ADDON_SYNC_TOKEN_FILE": str(tmp_path / "token"),
            },
            file=None,
        )


@pytest.mark.kubectl
@pytest.mark.parametrize("with_components", [["linux"]], indirect=True)
def test_on_linux_the_receiver_may_write_to_the_catalogue_and_nowhere_else(with_components: Path) -> None:
    """No trace of Windows is left, and of root's rights nothing but the ownership of its files."""
    deployment = find(build(with_components), "Deployment", "addon-sync-receiver")
    inside = pod(deployment)
    assert inside["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert not inside.get("hostNetwork")
    assert "windowsOptions" not in inside["securityContext"]
    assert "C:" not in yaml.safe_dump(inside)
    [container] = inside["containers"]
    assert container["image"] == f"addon-sync:{__version__}"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in inside["volumes"]}
    assert set(mounts) == set(volumes)
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["K2S_INSTALL_DIR"] == mounts["k2s"]
    assert environment["ADDON_SYNC_TOKEN_FILE"] == f"{mounts['token']}/token"


@pytest.mark.kubectl
@pytest.mark.parametrize("with_components", [["host-files"]], indirect=True)
def test_the_receiver_can_run_from_the_files_of_the_host(with_components: Path) -> None:
    """For hosts that no image can be pulled to: the same program as that of the Jobs."""
    [container] = pod(find(build(with_components), "Deployment", "addon-sync-receiver"))["containers"]
    poller = pod(find(build(DEPLOY / "argocd"), "CronJob", "addon-sync-poller"))["containers"][0]
    assert container["image"] == poller["image"]
    assert [*container["command"], "poll"] == poller["command"]
    assert container["args"] == ["serve"]


@pytest.mark.kubectl
@pytest.mark.parametrize("with_components", [["podmonitor"]], indirect=True)
def test_the_pod_monitor_reads_the_metrics_of_the_receiver(with_components: Path) -> None:
    """Its port has the name that the pod gives it, and the job the one that the alerts ask for."""
    resources = build(with_components)
    monitor = find(resources, "PodMonitor", "addon-sync-receiver")
    deployment = find(resources, "Deployment", "addon-sync-receiver")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    rules = (DEPLOY / "monitoring" / "rules.yml").read_text(encoding="utf-8")
    assert set(re.findall(r'job="([^"]*)"', rules)) == {labels[monitor["spec"]["jobLabel"]]}
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["port"] in [port["name"] for port in pod(deployment)["containers"][0]["ports"]]


@pytest.mark.kubectl
@pytest.mark.parametrize("with_components", [["flux-webhook"]], indirect=True)
def test_flux_and_the_receiver_share_a_token_and_a_name(with_components: Path) -> None:
    """The path of the webhook follows from them on both sides; only the addon that was told of is looked at."""
    resources = build(with_components)
    hook = find(resources, "Receiver", NAME)
    assert hook["metadata"]["namespace"] == NAMESPACE
    assert hook["spec"]["type"] == "generic-hmac"
    secret = find(resources, "Secret", hook["spec"]["secretRef"]["name"])
    assert secret["data"] == {"token": ""}
    [container] = pod(find(resources, "Deployment", "addon-sync-receiver"))["containers"]
    environment = {one["name"]: one for one in container["env"]}
    assert environment["ADDON_SYNC_FLUX_TOKEN"]["valueFrom"]["secretKeyRef"] == {
        "name": secret["metadata"]["name"],
        "key": "token",
    }
    assert environment["ADDON_SYNC_FLUX_WEBHOOK"]["value"] == "http://webhook-receiver.flux-system.svc"
    assert hook["spec"]["resourceFilter"] == "res.metadata.name == req.resource"
    [watched] = hook["spec"]["resources"]
    template = yaml.safe_load((DEPLOY / "fluxcd/per-addon/ocirepository-template.yaml").read_text(encoding="utf-8"))
    assert (watched["apiVersion"], watched["kind"]) == (template["apiVersion"], template["kind"])
    assert watched["matchLabels"].items() <= template["metadata"]["labels"].items()


@pytest.mark.kubectl
def test_removing_the_namespace_removes_all_of_it() -> None:
    """Whatever an overlay brings is the namespace, or lies in it: nothing is left in the cluster."""
    for overlay in OVERLAYS:
        outside = [one["kind"] for one in build(DEPLOY / overlay) if "namespace" not in one["metadata"]]
        assert outside == ["Namespace"]


@pytest.mark.kubectl
def test_the_overlay_of_the_guide_builds(tmp_path: Path) -> None:
    """What people copy: its components, its patches, and an image elsewhere."""
    guide = (DEPLOY.parent / "docs/how-to/deploy-receiver.md").read_text(encoding="utf-8")
    text = textwrap.dedent(guide.partition("```yaml\n")[2].partition("   ```")[0])
    text = text.replace("host-files", "podmonitor").replace("# images:", "images:")
    up = "/".join([".."] * (len(tmp_path.parts) - 1))
    (tmp_path / "kustomization.yaml").write_text(text.replace("../deploy", f"{up}{DEPLOY.resolve()}"), encoding="utf-8")
    resources = build(tmp_path)
    for resource in resources:
        judge(resource)
    assert find(resources, "ConfigMap", "addon-sync-config")["data"] == {
        "REGISTRY_URL": "oci://registry.example.local:5000",
        "K2S_INSTALL_DIR": "C:\\k",
        "INSECURE": "false",
        "ADDON_SYNC_POLL_INTERVAL": "10m",
    }
    [container] = pod(find(resources, "Deployment", "addon-sync-receiver"))["containers"]
    assert container["image"] == f"registry.example.local:5000/addon-sync-windows:{__version__}"


def test_every_component_is_tried() -> None:
    """One that is added is in the list above."""
    assert sorted(path.name for path in (DEPLOY / "receiver/components").iterdir()) == sorted(COMPONENTS)
    listed = (DEPLOY / "receiver/kustomization.yaml").read_text(encoding="utf-8")
    assert all(f"components/{name}" in listed for name in COMPONENTS)
