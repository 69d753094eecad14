"""The story: the receiver is down, pushes are lost; it comes back; ``missed`` names them; they are replayed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.oci import media
from receiver.packaging.artifact import Layer
from tests.e2e.conftest import Site
from tests.support.addons import artifact, files, push_addon
from tests.support.docker_registry import DockerRegistry, Notify, free_port
from tests.support.recorder import Recorder
from tests.support.system import TOKEN, Host, wait_for
from tests.support.visitor import Visitor

pytestmark = pytest.mark.registry

LOST = {"logging": "v1.0.0", "monitoring": "v1.3.0", "security": "v1.0.0"}
"""What is wanted in the end; of ``monitoring`` three versions are lost."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Pulls are not announced: that a registry was restarted shows in any event, and would repair all by itself."""
    port = free_port()
    notify = Notify(
        url=f"http://127.0.0.1:{port}/v1/notifications",
        token=TOKEN,
        ignored_actions=("pull", "mount"),
        # Without any, Distribution 2.8 does not look at the actions either.
        ignored_media_types=("application/none",),
    )
    with DockerRegistry(notify=notify) as registry:
        yield Site(registry=registry, host=Host(tmp_path / "host", registry.url), port=port)


def push(site: Site, scratch: Path, leaf: str, version: str) -> str:
    """Push a release; one has an image besides, which is never transferred."""
    images = scratch / "images.tar"
    images.write_bytes(b"an image" * 1000)
    layers = [Layer(path=images, media_type=media.IMAGES_LINUX)]
    tree = files(version)
    packed = artifact(scratch, addon=leaf, version=version, tree=tree, extra_layers=layers)
    return str(push_addon(site.registry.url, leaf, packed))


def push_while_nobody_listens(site: Site, scratch: Path) -> dict[str, str]:
    """The digests that are wanted in the end."""
    digests = {leaf: push(site, scratch, leaf, "v1.0.0") for leaf in ("logging", "security")}
    for version in ("v1.1.0", "v1.2.0", "v1.3.0"):
        digests["monitoring"] = push(site, scratch, "monitoring", version)
    return digests


def missed(host: Host) -> list[tuple[str, str, str]]:
    return [(one["repository"], one["tag"], one["state"]) for one in host.json("missed")]


def steps(host: Host, leaf: str) -> dict[str, dict[str, Any]]:
    """The steps of an addon's story, by title."""
    return {step["title"]: step for step in host.json("why", leaf)["steps"]}


def known_before(site: Site, scratch: Path) -> str:
    """One addon is installed by an event, as ever; then the receiver goes down."""
    with site.serve() as serving:
        digest = push(site, scratch, "monitoring", "v1.0.0")
        wait_for("v1.0.0", lambda: site.host.digest("monitoring") == digest)
        assert missed(site.host) == []
        assert serving.stop() == 0
    return digest


def test_pushes_that_were_lost_are_named_and_brought(site: Site, tmp_path: Path) -> None:
    """No poll runs. The registry kept its events in memory, and was restarted too: nobody will ever announce these."""
    host = site.host
    before = known_before(site, tmp_path)
    digests = push_while_nobody_listens(site, tmp_path)
    site.registry.stop()
    site.registry.start()

    with site.serve() as serving:
        assert missed(host) == [
            ("addons/logging", "v1.0.0", "not installed"),
            ("addons/monitoring", "v1.1.0", "superseded"),
            ("addons/monitoring", "v1.2.0", "superseded"),
            ("addons/monitoring", "v1.3.0", "not installed"),
            ("addons/security", "v1.0.0", "not installed"),
        ]
        assert host.digest("monitoring") == before, "asking changes nothing"

        done = host.run("missed", "--sync")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Synced: 3, Skipped (unchanged): 0, Failed: 0" in done.stdout
        assert {leaf: host.digest(leaf) for leaf in LOST} == digests
        assert {state for _, _, state in missed(host)} == {"installed", "superseded"}

        told = steps(host, "monitoring")
        assert told["asked"]["text"] == "a replay asked for a look"
        assert told["tag"]["text"].startswith("v1.3.0 was chosen: ")
        assert told["tag"]["facts"] == ["the registry has 4 tags: v1.0.0, v1.1.0, v1.2.0, v1.3.0"]
        assert told["digest"]["text"] == f"v1.3.0 is {digests['monitoring']}"
        assert told["digest"]["facts"] == [f"another digest was installed: {before}"]
        layers = told["layers"]["facts"]
        assert any(fact.startswith("scripts: ") and fact.endswith("fetched") for fact in layers)
        assert any(fact.endswith("in the blob store already") for fact in layers), layers
        assert [fact for fact in layers if "image" in fact and fact.endswith(": never transferred")]
        assert told["installed"]["text"].endswith(" s")
        assert told["next"]["text"] == "nothing is planned: 'addon-sync serve' does not run, or polls are off"

        events = host.json("events", "--addon", "monitoring")
        assert [(one["kind"], one.get("verdict") or one["outcome"]) for one in events][-1] == ("sync", "installed")
        assert events[-1]["detail"]["digest"] == digests["monitoring"]

        page = Visitor(serving).read("/addon/monitoring")
        for step in told.values():
            assert " ".join(step["text"].split()) in page
            assert all(" ".join(fact.split()) in page for fact in step["facts"])
        assert "monitoring" in (overview := Visitor(serving).read("/"))
        assert "v1.3.0" in overview
        assert serving.stop() == 0
    assert steps(host, "monitoring") == told, "without a receiver, too"


def test_what_another_endpoint_recorded_is_replayed_from_its_file(site: Site, tmp_path: Path) -> None:
    """The registry's own events; each keeps its identifier, and says which line it came from."""
    host = site.host
    known_before(site, tmp_path)
    with Recorder(site.port, tmp_path / "recorded.jsonl") as recorder:
        digests = push_while_nobody_listens(site, tmp_path)
        for leaf, tag in LOST.items():
            wait_for(f"{leaf} {tag}", lambda leaf=leaf, tag=tag: recorder.announced(f"addons/{leaf}", tag))  # type: ignore[misc] # bound for the loop

    with site.serve() as serving:
        assert len(missed(host)) == 5
        dry = host.json("replay", str(recorder.file), "--dry-run")
        leads = {plan["status"]["repository"]: plan["leads_to"] for plan in dry["planned"]}
        assert leads["addons/monitoring"].startswith("an installation of v1.3.0 (sha256:")
        assert set(leads) == {f"addons/{leaf}" for leaf in LOST}
        assert host.digest("logging") is None, "a dry run changes nothing"

        done = host.run("replay", str(recorder.file))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Synced: 3, Skipped (unchanged): 0, Failed: 0" in done.stdout
        assert {leaf: host.digest(leaf) for leaf in LOST} == digests

        told = steps(host, "monitoring")
        assert told["asked"]["text"] == "a replay asked for a look"
        assert [
            fact for fact in told["asked"]["facts"] if "announced v1.3.0" in fact and "recorded.jsonl, line " in fact
        ]
        notes = host.json("events", "--verdict", "replayed", "--addon", "logging")
        lines = recorder.file.read_text().splitlines()
        for note in notes:
            line = lines[int(note["origin"].rpartition(" ")[2]) - 1]
            assert note["events"][0]["event_id"] in line
        assert notes
        assert {state for _, _, state in missed(host)} == {"installed", "superseded"}, "a replay announces nothing"
        assert serving.stop() == 0
