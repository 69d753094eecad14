"""Any two manifests merge into one that reads as the rules say, however they are written."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.catalog.manifest import AddonManifest, merge

_NAMES = st.sampled_from(["nginx", "traefik", "haproxy", "envoy"])
_SCALARS = st.one_of(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs", "S"]), max_size=20),
    st.sampled_from(["a\nb\n", "- x\n- y", "# no comment", "", "null", "x\n\n\ny"]),
    st.integers(-5, 5),
    st.booleans(),
    st.none(),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)
_STYLES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([False, False, None, True]),
        "indent": st.sampled_from([2, 4]),
        "width": st.sampled_from([20, 120]),
    }
)


@st.composite
def manifests(draw: st.DrawFn) -> AddonManifest:
    names = draw(st.lists(_NAMES, min_size=1, unique=True))
    entries = [{"name": name, **draw(st.dictionaries(st.sampled_from("xyz"), _VALUES, max_size=2))} for name in names]
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "AddonManifest",
        "metadata": {"name": "ingress", "description": draw(_VALUES)},
        "spec": {"implementations": entries, **draw(st.dictionaries(st.sampled_from("pq"), _VALUES, max_size=1))},
    }
    text = yaml.safe_dump(document, sort_keys=draw(st.booleans()), allow_unicode=True, **draw(_STYLES))
    lines = text.splitlines(keepends=True)
    if draw(st.booleans()):
        lines = ["# a licence\n", *lines, "# the end\n"]
    return AddonManifest.parse("".join(lines).encode(), where="drawn")


def _entries(manifest: AddonManifest) -> dict[str, Any]:
    return {entry["name"]: entry for entry in manifest.document["spec"]["implementations"]}


@settings(max_examples=150, deadline=None)
@given(existing=st.none() | manifests(), delivered=manifests(), keep=st.sets(_NAMES), data=st.data())
def test_a_merge_says_what_it_should(
    existing: AddonManifest | None, delivered: AddonManifest, keep: set[str], data: st.DataObject
) -> None:
    """The delivered entry from the delivery, kept ones as they were, no others; all around them from the delivery."""
    own = data.draw(st.sampled_from(delivered.implementations))
    merged = merge(existing, delivered, deliver=own, keep=keep)
    assert merged is not None
    kept = {name: entry for name, entry in _entries(existing).items() if name in keep} if existing else {}
    assert _entries(merged) == {**kept, own: _entries(delivered)[own]}
    assert {**merged.document, "spec": None} == {**delivered.document, "spec": None}
    assert AddonManifest.parse(merged.text.encode(), where="again").document == merged.document
    if "# a licence" in delivered.text or (existing is not None and "# a licence" in existing.text):
        assert merged.text.startswith("# a licence")
    again = merge(merged, delivered, deliver=own, keep={*merged.implementations})
    assert again is not None
    assert again.document == merged.document
