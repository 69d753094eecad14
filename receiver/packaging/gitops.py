"""The ``gitops-sync`` folder that export puts into the manifests layer: a Job that has the host sync this addon."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from receiver.packaging.flux import resource_name

FOLDER = "manifests/gitops-sync"
"""Where it lies in an implementation's folder, once it was delivered."""
_FILES = ("kustomization.yaml", "sync-job.yaml")


def gitops_sync(leaf: str, *, created: datetime) -> Mapping[str, bytes]:
    """The files, filled in for the addon repository ``leaf`` and the time of the export."""
    timestamp = created.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    words = {"{addon}": leaf, "{job}": resource_name(leaf), "{timestamp}": timestamp}
    found = {}
    for name in _FILES:
        text = _template(name)
        # What people read in the comments stays as it is.
        lines = [line if line.lstrip().startswith("#") else _filled(line, words) for line in text.splitlines()]
        found[name] = ("\n".join(lines) + "\n").encode()
    return found


def _filled(line: str, words: Mapping[str, str]) -> str:
    for placeholder, word in words.items():
        line = line.replace(placeholder, word)
    return line


@cache
def _template(name: str) -> str:
    return (files("receiver.packaging") / "gitops-sync" / name).read_text(encoding="utf-8")
