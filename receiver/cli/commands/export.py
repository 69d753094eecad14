"""``addon-sync export``."""

import logging
import os
from pathlib import Path
from typing import Any

import click

from receiver.addon import is_last_resort
from receiver.catalog.sources import Source, choose
from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.exporting import (
    Exported,
    Extras,
    export,
    export_time,
    judged_version,
    names_of,
    product_version,
)
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import print_json
from receiver.report import size

_log = logging.getLogger(__name__)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("export", cls=Command)
@click.argument("addon", nargs=-1, shell_complete=addons)
@click.option("--all", "everything", is_flag=True, help="every addon of the catalogue; also without any ADDON")
@click.option(
    "-d", "--directory", type=_FOLDER, default=Path(), help="where the file goes; made where it is missing [default: .]"
)
@click.option("--omit-images", is_flag=True, help="leave out container images: they are pulled from their registries")
@click.option("--omit-packages", is_flag=True, help="leave out packages: they are downloaded when they are needed")
@click.option("--images", type=_FILE, multiple=True, metavar="TAR", help="pack this Linux image; may be repeated")
@click.option(
    "--images-windows", type=_FILE, multiple=True, metavar="TAR", help="pack this Windows image; may be repeated"
)
@click.option(
    "--packages",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="pack the packages in this folder",
)
@click.option("--version", metavar="TEXT", help="version of the addons; else their manifests', else 1.0.0")
@click.option("--k2s-version", metavar="TEXT", help="version of the product; else that of VERSION in K2S_INSTALL_DIR")
@output_option
@settings_options(local=True)
def command(
    addon: tuple[str, ...],
    everything: bool,
    directory: Path,
    omit_images: bool,
    omit_packages: bool,
    images: tuple[Path, ...],
    images_windows: tuple[Path, ...],
    packages: Path | None,
    version: str | None,
    k2s_version: str | None,
    output: str,
    **options: Any,
) -> int:
    """Pack addons of the catalogue into K2s-VERSION-addons-NAMES.oci.tar, an OCI image layout. Asks no registry.

    ADDON is an addon with all its implementations, or one of them: 'ingress nginx', ingress/nginx or ingress-nginx.
    Each implementation becomes an artifact with the tag vVERSION. A file of the same name is replaced, once the new
    one is whole. The same addons and SOURCE_DATE_EPOCH give the same bytes.

    Images and packages are not collected here, as 'k2s addons export' does it: leave them out, or give them as files.

    \b
    Examples:
      addon-sync export monitoring -d exports --omit-images --omit-packages
      addon-sync export 'ingress nginx' registry -d exports --omit-images --omit-packages
      addon-sync export --all -d exports --omit-images --omit-packages
      addon-sync export monitoring -d exports --images prometheus.tar --images grafana.tar --omit-packages
    """
    if everything and addon:
        raise click.UsageError("either --all or names of addons")
    extras = Extras(images=images, images_windows=images_windows, packages=packages)
    settings = load_settings(options, output=output, local=True)
    product = judged_version(k2s_version, where="--k2s-version") if k2s_version else None
    product = product or product_version(settings.install_dir)
    if product is None:
        product = "unknown"
        _log.warning("there is no file VERSION in %s: give --k2s-version", settings.install_dir)
    created = export_time(os.environ.get("SOURCE_DATE_EPOCH"))
    sources = choose(settings.catalogue, addon)
    _check(sources, extras, omit_images=omit_images, omit_packages=omit_packages)
    for source in sources:
        if source.left_out:
            _log.warning(
                "%s: left out, since it belongs to no implementation: %s", source.unit.addon, ", ".join(source.left_out)
            )
    exported = export(
        sources,
        directory,
        names=names_of(sources, everything=not addon),
        version=version,
        k2s_version=product,
        created=created,
        extras=extras,
    )
    _tell(exported, output)
    return 0


def _check(sources: list[Source], extras: Extras, *, omit_images: bool, omit_packages: bool) -> None:
    """Nothing is left out without a word for it."""
    if not sources:
        raise click.UsageError("the catalogue has no addon: is K2S_INSTALL_DIR the right folder?")
    if extras and len(sources) > 1:
        raise click.UsageError(
            f"images and packages belong to one implementation, and {len(sources)} are chosen: export them one by one"
        )
    given = bool(extras.images or extras.images_windows)
    if given == omit_images:
        raise click.UsageError(
            "--omit-images contradicts --images"
            if given
            else "container images are not collected by this command: give --omit-images, so that they are pulled when "
            "the addon is enabled, or each as a file by --images, or use 'k2s addons export' for hosts without network"
        )
    if omit_packages and extras.packages is not None:
        raise click.UsageError("--omit-packages contradicts --packages")
    needing = [str(source.unit) for source in sources if source.has_packages]
    if needing and not omit_packages and extras.packages is None:
        raise click.UsageError(
            f"packages are not collected by this command, and {', '.join(needing)} needs some: give --omit-packages, "
            "so that they are downloaded when they are needed, or their folder by --packages"
        )


def _tell(exported: Exported, output: str) -> None:
    for tag in sorted({artifact.tag for _, artifact in exported.artifacts if is_last_resort(artifact.tag)}):
        _log.warning(
            "%r is no version: once pushed, hosts choose it only where its repository has neither the tag latest nor a "
            "version, and never with ADDON_SYNC_TAG_POLICY=semver; give --version such as 1.0.0, or push with --latest",
            str(tag),
        )
    for source, artifact in exported.artifacts:
        _log.info("%s: packed as %s (%s)", source.unit, artifact.tag, str(artifact.digest)[:19])
    replaced = ", in the place of a former one" if exported.replaced else ""
    _log.info("exported to %s, %s%s", exported.path, size(exported.size), replaced)
    if output == "json":
        print_json(
            {
                "file": str(exported.path),
                "size": exported.size,
                "replaced": exported.replaced,
                "addons": [
                    {
                        "addon": source.unit.addon,
                        "implementation": source.unit.implementation,
                        "repository": source.unit.leaf,
                        "tag": artifact.tag,
                        "digest": str(artifact.digest),
                    }
                    for source, artifact in exported.artifacts
                ],
            }
        )
