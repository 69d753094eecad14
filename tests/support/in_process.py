"""The program in this process: two addons, the registries with their former and new releases, and a sync of both."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from receiver.cli import running
from receiver.config import load
from receiver.errors import ReceiverError
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome
from receiver.sync.request import ImportRequest, SyncRequest
from tests.support.addons import artifact, manifest_yaml, push_addon
from tests.support.fake_registry import FakeRegistry

LEAVES = ("ingress-nginx", "monitoring")


@contextmanager
def two_registries() -> Iterator[tuple[str, str]]:
    """The URLs of one with the former releases, and of one with the new ones."""
    with tempfile.TemporaryDirectory() as folder, FakeRegistry() as old, FakeRegistry() as new:
        for registry, version in ((old, "v1.0.0"), (new, "v2.0.0")):
            scratch = Path(folder)
            push_addon(registry.url, "monitoring", artifact(scratch, addon="monitoring", version=version))
            manifest = manifest_yaml("ingress", "nginx", note=f" in {version}")
            packed = artifact(scratch, addon="ingress", implementation="nginx", version=version, manifest=manifest)
            push_addon(registry.url, "ingress-nginx", packed)
        yield old.url, new.url


def sync(root: Path, registry: str) -> list[str]:
    """Sync both addons as the command does; what went wrong, by addon or as a whole."""
    environment = {"K2S_INSTALL_DIR": str(root), "REGISTRY_URL": registry.replace("http", "oci"), "INSECURE": "true"}
    reports: list[Report] = []
    try:
        settings = load(flags={}, environment=environment, file=None)
        running.run(settings, SyncRequest(addons=LEAVES), command="sync", report=reports.append)
    except ReceiverError as error:
        return [str(error)]
    outcomes = [report for report in reports if isinstance(report, Outcome)]
    assert {outcome.repository.removeprefix("addons/") for outcome in outcomes} == set(LEAVES)
    return [outcome.error for outcome in outcomes if outcome.error is not None]


def imported(root: Path, archive: Path) -> list[Report | str]:
    """Import ``archive`` as the command does; what became of each addon, or why nothing was begun."""
    settings = load(flags={}, environment={"K2S_INSTALL_DIR": str(root)}, file=None, local_only=True)
    reports: list[Report | str] = []
    try:
        running.run(settings, ImportRequest(path=str(archive)), command="import", report=reports.append)
    except ReceiverError as error:
        return [str(error)]
    return reports
