"""The servers, one of each for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.libraries import servers

SCHEMA = """
create table users (id integer generated always as identity primary key, name text not null);
insert into users (name) values ('Ann');
"""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here."""
    if item.get_closest_marker("postgres") is not None and servers.POSTGRES is None:
        pytest.skip("there is no PostgreSQL: as root on Debian `make test` installs it")
    if item.get_closest_marker("redis") is not None and servers.REDIS is None:
        pytest.skip("there is no redis-server: as root on Debian `make test` installs it")


@pytest.fixture(scope="session")
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL server that has the table `users`."""
    with servers.postgres() as port:
        with psycopg.connect(host="127.0.0.1", port=port, user="app", dbname="app", autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield port


@pytest.fixture(scope="session")
def redis_server() -> Iterator[int]:
    """The port of a Redis server."""
    with servers.redis_server() as port:
        yield port
