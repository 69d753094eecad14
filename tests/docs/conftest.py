"""A real registry for what the documentation promises."""

from collections.abc import Iterator

import pytest

from tests.support.docker_registry import DockerRegistry


@pytest.fixture
def site_url() -> Iterator[str]:
    """Of a registry that announces nothing."""
    with DockerRegistry() as registry:
        yield registry.url
