"""``addon.manifest.yaml``: judged before it becomes visible, merged where implementations share it. A home of PyYAML.

One invalid manifest below ``addons/`` makes the catalogue unreadable for all addons, so what is written has been read
back first. A merge works on the text, item by item, so that comments survive; see `merge`.
"""

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from receiver.addon import AddonName
from receiver.errors import InvalidManifest, InvalidNameError

MAX_SIZE = 1024 * 1024
"""Bytes of any manifest that is read or merged. One that is delivered has a limit of its own, far below
(`ArchiveLimits.max_manifest_size`); what an operator put into the catalogue, or several deliveries made, may be longer.
"""
_MAX_DEPTH = 32
_MAX_NODES = 20_000
_LOADER = yaml.CSafeLoader


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    text: str
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonManifest:
    """A manifest that has been judged: ``text`` as it came, ``document`` what it says."""

    text: str
    document: Mapping[str, Any]
    addon: AddonName
    implementations: tuple[AddonName, ...]

    @classmethod
    def parse(cls, content: bytes, *, where: str) -> "AddonManifest":
        """Judge ``content``; ``where`` names it in errors.

        Raises:
            InvalidManifest: too large, not one plain YAML document, or not of the shape that its reader needs.
        """
        if len(content) > MAX_SIZE:
            raise InvalidManifest(f"{where}: {len(content)} bytes, more than the {MAX_SIZE} of any manifest")
        try:
            text = content.decode("utf-8-sig")
            document = _load(text)
        except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
            raise InvalidManifest(f"{where} is not plain YAML: {' '.join(str(error).split())}") from error
        try:
            addon, names = _shape(document)
        except (ValueError, InvalidNameError) as error:
            raise InvalidManifest(f"{where}: {error}") from error
        return cls(text=text, document=document, addon=addon, implementations=names)


def merge(
    existing: AddonManifest | None, delivered: AddonManifest | None, *, deliver: str | None, keep: Collection[str]
) -> AddonManifest | None:
    """Write the manifest that several implementations share.

    The entry of the implementation ``deliver`` comes from ``delivered``; those in ``keep`` come from ``existing``; no
    other is listed. Everything around the list comes from ``delivered`` where it is given, else from ``existing``.

    Returns:
        The manifest, read back from the text that was made, or None where no implementation is left.

    Raises:
        InvalidManifest: ``delivered`` has no entry for ``deliver``, or the result is over a limit.
    """
    base = delivered or existing
    if base is None:
        return None
    items: dict[str, _Item] = {}
    if existing is not None:
        items = {item.name: item for item in _items(existing) if item.name in keep}
    if delivered is not None and deliver is not None:
        new = {item.name: item for item in _items(delivered)}
        if deliver not in new:
            raise InvalidManifest(f"addon.manifest.yaml does not list the implementation {deliver!r} that it delivers")
        items[deliver] = new[deliver]
    if not items:
        return None
    header = _header(existing) if existing is not None and not _header(base) else ""
    text = _spliced(base, list(items.values()), header)
    return AddonManifest.parse(text.encode(), where=f"the merged addon.manifest.yaml of {base.addon}")


@lru_cache(maxsize=32)  # a merge reads the same few texts again and again; nobody changes what it gives
def _load(text: str) -> Mapping[str, Any]:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        # Checked on events first: composing nests C calls as deep as the document does.
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise ValueError(f"nested deeper than {_MAX_DEPTH}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    document = _Plain().value(yaml.compose(text, Loader=_LOADER), 0)
    if not isinstance(document, dict):
        raise ValueError("not a mapping")  # noqa: TRY004 - it is the content that is wrong, not a caller's argument
    return document


class _Plain:
    """Nodes to plain values: no duplicate keys, merge keys, custom tags, or aliases that multiply."""

    def __init__(self) -> None:
        self._left = _MAX_NODES
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node | None, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise ValueError("aliases make it larger than it may be")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(child, depth + 1) for child in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node)
        raise ValueError(f"the tag {node.tag if node else None!r} is not plain YAML")

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return self._scalars.construct_object(node)
        except (LookupError, AttributeError) as error:
            # What PyYAML raises where an explicit tag does not fit: !!bool maybe, !!int "", !!timestamp soon.
            raise ValueError(f"{node.value[:40]!r} is no {node.tag}, line {node.start_mark.line + 1}") from error

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, depth + 1)
            if not isinstance(key, str) or key in mapping:
                raise ValueError(f"the key {key!r} stands twice or is no text, line {key_node.start_mark.line + 1}")
            mapping[key] = self.value(value_node, depth + 1)
        return mapping


_SCALARS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}


def _shape(document: Mapping[str, Any]) -> tuple[AddonName, tuple[AddonName, ...]]:
    if document.get("apiVersion") != "v1" or document.get("kind") != "AddonManifest":
        raise ValueError("expected apiVersion v1 and kind AddonManifest")
    metadata, spec = document.get("metadata"), document.get("spec")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        raise ValueError("metadata.name is missing")  # noqa: TRY004 - see _load
    entries = spec.get("implementations") if isinstance(spec, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError("spec.implementations is missing or empty")
    names = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ValueError("an entry of spec.implementations has no name")  # noqa: TRY004 - see _load
        names.append(AddonName.parse(entry["name"]))
    if len(set(names)) != len(names):
        raise ValueError("an implementation is listed twice")
    return AddonName.parse(name), tuple(names)


def _sequence(text: str) -> yaml.SequenceNode:
    node: Any = yaml.compose(text, Loader=_LOADER)
    for wanted in ("spec", "implementations"):
        node = next(value for key, value in node.value if key.value == wanted)
    assert isinstance(node, yaml.SequenceNode)
    return node


def _items(manifest: AddonManifest) -> list[_Item]:
    """The entries of the list as text, each from its dash to the next one's, without the list's indentation."""
    node = _sequence(manifest.text)
    entries = manifest.document["spec"]["implementations"]
    if node.flow_style:
        return [_Item(entry["name"], _dumped([entry]), entry) for entry in entries]
    lines = manifest.text.splitlines(keepends=True)
    starts = [_first_line(lines, child, node) for child in node.value]
    ends = [*starts[1:], _end_line(lines, node)]
    indent = " " * node.start_mark.column
    return [
        _Item(entry["name"], "".join(line.removeprefix(indent) for line in lines[start:end]), entry)
        for entry, start, end in zip(entries, starts, ends, strict=True)
    ]


def _first_line(lines: list[str], entry: yaml.Node, node: yaml.SequenceNode) -> int:
    """Where an entry begins: comments above its dash, indented alike, are about it; it may start a line after it."""
    line = entry.start_mark.line
    while not lines[line].lstrip().startswith("-"):
        line -= 1
    while line > 0 and lines[line - 1].startswith(" " * node.start_mark.column + "#"):
        line -= 1
    return line


def _end_line(lines: list[str], node: yaml.SequenceNode) -> int:
    """The line after the list: trailing blank and less indented comment lines belong to what follows."""
    end = (
        node.end_mark.line if node.end_mark.column == 0 or node.end_mark.line >= len(lines) else node.end_mark.line + 1
    )
    end = min(end, len(lines))
    while end > 0 and (not (line := lines[end - 1]).strip() or _is_outer_comment(line, node.start_mark.column)):
        end -= 1
    return end


def _is_outer_comment(line: str, column: int) -> bool:
    stripped = line.lstrip()
    return stripped.startswith("#") and len(line) - len(stripped) < column + 1


def _spliced(base: AddonManifest, items: list[_Item], header: str) -> str:
    node = _sequence(base.text)
    entries = [item.entry for item in items]
    expected = {**base.document, "spec": {**base.document["spec"], "implementations": entries}}
    if not node.flow_style:
        lines = base.text.splitlines(keepends=True)
        start = _first_line(lines, node.value[0], node)
        indent = " " * node.start_mark.column
        body = "".join(item.text if item.text.endswith("\n") else f"{item.text}\n" for item in items)
        text = "".join([header, *lines[:start], textwrap.indent(body, indent), *lines[_end_line(lines, node) :]])
        if _reads_as(text, expected):
            return text
    # A layout that cannot be spliced (flow style, anchors across entries): correct first, comments second.
    return header + _header(base) + _dumped(expected)


def _reads_as(text: str, expected: Mapping[str, Any]) -> bool:
    try:
        return _load(text) == expected
    except (yaml.YAMLError, ValueError, RecursionError):
        return False


def _header(manifest: AddonManifest) -> str:
    """The comment lines that the file starts with (the licence)."""
    kept = []
    for line in manifest.text.splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            break
        kept.append(line)
    return "".join(kept) if any(line.startswith("#") for line in kept) else ""


def _dumped(value: Any) -> str:
    dumped = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    assert isinstance(dumped, str)
    return dumped
