"""A real Prometheus on loopback that reads one receiver every moment, with the rules as they are shipped."""

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from scripts.children import Child
from tests.support.docker_registry import free_port
from tests.support.monitoring import FOLDER

PROGRAM = "prometheus"
_EVERY = "200ms"
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Prometheus:
    """A context manager; ``target`` is the ``host:port`` that it reads, ``folder`` an empty folder for its files."""

    target: str
    folder: Path
    _child: Child = field(init=False, repr=False)
    _url: str = field(init=False, repr=False)

    def __enter__(self) -> Self:
        if shutil.which(PROGRAM) is None:
            pytest.skip(f"{PROGRAM} (Debian package prometheus) is not installed")
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        command = [
            PROGRAM,
            f"--config.file={self._configured()}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self._child = Child(PROGRAM, command, log=self.folder / "log", environment=dict(os.environ))
        self._child.start()
        try:
            self._child.until(lambda: bool(self.query("up == 1")), seconds=30, what="the first answer of the receiver")
        except BaseException:
            self._child.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What ``expression`` gives now; nothing while Prometheus starts.

        Raises:
            AssertionError: it is none, or cannot be evaluated.
        """
        try:
            result: list[dict[str, Any]] = self._ask("query", query=expression)["result"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 503:
                    raise AssertionError(f"{expression}: {error.read()!r}") from error
            return []
        except OSError:
            assert self._child.running, self._child.tail()
            return []
        return result

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health and state."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, path: str, **parameters: str) -> Any:
        with _opener.open(f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def _configured(self) -> Path:
        """The snippet that is shipped, for this one target and with less patience."""
        snippet = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
        (scrape,) = snippet["scrape_configs"]
        scrape |= {"scrape_interval": _EVERY, "scrape_timeout": _EVERY, "static_configs": [{"targets": [self.target]}]}
        snippet["global"] = {"evaluation_interval": _EVERY}
        self.folder.mkdir()
        shutil.copy(FOLDER / "rules.yml", self.folder)
        file = self.folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(snippet), encoding="utf-8")
        return file
