"""A registry that is away for a while: said once, spared, and found again by itself."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon
from tests.support.notifications import envelope, event
from tests.support.system import wait_for

pytestmark = pytest.mark.registry
NAMES = ("logging", "monitoring", "security", "storage", "viewer")


def test_what_was_announced_during_an_outage_comes_when_it_ends(quiet_site: Site, tmp_path: Path) -> None:
    """No poll and no further event is needed; a command that asks meanwhile is told at once."""
    site = quiet_site
    pushed = {name: push_addon(site.registry.url, name, artifact(tmp_path, addon=name)) for name in NAMES}
    with site.serve() as serving:
        site.registry.stop()
        for number, name in enumerate(NAMES):
            target = {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "repository": f"addons/{name}",
                "tag": "v1.0.0",
            }
            assert serving.post(envelope(event(id=f"e{number}", target=target)))[0] == 202
        serving.wait_for_line(r"\[WARN\].*the registry is not asked for")
        asked = site.host.run("sync", "viewer", timeout=30)
        assert asked.returncode == 1
        assert "not asked" in asked.stdout or "will be tried again" in asked.stdout, asked.stdout
        site.registry.start()
        serving.wait_for_line("the registry answers again", seconds=60)
        for name, digest in pushed.items():
            wait_for(name, lambda name=name, digest=digest: site.host.digest(name) == str(digest))  # type: ignore[misc] # bound for the loop
        assert serving.stop() == 0
