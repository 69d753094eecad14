"""``addon.manifest.yaml``: what may become visible, and what a merge keeps."""

import time

import pytest
import yaml

from receiver.catalog.manifest import MAX_SIZE, AddonManifest, merge
from receiver.errors import InvalidManifest
from tests.support.addons import manifest_yaml


def _parsed(content: bytes) -> AddonManifest:
    return AddonManifest.parse(content, where="the test")


def _names(manifest: AddonManifest | None) -> list[str]:
    assert manifest is not None
    return list(manifest.implementations)


def _entry(manifest: AddonManifest | None, name: str) -> str:
    assert manifest is not None
    entries = yaml.safe_load(manifest.text)["spec"]["implementations"]
    return next(str(entry["description"]) for entry in entries if entry["name"] == name)


_HEAD = "apiVersion: v1\nkind: AddonManifest\nmetadata:\n  name: a\nspec:\n  implementations:\n    - name: a\n"
_LAUGHS = "x0: &x0 [l, l]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]\n" for n in range(1, 30))

_HOSTILE = {
    "alias bomb": _HEAD + _LAUGHS,
    "self reference": _HEAD + "x: &x [*x]\n",
    "deep flow": _HEAD + "x: " + "[" * 5000 + "]" * 5000,
    "deep block": _HEAD + "x:\n" + "".join(" " * n + "-\n" for n in range(1, 200)),
    "unclosed": _HEAD + "x: " + "[" * 30_000,
    "duplicate key": _HEAD + "kind: AddonManifest\n",
    "duplicate nested key": _HEAD.replace("name: a\nspec", "name: a\n  name: b\nspec"),
    "python object": _HEAD + "x: !!python/object/apply:os.system [id]\n",
    "own tag": _HEAD + "x: !mine 1\n",
    "binary": _HEAD + "x: !!binary aGVsbG8=\n",
    "merge key": _HEAD + "y: &y {z: 1}\nx:\n  <<: *y\n",
    "set": _HEAD + "x: !!set {a, b}\n",
    "key that is a number": _HEAD + "1: x\n",
    "key that is a list": _HEAD + "? [a]\n: x\n",
    "no bool": _HEAD + "x: !!bool maybe\n",
    "no int": _HEAD + 'x: !!int ""\n',
    "no timestamp": _HEAD + "x: !!timestamp soon\n",
    "no date": _HEAD + "x: 2026-99-99\n",
    "huge number": _HEAD + "x: " + "9" * 20_000 + "\n",
    "two documents": _HEAD + "---\nx: 1\n",
    "tabs": _HEAD + "\tx: 1\n",
    "NUL": _HEAD + "x: \0\n",
    "escape": _HEAD + "x: \x1b\n",
    "empty": "",
    "comment only": "# nothing\n",
    "a list": "- 1\n",
    "other apiVersion": _HEAD.replace("v1", "v2"),
    "other kind": _HEAD.replace("AddonManifest", "Addon"),
    "no name": _HEAD.replace("  name: a\nspec", "  description: a\nspec"),
    "name that is a number": _HEAD.replace("  name: a\nspec", "  name: 1\nspec"),
    "hostile name": _HEAD.replace("  name: a\nspec", "  name: ../a\nspec"),
    "no implementations": _HEAD.replace("    - name: a\n", ""),
    "implementations that are text": _HEAD.replace("\n    - name: a\n", " a\n"),
    "an implementation without a name": _HEAD.replace("- name: a", "- description: a"),
    "hostile implementation": _HEAD.replace("- name: a", "- name: ../a"),
    "an implementation twice": _HEAD + "    - name: a\n",
    "too large": _HEAD + "#" * MAX_SIZE,
}


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE)
def test_a_manifest_that_would_break_the_catalogue_is_refused_fast(text: str) -> None:
    """As one typed error that names the file (hazards H7, H8)."""
    started = time.process_time()
    with pytest.raises(InvalidManifest, match="the test"):
        _parsed(text.encode())
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_refused(encoding: str) -> None:
    """What the catalogue's reader takes for UTF-8 must be UTF-8."""
    with pytest.raises(InvalidManifest):
        _parsed(_HEAD.encode(encoding))


def test_a_manifest_of_just_the_largest_size_is_taken() -> None:
    """The limit is the last size that passes."""
    assert _parsed((_HEAD + "#" * (MAX_SIZE - len(_HEAD))).encode()).addon == "a"


def test_plain_aliases_are_taken() -> None:
    """Anchors are YAML that people write; only what multiplies is refused."""
    manifest = _parsed((_HEAD + "x: &x [1, 2.5, true, null, 2026-11-22]\ny: *x\n").encode())
    assert manifest.document["x"] == manifest.document["y"]


def test_a_merge_replaces_the_delivered_entry_only() -> None:
    """The other entries stay as they are, in their places (addons.md: the script loses an updated entry)."""
    existing = _parsed(manifest_yaml("ingress", "nginx", "traefik", note=" old"))
    delivered = _parsed(manifest_yaml("ingress", "nginx", "traefik", note=" new"))
    merged = merge(existing, delivered, deliver="nginx", keep={"nginx", "traefik"})
    assert _names(merged) == ["nginx", "traefik"]
    assert (_entry(merged, "nginx"), _entry(merged, "traefik")) == ("the nginx way new", "the traefik way old")


def test_a_merge_adds_a_new_entry_and_drops_those_without_a_folder() -> None:
    """A manifest that lists what was never delivered makes the addon unusable."""
    existing = _parsed(manifest_yaml("ingress", "nginx", "traefik"))
    delivered = _parsed(manifest_yaml("ingress", "nginx", "haproxy", "envoy"))
    assert _names(merge(existing, delivered, deliver="haproxy", keep={"nginx"})) == ["nginx", "haproxy"]


def test_a_merge_keeps_licence_header_and_comments() -> None:
    """Byte for byte: header, comments of the entries, and the text around the list."""
    existing = _parsed(manifest_yaml("ingress", "nginx", "traefik"))
    merged = merge(existing, _parsed(manifest_yaml("ingress", "nginx")), deliver="nginx", keep={"traefik"})
    assert merged is not None
    assert merged.text.startswith("# SPDX-FileCopyrightText")
    plain = _parsed(existing.text.replace(existing.text.split("\n\n")[0], "").encode())
    assert "# SPDX" not in plain.text
    headed = merge(existing, plain, deliver="nginx", keep=())
    assert headed is not None
    assert headed.text.startswith("# SPDX-FileCopyrightText")


def test_removing_one_of_two_leaves_the_other_and_removing_both_leaves_nothing() -> None:
    """An empty list would be an invalid manifest: then there is no file."""
    existing = _parsed(manifest_yaml("ingress", "nginx", "traefik"))
    assert _names(merge(existing, None, deliver=None, keep={"traefik"})) == ["traefik"]
    assert merge(existing, None, deliver=None, keep=()) is None
    assert merge(None, None, deliver=None, keep=()) is None


def test_a_delivery_that_does_not_list_itself_is_refused() -> None:
    """Its folder would be there and nobody could enable it."""
    with pytest.raises(InvalidManifest, match="nginx"):
        merge(None, _parsed(manifest_yaml("ingress", "traefik")), deliver="nginx", keep=())


@pytest.mark.parametrize(
    "text",
    [
        _HEAD.replace("\n    - name: a\n", " [{name: a, description: flow}]\n"),
        _HEAD.replace("    - name: a\n", "  - name: a\n  # last\n  -\n    name: b\n# end\n"),
        _HEAD.replace("    - name: a\n", "    - &a\n      name: a\n      x: &x [1]\n    - name: b\n      y: *x\n"),
        _HEAD.replace("  name: a\nspec", "  name: a\n  also: &m {name: a}\nspec").replace("- name: a", "- *m"),
        _HEAD.replace("\n", "\r\n"),
        "\ufeff" + _HEAD,
        _HEAD.rstrip("\n"),
        _HEAD + "      text: |\n        - not\n\n        - an entry\n",
    ],
)
def test_every_way_of_writing_the_list_is_merged(text: str) -> None:
    """Flow style, dashes on their own lines, anchors, CRLF, a BOM, no end of line: the result reads as expected."""
    manifest = _parsed(text.encode())
    other = _parsed(_HEAD.replace("- name: a", "- name: other").encode())
    for existing, delivered in ((other, manifest), (manifest, manifest)):
        merged = merge(existing, delivered, deliver="a", keep={"other"})
        assert merged is not None
        found = {entry["name"]: entry for entry in merged.document["spec"]["implementations"]}
        assert found["a"] == manifest.document["spec"]["implementations"][0]
        assert set(found) == ({"a", "other"} if existing is other else {"a"})


def test_a_merge_that_outgrows_the_limit_is_refused() -> None:
    """The result is judged as what came from outside is: nobody could read it back."""
    large = _parsed((_HEAD + "      x: '" + "y" * 600_000 + "'\n").encode())
    other = _parsed((_HEAD.replace("- name: a", "- name: b") + "      x: '" + "y" * 600_000 + "'\n").encode())
    with pytest.raises(InvalidManifest, match="merged"):
        merge(large, other, deliver="b", keep={"a"})
