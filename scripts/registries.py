"""A registry for the quickstart: the distribution's, Docker's, the operator's own, or the small one of the tests."""

import http.client
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from receiver.oci.reference import RegistryAddress
from scripts.children import Child

_START = 20.0
_PULL = 180.0
"""Seconds: Docker may have to fetch the image first."""
_IMAGE = "registry:2"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a registry is to send its notifications."""

    url: str
    token: str


@dataclass(frozen=True, kw_only=True)
class Running:
    """A registry that answers."""

    title: str
    address: RegistryAddress
    notifies: bool = True
    leaves: str = ""
    """What stays on this machine when it has ended."""
    child: Child | None = None


Kind = Callable[[int, Endpoint, Path], AbstractContextManager[Running]]


def notifications(endpoint: Endpoint) -> dict[str, object]:
    """The part of a Distribution configuration that makes it notify us."""
    return {
        "events": {"includereferences": True},
        "endpoints": [
            {
                "name": "addon-sync",
                "url": endpoint.url,
                "headers": {"Authorization": [f"Bearer {endpoint.token}"]},
                # A duration without a unit would be nanoseconds; ignored actions work together with media types only.
                "timeout": "2s",
                "threshold": 5,
                "backoff": "1s",
                "ignore": {"mediatypes": ["application/octet-stream"], "actions": ["pull", "mount"]},
            }
        ],
    }


def snippet(endpoint: Endpoint) -> str:
    """The same as text, to paste into a ``config.yml``."""
    return yaml.safe_dump({"notifications": notifications(endpoint)}, sort_keys=False)


def available() -> list[tuple[str, Kind]]:
    """What can be tried on this machine, the best first, by name."""
    kinds: list[tuple[str, Kind]] = []
    if shutil.which("docker-registry"):
        kinds.append(("the distribution's docker-registry", packaged))
    if _docker_answers():
        kinds.append((f"Docker's image {_IMAGE}", docker))
    kinds.append(("the small registry of the tests", small))
    return kinds


@contextmanager
def packaged(port: int, endpoint: Endpoint, folder: Path) -> Iterator[Running]:
    """Run ``docker-registry`` on loopback, with its storage below ``folder``.

    Raises:
        Failed: it does not come up; it has ended.
    """
    config = _configure(port, endpoint, folder, storage=folder / "storage")
    version = subprocess.run(["docker-registry", "--version"], capture_output=True, text=True, check=False, timeout=20)
    title = " ".join(["docker-registry", *version.stdout.split()[-1:]])
    command = ["docker-registry", "serve", str(config)]
    with _started(title, command, port, folder, dict(os.environ), seconds=_START) as running:
        yield running


@contextmanager
def docker(port: int, endpoint: Endpoint, folder: Path) -> Iterator[Running]:
    """Run Docker's image; it shares our network, so that it reaches the receiver on loopback.

    Raises:
        Failed: it does not come up; its container is gone.
    """
    config = _configure(port, endpoint, folder, storage=Path("/var/lib/registry"))
    name = f"addon-sync-quickstart-{port}"
    mount = f"{config}:/etc/addon-sync-quickstart.yml:ro"
    command = ["docker", "run", "--rm", "--name", name, "--network", "host", "--volume", mount]
    command += [_IMAGE, "serve", "/etc/addon-sync-quickstart.yml"]
    try:
        with _started(f"Docker's {_IMAGE}", command, port, folder, dict(os.environ), seconds=_PULL) as running:
            yield replace(running, leaves=f"in Docker: the image {_IMAGE}")
    finally:
        # Where the client had to be killed, its container goes on without it.
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False, timeout=30)


@contextmanager
def small(port: int, endpoint: Endpoint, folder: Path) -> Iterator[Running]:
    """Run the registry that the tests use: it holds everything in memory and notifies as Distribution does.

    Raises:
        Failed: it does not come up; it has ended.
    """
    command = [sys.executable, "-m", "tests.support.fake_registry", "--port", str(port)]
    command += ["--notify", endpoint.url, f"--token={endpoint.token}"]
    title = "the small registry of the tests"
    with _started(title, command, port, folder, dict(os.environ), seconds=_START) as running:
        yield running


def answers(address: RegistryAddress) -> bool:
    """Whether something at ``address`` answers as a registry does; also where it asks for a password."""
    connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = connect(address.host, address.port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in {200, 401}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _started(
    title: str, command: list[str], port: int, folder: Path, environment: dict[str, str], *, seconds: float
) -> Iterator[Running]:
    address = RegistryAddress.parse(f"http://127.0.0.1:{port}", insecure=True)
    child = Child(title, command, log=folder / "registry.log", environment=environment, folder=ROOT)
    try:
        child.start()
        child.until(lambda: answers(address), seconds=seconds, what=f"an answer of {title}")
        yield Running(title=title, address=address, child=child)
    finally:
        child.stop()


def _configure(port: int, endpoint: Endpoint, folder: Path, *, storage: Path) -> Path:
    document = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(16)},
        "notifications": notifications(endpoint),
    }
    config = folder / "registry.yml"
    config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return config


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    question = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(question, capture_output=True, check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False
