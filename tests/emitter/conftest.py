"""A Redis server for the tests of a process, and one who listens to it as a node would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emitter.listener import Listener
from tests.libraries import servers


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here."""
    if item.get_closest_marker("redis") is not None and servers.REDIS is None:
        pytest.skip("there is no redis-server: as root on Debian `make test` installs it")


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """The port of a Redis server."""
    with servers.redis_server() as port:
        yield port


@pytest.fixture
def listener(redis_port: int) -> Iterator[Listener]:
    """One who hears the clusters of that server."""
    with Listener(redis_port) as listener:
        yield listener
