"""What users run today: a shell script around skopeo (or oras) and tar. It lies outside the repository."""

import os
from pathlib import Path

from tests.benchmarks.measure import Used, run


class Yardstick:
    """The script at ``path``, against the registry at ``authority`` (``host:port``)."""

    def __init__(self, path: Path, authority: str) -> None:
        self._path = path
        self._authority = authority

    def sync(self, k2s_dir: Path, addon: str = "", *, check: bool = False) -> Used:
        """One run of it; with ``check`` it compares digests first, as its scheduled form does."""
        environment = {**os.environ, "CHECK": "true" if check else "false"}
        command = ["bash", str(self._path), self._authority, str(k2s_dir)]
        return run([*command, addon] if addon else command, environment)
