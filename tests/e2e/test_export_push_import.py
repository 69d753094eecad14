"""The whole way of a catalogue: packed, pushed, announced, installed elsewhere; and carried there in a file."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from receiver.oci import media
from tests.e2e.conftest import Site
from tests.support.addons import files, manifest_yaml, read_tree, write_tree
from tests.support.artifacts import tar_files, unpack
from tests.support.docker_registry import DockerRegistry
from tests.support.system import Host, wait_for

OMIT = ("--omit-images", "--omit-packages")
LEAVES = ("ingress-nginx", "ingress-traefik", "monitoring", "registry")


def catalogue(install_dir: Path) -> Path:
    """Three addons: with settings and a chart, with two implementations, with next to nothing."""
    addons = install_dir / "addons"
    (install_dir / "VERSION").write_text("1.4.0\n", encoding="utf-8")
    write_tree(addons / "monitoring", {**files(), "addon.manifest.yaml": manifest_yaml("monitoring", "monitoring")})
    write_tree(
        addons / "registry", {"addon.manifest.yaml": manifest_yaml("registry", "registry"), "Enable.ps1": b"#\n"}
    )
    write_tree(addons / "ingress", {"addon.manifest.yaml": manifest_yaml("ingress", "nginx", "traefik")})
    for name in ("nginx", "traefik"):
        write_tree(addons / "ingress" / name, files(extra={"config/own.ini": name.encode()}))
    write_tree(addons, {"addons.module.psm1": b"#\n", "common/manifests/x.yaml": b"x: 1\n"})
    return addons


@pytest.fixture
def source(tmp_path: Path) -> Host:
    """Where addons are packed."""
    host = Host(tmp_path / "source", "http://127.0.0.1:9")
    catalogue(host.install_dir)
    return host


def export(host: Host, *words: str) -> Path:
    done = host.run("export", *words, "-d", str(host.root / "out"), *OMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((host.root / "out").iterdir())


def delivered(addons: Path) -> dict[str, bytes]:
    """The catalogue, but for what export adds, and what is no addon."""
    tree = read_tree(addons)
    found = {}
    for path, content in tree.items():
        top = path.split("/")[0]
        if "/gitops-sync/" not in path and "/" in path and top not in {"common", ".addon-sync-digests"}:
            found[path] = content
    return found


def same_catalogue(one: Path, other: Path) -> bool:
    """Equal to the byte; of a manifest that several deliveries made, what it says."""
    here, there = delivered(one), delivered(other)
    shared = "ingress/addon.manifest.yaml"
    says = [
        {entry["name"]: entry for entry in yaml.safe_load(tree.pop(shared))["spec"]["implementations"]}
        for tree in (here, there)
    ]
    assert here == there
    assert says[0] == says[1]
    return True


@pytest.mark.registry
def test_a_catalogue_goes_round(site: Site, source: Host) -> None:
    """Export, push, the registry's event, installed elsewhere: the trees are equal, each with the Job for Flux."""
    with site.serve():
        archive = export(source, "--all")
        assert archive.name == "K2s-1.4.0-addons-all.oci.tar"
        pushed = source.run("push", str(archive), site.registry.authority)
        assert pushed.returncode == 0, pushed.stdout + pushed.stderr
        wait_for("all", lambda: all(site.host.digest(leaf) for leaf in LEAVES))
    assert same_catalogue(source.addons, site.host.addons)
    for leaf, folder in zip(LEAVES, ("ingress/nginx", "ingress/traefik", "monitoring", "registry"), strict=True):
        job = yaml.safe_load((site.host.addons / folder / "manifests/gitops-sync/sync-job.yaml").read_bytes())
        assert job["metadata"]["name"] == f"addon-sync-{leaf}"
    listed = {(row["addon"], row["implementation"]): row["version"] for row in site.host.json("ls")}
    assert listed == {
        ("ingress", "nginx"): "v1.0.0",
        ("ingress", "traefik"): "v1.0.0",
        ("monitoring", "monitoring"): "v1.0.0",
        ("registry", "registry"): "v1.0.0",
    }


def test_the_same_catalogue_gives_the_same_file(source: Host, tmp_path: Path) -> None:
    """On another machine, with other times and modes; also where it was delivered, which adds the Job."""
    source.settings["SOURCE_DATE_EPOCH"] = "1795348800"
    archive = export(source)
    assert archive.name == "K2s-1.4.0-addons-all.oci.tar"
    other = Host(tmp_path / "other", source.registry, dict(source.settings))
    shutil.copytree(source.install_dir, other.install_dir, dirs_exist_ok=True)
    for path in other.addons.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755 if path.is_dir() else 0o600)
    assert export(other).read_bytes() == archive.read_bytes()
    elsewhere = Host(tmp_path / "elsewhere", source.registry, dict(source.settings))
    (elsewhere.install_dir / "VERSION").write_text("1.4.0\n", encoding="utf-8")
    assert elsewhere.run("import", str(archive)).returncode == 0
    assert export(elsewhere).read_bytes() == archive.read_bytes()


def test_other_programs_read_the_file(source: Host, tmp_path: Path) -> None:
    """Python's tarfile, skopeo and umoci; the tag stands where the documentation says."""
    archive = export(source, "monitoring")
    assert archive.name == "K2s-1.4.0-addons-monitoring.oci.tar"
    members = tar_files(archive.read_bytes())
    (entry,) = json.loads(members["index.json"])["manifests"]
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1.0.0"
    assert entry["annotations"]["vnd.k2s.addon.name"] == "monitoring"
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    manifest = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])
    types = [media.CONFIG_FILES, media.MANIFESTS, media.HELM_CHARTS, media.SCRIPTS]
    assert [layer["mediaType"] for layer in manifest["layers"]] == types
    layout = tmp_path / "layout"
    unpack(archive, layout)
    for command in (
        ["skopeo", "inspect", "--raw", f"oci-archive:{archive}:v1.0.0"],
        ["umoci", "ls", "--layout", str(layout)],
    ):
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is missing (apt-get install {command[0]})")
        done = subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert done.stdout.strip() in {b"v1.0.0", members[f"blobs/sha256/{entry['digest'][7:]}"]}


@pytest.mark.registry
def test_what_skopeo_pushes_is_equally_taken_and_goes_back(quiet_site: Site, source: Host, tmp_path: Path) -> None:
    """Pushed by it, installed by us; and what we have pushed is pulled by it, blob by blob."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is missing (apt-get install skopeo)")
    archive = export(source, "ingress nginx")
    assert archive.name == "K2s-1.4.0-addons-ingress-nginx.oci.tar"
    target = f"docker://{quiet_site.registry.authority}/addons/ingress-nginx:v1.0.0"
    copy = ["skopeo", "copy", "--quiet"]
    run = [*copy, "--dest-tls-verify=false", f"oci-archive:{archive}:v1.0.0", target]
    subprocess.run(run, check=True, timeout=60, capture_output=True)
    assert quiet_site.host.run("sync").returncode == 0
    installed = read_tree(quiet_site.host.addons / "ingress" / "nginx")
    assert installed.items() >= read_tree(source.addons / "ingress" / "nginx").items()
    again = source.run("push", str(archive), quiet_site.registry.authority, "--output", "json")
    (row,) = json.loads(again.stdout)
    assert (row["uploaded"], row["error"], row["digest"]) == (0, None, quiet_site.host.digest("ingress-nginx"))
    back = tmp_path / "back"
    subprocess.run(
        [*copy, "--src-tls-verify=false", target, f"dir:{back}"], check=True, timeout=60, capture_output=True
    )
    blobs = {
        name[13:]: content for name, content in tar_files(archive.read_bytes()).items() if name[:12] == "blobs/sha256"
    }
    assert {path.name for path in back.iterdir()} - {"manifest.json", "version"} <= set(blobs)
    assert (back / "manifest.json").read_bytes() in blobs.values()


_GO_PACKAGES = Path("/usr/share/gocode")


@pytest.mark.slow
@pytest.mark.registry
@pytest.mark.timeout(400)
def test_what_oras_pushes_is_equally_taken(site: Site, source: Host, tmp_path: Path) -> None:
    """By the library of oras (Debian's oras-go 1.1), since no package has the program; the event is enough."""
    if shutil.which("go") is None or not (_GO_PACKAGES / "src/oras.land/oras-go").is_dir():
        pytest.skip("oras-go is missing (apt-get install golang-go golang-oras-oras-go-dev)")
    copy = tmp_path / "oras_copy"
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": str(_GO_PACKAGES), "GOCACHE": str(tmp_path / "cache")}
    program = Path(__file__).parents[1] / "support" / "oras_copy.go"
    subprocess.run(["go", "build", "-o", copy, program], check=True, capture_output=True, env=environment)
    unpack(export(source, "monitoring"), tmp_path / "layout")
    with site.serve():
        target = f"{site.registry.authority}/addons/monitoring:v1.0.0"
        subprocess.run([copy, tmp_path / "layout", "v1.0.0", target], check=True, capture_output=True, timeout=60)
        wait_for("monitoring", lambda: site.host.digest("monitoring"))
    installed = read_tree(site.host.addons / "monitoring")
    assert installed.items() >= read_tree(source.addons / "monitoring").items()


@pytest.mark.registry
def test_tags_and_dry_runs(source: Host) -> None:
    """A dry run tells and sends nothing; --tag and --latest say which tags there are then."""
    with DockerRegistry() as registry:
        archive = str(export(source, "monitoring", "registry"))
        tried = source.run("push", archive, registry.authority, "--dry-run")
        assert tried.returncode == 0, tried.stdout
        assert "addons/monitoring:v1.0.0 would be sha256:" in tried.stdout
        assert "5 blobs to send" in tried.stdout
        assert source.run("push", archive, registry.authority, "--tag", "v9.9.9", "--latest").returncode == 0
        reader = Host(source.root / "reader", registry.url)
        assert reader.run("sync").returncode == 0
        rows = reader.json("status")
        assert {row["installed"]["tag"] for row in rows} == {"latest"}
        tried = source.run("push", archive, registry.authority, "--dry-run", "--output", "json")
        assert {row["uploaded"] for row in json.loads(tried.stdout)} == {0}


def test_a_registry_that_is_away_is_named(source: Host) -> None:
    """Exit code 1, cause and remedy; and no setting of a catalogue is needed to push."""
    archive = export(source, "monitoring")
    elsewhere = Host(source.root / "nowhere", "http://127.0.0.1:9")
    elsewhere.settings["K2S_INSTALL_DIR"] = str(source.root / "is not there")
    done = elsewhere.run("push", str(archive))
    assert done.returncode == 1
    assert "check REGISTRY_URL" in done.stdout
    assert "push the file again" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("monitoring",), "--omit-images"),
        (("monitoring", "--all", *OMIT), "either --all or names"),
        (("monitoring", "--omit-images", "--images", "x.tar"), "contradicts"),
        (("monitoring", "registry", "--images", "x.tar"), "one by one"),
        (("monitoring", "--k2s-version", "../../x", *OMIT), "is no version"),
        (("monitoring", "--images", "not-there.tar"), "not-there.tar"),
    ],
)
def test_what_would_be_left_out_or_is_meant_wrongly_is_asked_back(
    source: Host, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, and no file."""
    (source.root / "x.tar").write_bytes(b"image")
    given = [str(source.root / word) if word == "x.tar" else word for word in arguments]
    done = source.run("export", *given, "-d", str(source.root / "out"))
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert not list((source.root / "out").glob("*")) if (source.root / "out").exists() else True


def test_packages_that_an_addon_needs_are_not_forgotten(source: Host) -> None:
    """Its manifest names some: somebody has to say what is to become of them."""
    path = source.addons / "monitoring" / "addon.manifest.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("linux: {}", "linux: {deb: [socat]}"), encoding="utf-8")
    done = source.run("export", "monitoring", "-d", str(source.root / "out"), "--omit-images")
    assert done.returncode == 2
    assert "monitoring needs some" in done.stderr


def test_ready_images_and_packages_become_layers(source: Host) -> None:
    """Archives of archives, as the product has them; import leaves them to the product, and says so."""
    for name in ("grafana.tar", "prometheus.tar", "windows.tar"):
        (source.root / name).write_bytes(name.encode() * 1000)
    write_tree(source.root / "packages", {"debianpackages/a%3a1_amd64.deb": b"deb", "linuxpackages/tool": b"elf"})
    images = [f"--images={source.root / name}" for name in ("prometheus.tar", "grafana.tar")]
    done = source.run(
        "export", "monitoring", "-d", str(source.root / "out"), *images,
        f"--images-windows={source.root / 'windows.tar'}", f"--packages={source.root / 'packages'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = (source.root / "out").iterdir()
    members = tar_files(archive.read_bytes())
    (entry,) = json.loads(members["index.json"])["manifests"]
    layers = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])["layers"]
    found = {layer["mediaType"]: tar_files(members[f"blobs/sha256/{layer['digest'][7:]}"]) for layer in layers[4:]}
    assert {kind: list(content) for kind, content in found.items()} == {
        media.IMAGES_LINUX: ["grafana.tar", "prometheus.tar"],
        media.IMAGES_WINDOWS: ["windows.tar"],
        media.PACKAGES: ["debianpackages/a%3a1_amd64.deb", "linuxpackages/tool"],
    }
    elsewhere = Host(source.root / "elsewhere", source.registry)
    imported = elsewhere.run("import", str(archive))
    assert imported.returncode == 0, imported.stdout
    assert "not imported here: monitoring (Linux images, Windows images, packages)" in imported.stdout
    assert "k2s addons import" in imported.stdout


def test_a_file_of_the_same_name_is_replaced_and_nothing_else_is_left(source: Host) -> None:
    """As the product's export does it; no scratch folder stays behind."""
    first = export(source, "monitoring").read_bytes()
    write_tree(source.addons / "monitoring", {"Enable.ps1": b"changed\n"})
    done = source.run("export", "monitoring", "-d", str(source.root / "out"), *OMIT)
    assert "in the place of a former one" in done.stdout
    (archive,) = (source.root / "out").iterdir()
    assert archive.read_bytes() != first


# ---- import ------------------------------------------------------------------------------------------------------


def test_an_import_needs_no_registry_and_can_be_rolled_back(source: Host, tmp_path: Path) -> None:
    """Everything as after a sync: the trees, status, history, verify, rollback; some of the file, then all."""
    host = Host(tmp_path / "island", "http://127.0.0.1:9")
    archive = str(export(source))
    some = host.run("import", archive, "ingress", "nginx")
    assert some.returncode == 1
    assert "'nginx' is not in" in some.stdout
    some = host.run("import", archive, "ingress nginx")
    assert some.returncode == 0, some.stdout
    assert [row["implementation"] for row in host.json("ls")] == ["nginx"]
    done = host.json("import", archive)
    assert [(row["repository"], row["status"]) for row in done] == [(f"addons/{leaf}", "installed") for leaf in LEAVES]
    assert same_catalogue(source.addons, host.addons)
    assert host.run("verify").returncode == 0
    write_tree(source.addons / "monitoring", {"Enable.ps1": b"bad\n"})
    newer = source.run("export", "monitoring", "-d", str(source.root / "new"), *OMIT, "--version", "1.1.0")
    assert newer.returncode == 0
    assert host.run("import", str(next((source.root / "new").iterdir()))).returncode == 0
    assert (host.addons / "monitoring/Enable.ps1").read_bytes() == b"bad\n"
    assert host.run("rollback", "monitoring").returncode == 0
    assert (host.addons / "monitoring/Enable.ps1").read_bytes() == files()["Enable.ps1"]
    held = host.run("import", archive, "monitoring")
    assert (held.returncode, "addon-sync release monitoring" in held.stdout) == (0, True)


@pytest.mark.skipif(os.name == "nt", reason="names of files are text there")
def test_a_file_whose_name_is_no_text_can_be_imported_and_held(source: Host, tmp_path: Path) -> None:
    """Its name is the hold's reason, which is stored and sent; a reason of a person's own is typed in any encoding."""
    host = Host(tmp_path / "island", "http://127.0.0.1:9")
    archive = export(source, "monitoring").rename(source.root / "caf\udce9.tar")
    assert host.run("import", str(archive), "--hold").returncode == 0
    assert host.json("status")[0]["hold"]["reason"] == r"imported from caf\udce9.tar"
    assert host.run("release", "monitoring").returncode == 0
    assert host.run("hold", "monitoring", "--reason", "caf\udce9").returncode == 0
    assert host.json("status")[0]["hold"]["reason"] == r"caf\udce9"


def test_a_lower_version_needs_a_word(source: Host, tmp_path: Path) -> None:
    """A file with twenty addons may hold an old one by mistake; --hold keeps what a registry would change."""
    host = Host(tmp_path / "island", "http://127.0.0.1:9")
    old = str(export(source, "monitoring"))
    assert (
        source.run("export", "monitoring", "-d", str(source.root / "new"), *OMIT, "--version", "2.0.0").returncode == 0
    )
    assert host.run("import", str(next((source.root / "new").iterdir()))).returncode == 0
    refused = host.run("import", old)
    assert refused.returncode == 1
    assert "--allow-downgrade" in refused.stdout
    assert host.run("import", old, "--allow-downgrade", "--hold").returncode == 0
    (row,) = host.json("ls")
    assert row["version"] == "v1.0.0"
    assert row["held"] == "imported from K2s-1.4.0-addons-monitoring.oci.tar"


def test_an_import_goes_through_the_receiver_that_runs(source: Host, tmp_path: Path) -> None:
    """It works on the same state folder; the metrics and its log know of it."""
    host = Host(tmp_path / "island", "http://127.0.0.1:9")
    archive = export(source, "monitoring")
    with host.serve() as serving:
        done = subprocess.run(
            [sys.executable, "-m", "receiver", "import", archive.name],
            env=host.environment(), cwd=archive.parent,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        serving.wait_for_line(r"addons/monitoring: imported v1\.0\.0")
        assert f'digest="{host.digest("monitoring")}"' in serving.text("/metrics")
        missing = host.run("import", str(tmp_path / "nothing.tar"))
        assert missing.returncode == 1
        assert "there is no file" in missing.stdout
    assert (host.addons / "monitoring/Enable.ps1").is_file()


def test_one_addon_that_is_refused_does_not_keep_the_others(source: Host, tmp_path: Path) -> None:
    """A layer over the limit, which is the same as for what comes from a registry."""
    write_tree(source.addons / "monitoring", {"manifests/chart/chart.tgz": random.Random(1).randbytes(9000)})
    host = Host(tmp_path / "island", "http://127.0.0.1:9", {"ADDON_SYNC_MAX_LAYER_SIZE": "8000"})
    done = host.run("import", str(export(source, "monitoring", "registry")))
    assert done.returncode == 1
    assert "more than ADDON_SYNC_MAX_LAYER_SIZE (8000)" in done.stdout
    assert "Imported: 1, Held: 0, Failed: 1" in done.stdout
    assert [path.name for path in host.addons.iterdir() if path.name[0] != "."] == ["registry"]
