"""The ``addon.manifest.yaml`` that several implementations of an addon share: read, judged, merged, planned.

One invalid manifest below ``addons/`` makes the catalogue unreadable for all addons, so each text that would become
visible has passed `AddonManifest.parse` and, where the catalogue has one, its JSON schema.
"""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from receiver.addon import AddonName
from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.manifest import AddonManifest, merge
from receiver.catalog.records import Records
from receiver.catalog.schema import ManifestSchema
from receiver.catalog.transaction import ManifestStep
from receiver.errors import InstallError, InvalidManifest
from receiver.links import is_link, is_plain_folder

Delivered = Sequence[tuple[Unit, AddonManifest]]
"""What a release brings: the manifest of each of its units."""


class SharedManifests:
    """The manifests in the catalogue, and what a release makes of them."""

    def __init__(self, *, catalogue: Path, records: Records) -> None:
        self._catalogue = catalogue
        self._records = records
        self._schema = ManifestSchema(catalogue)

    def judge(self, content: bytes, unit: Unit) -> AddonManifest:
        """What the artifact of ``unit`` brings.

        Raises:
            InvalidManifest: the catalogue's reader could not read it, or it is about something else.
            InstallError: the catalogue's schema cannot be used.
        """
        manifest = AddonManifest.parse(content, where=f"the {MANIFEST} of {unit}")
        if manifest.addon != unit.addon:
            raise InvalidManifest(f"the {MANIFEST} names the addon {manifest.addon!r}, the artifact {unit.addon!r}")
        if unit.implementation not in manifest.implementations:
            raise InvalidManifest(
                f"the {MANIFEST} of {unit.addon} does not list the implementation {unit.implementation!r}"
            )
        self._schema.check(manifest, where=f"the {MANIFEST} of {unit}")
        return manifest

    def read(self, addon: AddonName) -> tuple[AddonManifest | None, str | None]:
        """The manifest in the catalogue, and its text with all that parsing leaves out.

        Raises:
            InstallError: it is damaged.
        """
        path = self._catalogue / addon / MANIFEST
        if is_link(path):
            raise InstallError(f"{path} is a link: remove it, so that the manifest can be written there")
        try:
            content = path.read_bytes()
            return AddonManifest.parse(content, where=str(path)), content.decode()
        except FileNotFoundError:
            return None, None
        except InvalidManifest as error:
            # Not the release is wrong: no new push cures it, a person does.
            raise InstallError(f"{error}; the catalogue cannot be read with it: repair it or move it away") from error

    def present(self, addon: AddonName, manifest: AddonManifest, *, without: Collection[Unit]) -> set[str]:
        """The implementations whose folders are there, whoever delivered them."""
        gone = {unit.implementation for unit in without if unit.addon == addon}
        return {
            name
            for name in manifest.implementations
            if name not in gone and is_plain_folder(self._catalogue / addon / name)
        }

    def steps(
        self, delivered: Delivered, gone: Sequence[Unit]
    ) -> tuple[list[ManifestStep], list[ManifestStep], dict[str, str]]:
        """What to write before and after the folders are exchanged, and the SHA-256 of each manifest by addon.

        Raises:
            InvalidManifest, InstallError: see `judge` and `read`.
        """
        before, after = [], []
        sums: dict[str, str] = {}
        for addon in sorted({unit.addon for unit in gone if not unit.single}):
            former, text = self.read(addon)
            if former is not None:
                left = merge(former, None, deliver=None, keep=self.present(addon, former, without=gone))
                before.append(self._step(addon, left, text))
                if left is not None:
                    sums[str(addon)] = _sha256(left.text)
        for addon in sorted({unit.addon for unit, _ in delivered if not unit.single}):
            former, text = self.read(addon)
            merged = self._merged(addon, former, [pair for pair in delivered if pair[0].addon == addon], gone)
            sums[str(addon)] = _sha256(merged.text)
            after.append(self._step(addon, merged, text))
        return before, after, sums

    def is_ours(self, addon: str, content: bytes) -> bool:
        """Whether one of our installations wrote this manifest, byte for byte."""
        found = hashlib.sha256(content).hexdigest()
        return any(record.installed.manifests.get(addon) == found for record in self._records.all() if record.installed)

    def _step(self, addon: AddonName, manifest: AddonManifest | None, former: str | None) -> ManifestStep:
        edited = former is not None and not self.is_ours(addon, former.encode())
        content = manifest.text if manifest is not None else None
        return ManifestStep(live=f"{addon}/{MANIFEST}", content=content, former=former, edited=edited)

    def _merged(
        self, addon: AddonName, former: AddonManifest | None, delivered: Delivered, gone: Sequence[Unit]
    ) -> AddonManifest:
        merged = former
        keep = self.present(addon, former, without=gone) if former else set()
        for unit, manifest in delivered:
            merged = merge(merged, manifest, deliver=unit.implementation, keep=keep)
            keep.add(unit.implementation)
        assert merged is not None  # at least the delivered implementation is listed
        try:
            self._schema.check(merged, where=f"the merged {MANIFEST} of {addon}")
        except InvalidManifest as error:
            # What was delivered has passed by itself.
            path = self._catalogue / addon / MANIFEST
            raise InstallError(f"{path} keeps the release out: {error}; repair it or move it away") from error
        return merged


def filtered(manifest: AddonManifest) -> bytes:
    """Without the implementations that the artifact lists and does not deliver."""
    merged = merge(None, manifest, deliver=manifest.addon, keep=())
    assert merged is not None
    return merged.text.encode()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
