"""Hazards H: artifacts whose archives are well-formed and whose meaning would do harm."""

from collections.abc import Mapping

from receiver.catalog.layout import MANIFEST as MANIFEST_FILE
from receiver.catalog.layout import SCHEMA
from receiver.errors import InvalidManifest, InvalidNameError, UnsafeArchive, UnsupportedContent, WrongRepository
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.sync.plan import IMPLEMENTATION, NAME
from tests.support.addons import manifest_yaml
from tests.support.hazards import MANIFEST, Case, Elsewhere, Push, config_layer, layers, scripts
from tests.support.sync_fakes import FakeRegistry
from tests.support.tarwriter import archive, entry, gzipped

_STORE = "tests/unit/catalog/test_store.py"
_STAGER = "tests/unit/catalog/test_stager.py"
_OWN = "tests/fault/test_addon_semantics.py"
_RUN = {"run.ps1": b"x"}


def _layer(name: str, content: bytes = b"x") -> bytes:
    return gzipped(archive(entry(name, content)))


def _unit(
    registry: FakeRegistry, annotations: Mapping[str, str], manifest: bytes | None = MANIFEST, file: str = "run.ps1"
) -> Digest:
    described = [registry.layer(_layer(file), media.SCRIPTS)]
    if manifest is not None:
        described.insert(0, registry.layer(config_layer(manifest), media.CONFIG_FILES))
    return registry.manifest_of(annotations, *described)


def _named(name: str, implementation: str | None = None, **more: str) -> Push:
    """An artifact of that addon and implementation, whose manifest says the same."""
    said = {NAME: name, **({IMPLEMENTATION: implementation} if implementation is not None else {}), **more}
    manifest = manifest_yaml(name, implementation or name)
    return lambda registry: _unit(registry, said, manifest)


def _index(*units: tuple[str, str] | None) -> Push:
    """An index of units by addon and implementation; None is an entry that says nothing of itself."""

    def push(registry: FakeRegistry) -> Digest:
        entries = []
        for number, unit in enumerate(units):
            if unit is None:
                digest = _unit(registry, {"number": str(number)})
            else:
                said = {NAME: unit[0], IMPLEMENTATION: unit[1], "number": str(number)}
                digest = _unit(registry, said, manifest_yaml(*unit))
            entries.append((digest, {"number": str(number)}))
        return registry.index_of(*entries)

    return push


def _only(*layers_of_it: tuple[str, bytes]) -> Push:
    return layers(*layers_of_it, manifest=None)


def _yaml(text: str | bytes) -> Push:
    """An artifact with that manifest, byte for byte."""
    content = text if isinstance(text, bytes) else text.encode()
    return layers((media.SCRIPTS, _layer("run.ps1")), manifest=content)


_TEXT = MANIFEST.decode()
_DEEP = 5000
_TENFOLD = "".join(
    f"  {name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
_BOMB = f"{_TEXT}bomb:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n{_TENFOLD}"
_NAMES = {
    "..": "..",
    "..\\..": "..\\..",
    "with a slash": "a/b",
    "with a space": "a b",
    "of 300 characters": "a" * 300,
    "CON": "CON",
    "in capitals": "Monitoring",
    "with a Cyrillic look-alike": "m\u043enitoring",
    "with a control character": "monitoring\x1b[2J",
    "with a line break": "monitoring\n",
}
_NO_ADDONS = ("common", "lib", ".addon-sync", ".addon-sync-digests", ".git", MANIFEST_FILE, SCHEMA)
_BROKEN_YAML: Mapping[str, str | bytes] = {
    "an alias bomb": _BOMB,
    "a list that holds itself": f"{_TEXT}loop: &loop [*loop]\n",
    "5,000 levels of lists": f"{_TEXT}deep: {'[' * _DEEP}{']' * _DEEP}\n",
    "the same key twice": f"{_TEXT}kind: AddonManifest\n",
    "a Python object": f"{_TEXT}run: !!python/object/apply:os.system ['true']\n",
    "a NUL": f"{_TEXT}nul: a\0b\n",
    "UTF-16": _TEXT.encode("utf-16"),
    "indentation by tabs": _TEXT.replace("  name: monitoring", "\tname: monitoring", 1),
    "merge keys": f"base: &base {{a: b}}\n{_TEXT}merged:\n  <<: *base\n",
    "two documents": f"{_TEXT}---\n{_TEXT}",
    "nothing": b"",
}

CASES: tuple[Case | Elsewhere, ...] = (
    *(
        Case(
            id="H1",
            title=f"an addon's name {label}",
            push=_named(name),
            error=InvalidNameError,
            says="not an addon name",
        )
        for label, name in _NAMES.items()
    ),
    Case(
        id="H1",
        title="the name of a device",
        push=_named("con"),
        error=InvalidNameError,
        says="'con' is a reserved name",
    ),
    Case(id="H1", title="an empty name", push=_named(""), error=UnsupportedContent, says=NAME),
    *(
        Case(
            id="H2",
            title=f"{name} in an index beside the addon",
            push=_index(("monitoring", "monitoring"), (name, name)),
            error=InvalidNameError,
            says=repr(name),
        )
        for name in _NO_ADDONS
    ),
    Case(
        id="H3",
        title="another addon than the repository is named for",
        push=_named("security"),
        error=WrongRepository,
        says="security",
    ),
    Case(
        id="H3",
        title="the right annotation over another addon's manifest",
        push=layers((media.SCRIPTS, _layer("run.ps1")), manifest=manifest_yaml("security", "security")),
        error=InvalidManifest,
        says="'security'",
    ),
    *(
        Case(
            id="H4",
            title=f"the implementation {name}",
            push=_named("monitoring", name),
            error=InvalidNameError,
            says=repr(name),
        )
        for name in ("..", "manifests", "config", "a/b", ".hidden", "nul", MANIFEST_FILE)
    ),
    Case(
        id="H4",
        title="an implementation within the folder of an addon that has none",
        push=_named("monitoring", "dashboards"),
        error=InvalidManifest,
        says="monitoring dashboards",
    ),
    Elsewhere(
        id="H4",
        title="an implementation in place of another repository's addon",
        tests=(f"{_STAGER}::test_one_folder_cannot_be_both_of_two_repositories",),
    ),
    Elsewhere(
        id="H5",
        title="an index of two addons that nobody else owns: both",
        verdict="accepted",
        tests=("tests/e2e/test_push_to_installed.py::test_an_index_delivers_all_that_it_holds",),
    ),
    Elsewhere(
        id="H5",
        title="an index with an addon that another repository delivers",
        tests=(f"{_OWN}::test_an_index_cannot_take_an_addon_over",),
    ),
    Case(
        id="H5",
        title="one addon twice",
        push=_index(("monitoring", "monitoring"), ("monitoring", "monitoring")),
        error=UnsupportedContent,
        says="monitoring twice",
    ),
    Case(
        id="H5",
        title="an entry without annotation beside a good one: skipped",
        push=_index(None, ("monitoring", "monitoring")),
        verdict="accepted",
        tree=_RUN,
    ),
    Case(id="H5", title="no entry with an annotation", push=_index(None, None), error=UnsupportedContent, says=NAME),
    Case(
        id="H6",
        title="no manifest",
        push=layers((media.CONFIG_FILES, _layer("values.yaml")), (media.SCRIPTS, _layer("run.ps1")), manifest=None),
        error=InvalidManifest,
        says=MANIFEST_FILE,
    ),
    Case(
        id="H6",
        title="a manifest in the scripts layer",
        push=scripts(entry(MANIFEST_FILE, MANIFEST)),
        says=f"'{MANIFEST_FILE}'",
    ),
    Case(
        id="H6",
        title="the only manifest in the scripts layer",
        push=_only((media.SCRIPTS, _layer(MANIFEST_FILE, MANIFEST))),
        says=f"'{MANIFEST_FILE}'",
    ),
    Case(
        id="H6",
        title="a manifest in a folder",
        push=_only((media.CONFIG_FILES, _layer(f"sub/{MANIFEST_FILE}", MANIFEST))),
        says=f"'sub/{MANIFEST_FILE}'",
    ),
    Case(
        id="H6",
        title="a second manifest in a folder",
        push=layers((media.MANIFESTS, _layer(f"deep/er/{MANIFEST_FILE}", MANIFEST))),
        says=f"'deep/er/{MANIFEST_FILE}'",
    ),
    Case(
        id="H6",
        title="a manifest in other letters",
        push=layers((media.CONFIG_FILES, _layer("Addon.Manifest.YAML", MANIFEST))),
        says="'Addon.Manifest.YAML'",
    ),
    Case(
        id="H6",
        title="a folder of that name",
        push=scripts(entry(f"{MANIFEST_FILE}/x", b"x")),
        says=f"'{MANIFEST_FILE}/x'",
    ),
    Case(
        id="H6",
        title="two manifests in one layer",
        push=_only(
            (
                media.CONFIG_FILES,
                gzipped(archive(entry(MANIFEST_FILE, MANIFEST), entry(f"./{MANIFEST_FILE}", MANIFEST))),
            )
        ),
        says=f"'{MANIFEST_FILE}'",
    ),
    Case(
        id="H7",
        title="apiVersion 0.4",
        push=_yaml(_TEXT.replace("apiVersion: v1", "apiVersion: 0.4")),
        error=InvalidManifest,
        says="apiVersion",
    ),
    Case(
        id="H7",
        title="another kind",
        push=_yaml(_TEXT.replace("AddonManifest", "Addon")),
        error=InvalidManifest,
        says="kind",
    ),
    Case(
        id="H7",
        title="no implementations",
        push=_yaml(_TEXT.partition("spec:")[0]),
        error=InvalidManifest,
        says="spec.implementations",
    ),
    Elsewhere(
        id="H7",
        title="a manifest that does not fit the catalogue's schema",
        tests=(f"{_OWN}::test_a_manifest_must_fit_the_schema_of_the_catalogue",),
    ),
    *(
        Case(id="H8", title=title, push=_yaml(text), error=InvalidManifest, says=MANIFEST_FILE)
        for title, text in _BROKEN_YAML.items()
    ),
    Case(
        id="H8", title="10 MB", push=_yaml(_TEXT + "# \n" * 3_500_000), error=UnsafeArchive, says=f"'{MANIFEST_FILE}'"
    ),
    Elsewhere(
        id="H9",
        title="an update replaces the entry of its implementation",
        verdict="accepted",
        tests=(f"{_OWN}::test_each_delivery_replaces_its_own_entry_and_keeps_the_others",),
    ),
    Elsewhere(
        id="H10",
        title="a second implementation keeps the entry of the first",
        verdict="accepted",
        tests=(f"{_OWN}::test_each_delivery_replaces_its_own_entry_and_keeps_the_others",),
    ),
    Elsewhere(
        id="H11",
        title="an implementation that a later artifact lacks goes, with its entry",
        verdict="accepted",
        tests=(f"{_STORE}::test_an_index_installs_all_its_units_and_drops_those_it_loses",),
    ),
    Case(
        id="H12",
        title="one path in two layers with other content",
        push=layers((media.MANIFESTS, _layer("x", b"1")), (media.SCRIPTS, _layer("manifests/x", b"2"))),
        says="'manifests/x'",
    ),
    Case(
        id="H12",
        title="one path in two layers with the same content",
        push=layers((media.MANIFESTS, _layer("x", b"1")), (media.SCRIPTS, _layer("manifests/x", b"1"))),
        verdict="accepted",
        tree={"manifests/x": b"1"},
    ),
    Case(
        id="H12",
        title="one path in two layers in other letters",
        push=layers((media.MANIFESTS, _layer("x", b"1")), (media.SCRIPTS, _layer("Manifests/x", b"1"))),
        says="'Manifests",
    ),
    Case(
        id="H13",
        title="a chart that leads to the manifests",
        push=layers((media.HELM_CHARTS, _layer("../deployment.yaml"))),
        says="'../deployment.yaml'",
    ),
    Case(
        id="H13",
        title="a chart that leads out of the addon",
        push=layers((media.HELM_CHARTS, _layer("../../../evil"))),
        says="'../../../evil'",
    ),
    Case(id="H13", title="a chart whose folder is ..", push=layers((media.HELM_CHARTS, _layer(".."))), says="'..'"),
    Case(
        id="H14",
        title="two config layers with different manifests",
        push=layers(
            (media.CONFIG_FILES, config_layer(manifest_yaml("monitoring", "monitoring", note=" 2"))),
            (media.SCRIPTS, _layer("run.ps1")),
        ),
        error=InvalidManifest,
        says=MANIFEST_FILE,
    ),
    Case(
        id="H14",
        title="two config layers with the same manifest and different files: nothing in them disagrees",
        push=layers((media.CONFIG_FILES, gzipped(archive(entry(MANIFEST_FILE, MANIFEST), entry("values.yaml", b"x"))))),
        verdict="accepted",
        tree={"values.yaml": b"x"},
    ),
    Case(
        id="H14",
        title="two config layers with different values",
        push=layers(*((media.CONFIG_FILES, _layer("values.yaml", content)) for content in (b"1", b"2"))),
        says="'values.yaml'",
    ),
    Case(
        id="H15",
        title="scripts and nothing else",
        push=_only((media.SCRIPTS, _layer("run.ps1"))),
        error=InvalidManifest,
        says=MANIFEST_FILE,
    ),
    Case(id="H15", title="no layers", push=_only(), error=UnsupportedContent, says="monitoring"),
    Case(
        id="H15",
        title="only layers that are not transferred",
        push=_only((media.IMAGES_LINUX, b"image"), (media.PACKAGES, b"packages")),
        error=UnsupportedContent,
        says=media.PACKAGES,
    ),
    Case(
        id="H15",
        title="one layer of an unknown type",
        push=_only(("application/octet-stream", _layer("run.ps1"))),
        error=UnsupportedContent,
        says="application/octet-stream",
    ),
    Elsewhere(
        id="H16",
        title="a lower version than the installed one: believed when the registry still wants it after a minute",
        tests=("tests/unit/sync/test_downgrade.py::test_a_lower_version_is_believed_when_it_is_wanted_again",),
    ),
)
