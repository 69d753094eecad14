"""Addons for the tests: catalogue folders of a few files, packed and pushed with the project's own packaging."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from receiver.oci.digest import Digest
from receiver.oci.reference import RegistryAddress, Repository, Tag
from receiver.packaging.artifact import Artifact, Layer, build, index
from receiver.packaging.push import push
from receiver.registry.client import RegistryClient

_LICENCE = "# SPDX-FileCopyrightText: the tests\n# SPDX-License-Identifier: MIT\n\n"
Tree = Mapping[str, bytes]
"""File content by path with ``/``."""


def manifest_yaml(addon: str, *implementations: str, description: str = "for tests", note: str = "") -> bytes:
    """An ``addon.manifest.yaml`` as the product's, with licence header and comments."""
    entries = "".join(
        f"    # about {name}{note}\n"
        f"    - name: {name}\n"
        f"      description: the {name} way{note}\n"
        "      offline_usage:\n        linux: {}\n"
        f"      commands:\n        enable:\n          script:\n            subPath: Enable.ps1\n"
        for name in implementations
    )
    return (
        f"{_LICENCE}apiVersion: v1\nkind: AddonManifest\nmetadata:\n  name: {addon}\n  description: {description}\n"
        f"spec:\n  implementations:\n{entries}"
    ).encode()


def files(version: str = "v1.0.0", *, extra: Tree | None = None) -> dict[str, bytes]:
    """A typical addon without its manifest: settings, manifests, a chart, scripts."""
    return {
        "values.yaml": f"version: {version}\n".encode(),
        "config/settings.ini": b"[main]\r\nkey=value\r\n",
        "manifests/deployment.yaml": f"kind: Deployment # {version}\n".encode() * 20,
        "manifests/crds/crd.yaml": b"kind: CustomResourceDefinition\n" * 50,
        "manifests/chart/chart.tgz": bytes(range(256)) * 8,
        "Enable.ps1": f"Write-Output 'enable {version}'\n".encode(),
        "Disable.ps1": b"Write-Output 'disable'\n",
        **(extra or {}),
    }


def write_tree(root: Path, tree: Tree) -> Path:
    """Write ``tree`` below ``root``."""
    for path, content in tree.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file below ``root``, as `write_tree` takes it."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def artifact(
    scratch: Path,
    *,
    addon: str,
    implementation: str | None = None,
    version: str = "v1.0.0",
    tree: Tree | None = None,
    manifest: bytes | None = None,
    extra_layers: Sequence[Layer] = (),
) -> Artifact:
    """Pack one implementation; its layers lie below ``scratch``."""
    name = implementation or addon
    root = Path(tempfile.mkdtemp(dir=scratch)) / addon
    folder = root if name == addon else root / name
    write_tree(folder, tree if tree is not None else files(version))
    write_tree(root, {"addon.manifest.yaml": manifest or manifest_yaml(addon, name)})
    packed = Path(tempfile.mkdtemp(dir=scratch))
    return build(
        folder,
        name=addon,
        implementation=name,
        version=version,
        created=datetime(2026, 11, 22, tzinfo=UTC),
        scratch=packed,
        extra_layers=extra_layers,
    )


def push_addon(registry: str, repository: str, packed: Artifact, *tags: str) -> Digest:
    """Push ``packed`` to ``addons/<repository>`` of the registry at ``registry`` (a URL), under ``tags`` or its own."""
    address = RegistryAddress.parse(registry, insecure=True)
    wanted = [Tag.parse(tag) for tag in tags] or [packed.tag]

    async def pushed() -> Digest:
        async with RegistryClient(address, user_agent="addon-sync/test") as client:
            return (await push(packed, client.uploads(), Repository.parse(f"addons/{repository}"), wanted)).digest

    return asyncio.run(pushed())


__all__ = ["artifact", "files", "index", "manifest_yaml", "push_addon", "read_tree", "write_tree"]
