"""Good archives of the writers that addons are packed with: all are taken, with exactly the tree that went in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from receiver.catalog.archive import Budget
from receiver.catalog.staging import StagedTree, unpack
from tests.support.releases import snapshot

# Of what the machine has; on Windows, tar is bsdtar.
FORMATS = {"tar": ("gnu", "posix", "ustar"), "bsdtar": ("pax", "ustar", "gnutar")}
if sys.platform == "win32":
    FORMATS = {"tar": FORMATS["bsdtar"]}
WRITERS = [(program, form) for program in FORMATS if shutil.which(program) for form in FORMATS[program]]


@pytest.mark.parametrize(("program", "form"), WRITERS)
@pytest.mark.parametrize("what", [".", "d"])
def test_archives_of_real_writers_are_taken(tmp_path: Path, program: str, form: str, what: str) -> None:
    """``./`` entries, PAX times, GNU long names, prefixes, folders: as addons are packed today."""
    source = tmp_path / "source"
    (source / "d" / "empty").mkdir(parents=True)
    (source / "d" / ("long-" * 18)).mkdir()
    files = {"d/a.yaml": b"1", "d/b c.ps1": b"", f"d/{'long-' * 18}/{'n' * 40}": b"3" * 1000}
    if form != "ustar":
        files["d/ünïcode.md"] = b"4"
    for name, content in files.items():
        (source / name).write_bytes(content)
    layer = tmp_path / "layer"
    command = [program, "-C", str(source), f"--format={form}", "-czf", str(layer), what]
    subprocess.run(command, check=True, timeout=30, env={**os.environ, "LC_ALL": "C.UTF-8"})
    with StagedTree(tmp_path / "tree", Budget()) as tree:
        unpack(layer, size=layer.stat().st_size, tree=tree)
    assert snapshot(tmp_path / "tree") == snapshot(source)


def test_a_layer_that_go_wrote_is_taken(tmp_path: Path) -> None:
    """ustar with a prefix, PAX for what it cannot hold: registries' own tools are written in Go."""
    long = "long-" * 12 + "x"
    layer = Path(__file__).parents[2] / "fixtures/archives/go.tar.gz"
    with StagedTree(tmp_path / "tree", Budget()) as tree:
        unpack(layer, size=layer.stat().st_size, tree=tree)
    assert snapshot(tmp_path / "tree") == {
        "Enable.ps1": b"Write-Output 'go'\r\n",
        "empty.yaml": b"",
        long: None,
        f"{long}/{long}.yaml": b"prefix\n",
        "manifests": None,
        "manifests/crds": None,
        "manifests/deployment.yaml": b"kind: Deployment\n",
        "manifests/ünïcode.yaml": b"unicode\n",
        "pax-" * 27 + "x": b"record\n",
    }
