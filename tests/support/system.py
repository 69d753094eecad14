"""The program as users run it: ``addon-sync serve`` and other commands as processes, ended by their process id."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")
TOKEN = "token-of-the-tests"
DEADLINE = 20.0
"""Seconds that anything may take before a test gives up; machines are shared and slow at times."""
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for(what: str, condition: Callable[[], T | None], *, seconds: float = DEADLINE) -> T:
    """Return what ``condition`` gives once it is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


@dataclass
class Host:
    """A host: its folder, its settings, and the commands run on it."""

    root: Path
    registry: str
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.install_dir.mkdir(parents=True, exist_ok=True)

    @property
    def install_dir(self) -> Path:
        return self.root / "k2s"

    @property
    def addons(self) -> Path:
        return self.install_dir / "addons"

    @property
    def state(self) -> Path:
        return self.install_dir / ".addon-sync"

    def environment(self) -> dict[str, str]:
        # Of a machine's environment: what would be a setting, and what makes Python compile at every start.
        foreign = {"REGISTRY_URL", "K2S_INSTALL_DIR", "INSECURE", "PYTHONDONTWRITEBYTECODE"}
        clean = {
            key: text for key, text in os.environ.items() if not key.startswith("ADDON_SYNC_") and key not in foreign
        }
        return {
            **clean,
            "REGISTRY_URL": self.registry.replace("http://", "oci://"),
            "K2S_INSTALL_DIR": self.spelled(self.install_dir),
            "INSECURE": "true",
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            **self.settings,
        }

    def spelled(self, path: Path) -> str:
        """``path`` as the program knows it."""
        return str(path)

    def command(self, *arguments: str, module: str = "receiver") -> list[str]:
        """What starts the program."""
        return [sys.executable, "-m", module, *arguments]

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Run one command that must succeed with ``--output json``, and read its output."""
        done = self.run(*arguments, "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def digest(self, leaf: str) -> str | None:
        path = self.addons / ".addon-sync-digests" / leaf
        return path.read_text() if path.exists() else None

    def serve(self, port: int = 0, **settings: str) -> "Serving":
        """``addon-sync serve``, not yet started."""
        return Serving(self, port, settings)


class Serving:
    """A running ``addon-sync serve``; its log lines in ``lines``."""

    def __init__(self, host: Host, port: int, settings: Mapping[str, str]) -> None:
        self.host = host
        self.lines: list[str] = []
        self.url = ""
        self.arguments: tuple[str, ...] = ()
        self.module = "receiver"
        self._port = port
        self._settings = {"ADDON_SYNC_TOKEN": TOKEN, "ADDON_SYNC_POLL_INTERVAL": "0", **settings}
        self._process: subprocess.Popen[str] | None = None
        self._fresh: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def notifications(self) -> str:
        return f"{self.url}/v1/notifications"

    def start(self) -> None:
        """Start the process and wait until it listens."""
        self.launch()
        self.wait_until_listening()

    def wait_until_listening(self) -> None:
        """Return once the endpoint is there, at ``url``."""
        try:
            self.url = wait_for("serve listens", self._listening)
        except AssertionError as error:
            error.add_note(f"so far it has said {self.lines}")
            raise

    def launch(self) -> None:
        """Start the process."""
        environment = {
            **self.host.environment(),
            "ADDON_SYNC_LISTEN": f"127.0.0.1:{self._port}",
            **self._settings,
        }
        self._process = subprocess.Popen(
            self.host.command("serve", *self.arguments, module=self.module),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def wait_for_line(self, pattern: str, *, seconds: float = DEADLINE) -> str:
        """Wait for a log line that ``pattern`` is found in."""
        return wait_for(f"a line with {pattern!r} in {self.lines}", lambda: self._find(pattern), seconds=seconds)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=15)
        self._reader.join(5)
        self._close()
        return code

    def kill(self) -> None:
        """SIGKILL: as the power cut that leaves the disk in order."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        self._close()

    def post(
        self, body: bytes, *, token: str | None = TOKEN, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Deliver a notification; status and JSON answer."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return _ask(urllib.request.Request(self.notifications, data=body, headers=headers))

    def get(self, path: str) -> tuple[int, Any]:
        """Ask for ``path``; status and JSON answer."""
        return _ask(urllib.request.Request(self.url + path))

    def text(self, path: str) -> str:
        """Ask for ``path``, whose answer is plain text."""
        with _opener.open(self.url + path, timeout=30) as answer:
            body: bytes = answer.read()
        return body.decode()

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def _find(self, pattern: str) -> str | None:
        return next((line for line in list(self.lines) if re.search(pattern, line)), None)

    def _listening(self) -> str | None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"serve ended with {self._process.returncode}: {self.lines}")
        line = self._find(r"listening on http")
        return re.search(r"http\S+", line)[0] if line else None  # type: ignore[index]  # the line was found by it


def _ask(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with _opener.open(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")
