"""The real `docker-registry` (Distribution 2.8) on loopback, for tests and benchmarks; ended by its own process."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import yaml

from receiver.oci.digest import Digest

PROGRAM = "docker-registry"
_START_DEADLINE = 20.0
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Where the registry announces pushes; durations in the registry's own notation."""

    url: str
    token: str = ""
    timeout: str = "2s"
    threshold: int = 5
    backoff: str = "200ms"
    ignored_actions: tuple[str, ...] = ()
    ignored_media_types: tuple[str, ...] = ()


@dataclass
class DockerRegistry:
    """A context manager around one registry; `stop` and `start` keep its port and its storage."""

    notify: Notify | None = None
    port: int = 0
    auth: Mapping[str, object] | None = None
    """Its section of that name; like ``tls``, it counts from the next `start`, so that a test pushes first."""
    tls: Mapping[str, object] | None = None
    """Its section ``http.tls``."""
    notifications: Mapping[str, object] | None = None
    """Its section of that name, word for word, in the place of ``notify``."""
    _folder: Path = field(init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def authority(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"{'http' if self.tls is None else 'https'}://{self.authority}"

    def __enter__(self) -> Self:
        require_program()
        self._folder = Path(tempfile.mkdtemp(prefix="docker-registry-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the registry, and return once it answers; where another process took the port, on another one."""
        chosen = self.port
        for _ in range(5):
            self.port = chosen or free_port()
            config = self._folder / "config.yml"
            config.write_text(yaml.safe_dump(self._config()), encoding="utf-8")
            with (self._folder / "registry.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [PROGRAM, "serve", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            if self._answers():
                return
            self.stop()
        raise AssertionError(f"{PROGRAM} did not start:\n{self.log()[-2000:]}")

    def stop(self) -> None:
        """End the registry's process: what it had not announced yet is lost, as in life."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self) -> None:
        """End the registry's process without a chance to tidy."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def stored_blob(self, digest: Digest) -> Path:
        """The file that the registry keeps a blob in, for damage that it does not notice."""
        blobs = self._folder / "storage" / "docker" / "registry" / "v2" / "blobs" / "sha256"
        return blobs / digest.hex[:2] / digest.hex / "data"

    def log(self) -> str:
        """What the registry has logged so far."""
        return (self._folder / "registry.log").read_text(encoding="utf-8", errors="replace")

    def _answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_DEADLINE
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with _opener.open(f"http://{self.authority}/v2/", timeout=2) as answer:
                    # Another process might have taken the port meanwhile: then ours ends, and this is not its answer.
                    return answer.status == 200 and self._process.poll() is None
            except urllib.error.HTTPError as error:
                # 401 of one that asks for an account, 400 of one with TLS, which tells so in plain HTTP.
                with error:
                    return error.code in {400, 401} and self._process.poll() is None
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        return False

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "storage")}, "delete": {"enabled": True}},
            # A fixed secret lets an upload go on after a restart.
            "http": {"addr": self.authority, "secret": "of a test"},
        }
        if self.auth is not None:
            config["auth"] = dict(self.auth)
        if self.tls is not None:
            config["http"] = {"addr": self.authority, "secret": "of a test", "tls": dict(self.tls)}
        if self.notifications is not None:
            config["notifications"] = dict(self.notifications)
        elif self.notify is not None:
            config["notifications"] = {"events": {"includereferences": True}, "endpoints": [_endpoint(self.notify)]}
        return config


def require_program() -> None:
    """Skip the test where the registry is not installed; fail in CI, where it must be."""
    if shutil.which(PROGRAM) is None:
        reason = f"{PROGRAM} (Debian package docker-registry) is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def free_port() -> int:
    """A port on loopback that nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _endpoint(notify: Notify) -> dict[str, object]:
    return {
        "name": "addon-sync",
        "url": notify.url,
        "headers": {"Authorization": [f"Bearer {notify.token}"]} if notify.token else {},
        "timeout": notify.timeout,
        "threshold": notify.threshold,
        "backoff": notify.backoff,
        "ignore": {"mediatypes": list(notify.ignored_media_types), "actions": list(notify.ignored_actions)},
    }
