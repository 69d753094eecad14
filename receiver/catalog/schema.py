"""The catalogue's JSON schema for ``addon.manifest.yaml``, where it has one. The home of jsonschema-rs.

The schema is the product's and its reader fails for all addons where one manifest does not fit, so it decides. It is
imported where there is a schema only: loading the library takes some 50 ms.
"""

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from receiver.catalog.layout import SCHEMA
from receiver.catalog.manifest import AddonManifest
from receiver.errors import InstallError, InvalidManifest
from receiver.links import is_link

_MAX_SIZE = 4 * 1024 * 1024
_SHOWN = 400


class ManifestSchema:
    """The schema in the folder ``catalogue``, read again when it changes."""

    def __init__(self, catalogue: Path) -> None:
        self._path = catalogue / SCHEMA
        self._known: tuple[tuple[int, int, int], Callable[[object], str | None]] | None = None

    def check(self, manifest: AddonManifest, *, where: str) -> None:
        """Judge ``manifest``; ``where`` names it in errors.

        Raises:
            InvalidManifest: it does not fit; the text says where, and what was expected.
            InstallError: the schema is there and cannot be used.
        """
        judge = self._judge()
        problem = judge(_plain(manifest.document)) if judge is not None else None
        if problem is not None:
            raise InvalidManifest(f"{where} does not fit {SCHEMA}: {problem}")

    def _judge(self) -> Callable[[object], str | None] | None:
        try:
            if is_link(self._path):
                raise InstallError(f"{self._path} is a link: remove it")
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._known is None or self._known[0] != stamp:
                if status.st_size > _MAX_SIZE:
                    raise InstallError(f"{self._path}: {status.st_size} bytes, more than a schema can have")
                self._known = stamp, _compiled(self._path.read_bytes(), self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InstallError(f"{self._path} cannot be read: {error.strerror}") from error
        return self._known[1]


def _compiled(content: bytes, path: Path) -> Callable[[object], str | None]:
    import jsonschema_rs  # noqa: PLC0415 - see the module's docstring

    try:
        # Draft 2020-12 unless the schema says another; what is not in the file is never fetched.
        validator = jsonschema_rs.validator_for(content.decode("utf-8-sig"), retriever=_never)
    except (ValueError, RecursionError) as error:  # its errors, and those of decoding, are ValueErrors
        raise InstallError(f"{path} is no JSON schema: {_short(error)}; repair the installation of K2s") from error

    def judge(document: object) -> str | None:
        error = next(validator.iter_errors(document), None)
        if error is None:
            return None
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        return f"{place.lstrip('.') or 'the document'}: {_short(error.message)}"

    return judge


def _never(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}, which is not in the file")


def _short(error: object) -> str:
    """One line for a message: what YAML held may be long, and hold anything."""
    text = " ".join(str(error).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _plain(value: Any) -> Any:
    """As JSON has it: a time of YAML is the text that stood there, more or less."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value
