"""A program that unpacks a layer, or parses a manifest, and prints what that took: processor seconds, MiB at the peak.

In a process of its own, since the peak of a process never goes down again.
"""

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from receiver.catalog.archive import Budget
from receiver.catalog.staging import StagedTree, unpack
from receiver.errors import ReceiverError
from receiver.oci import media
from receiver.oci.manifest import parse_manifest
from tests.support.tarwriter import entry, write_layer

_STATUS = Path("/proc/self/status")


def _peak() -> float:
    """MiB: of the whole process on Linux, elsewhere of what Python allocates."""
    if not _STATUS.exists():
        return tracemalloc.get_traced_memory()[1] / 2**20
    # Not ru_maxrss, in which Linux counts the process that started this one.
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _unpack(layer: Path) -> None:
    with StagedTree(layer.with_suffix(".tree"), Budget()) as tree:
        unpack(layer, size=layer.stat().st_size, tree=tree)


def _parse(document: Path) -> None:
    parse_manifest(document.read_bytes(), media.OCI_MANIFEST)


def _measured(work: Callable[[Path], None], file: Path) -> dict[str, object]:
    before, started, error = _peak(), time.process_time(), "it was taken"
    try:
        work(file)
    except ReceiverError as refusal:
        error = str(refusal)
    return {"seconds": time.process_time() - started, "growth": _peak() - before, "error": error}


def main() -> None:
    """``unpack LAYER`` or ``parse DOCUMENT``, after a small one of its kind: what is loaded once does not count."""
    if not _STATUS.exists():
        tracemalloc.start()
    kind, file = sys.argv[1], Path(sys.argv[2])
    _unpack(write_layer(file.with_name("first"), entry("a", b"1")))
    sys.stdout.write(json.dumps(_measured(_unpack if kind == "unpack" else _parse, file)))


if __name__ == "__main__":
    main()
