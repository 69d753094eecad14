"""A real registry that announces pushes, and a host with a running receiver."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.docker_registry import DockerRegistry, Notify, free_port
from tests.support.system import TOKEN, Host, Serving


@dataclass
class Site:
    """A registry with the port that it sends notifications to, and a host."""

    registry: DockerRegistry
    host: Host
    port: int

    def serve(self, **settings: str) -> Serving:
        """The receiver, where the registry expects it."""
        return self.host.serve(port=self.port, **settings)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    notify = Notify(url=f"http://127.0.0.1:{port}/v1/notifications", token=TOKEN)
    with DockerRegistry(notify=notify) as registry:
        yield Site(registry=registry, host=Host(tmp_path / "host", registry.url), port=port)


@pytest.fixture
def quiet_site(tmp_path: Path) -> Iterator[Site]:
    """The same with a registry that announces nothing."""
    with DockerRegistry() as registry:
        yield Site(registry=registry, host=Host(tmp_path / "host", registry.url), port=0)
