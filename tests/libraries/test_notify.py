"""NOTIFY of PostgreSQL becomes a broadcast, by both ways that docs/libraries.md shows, also after a lost connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from phxactor import Endpoint, Supervisor, open_runtime, receive
from tests.libraries import servers
from tests.libraries.page import names_of_the_page
from tests.patience import PATIENCE
from tests.sockets.serving import eventually

LISTENERS = "select count(*) from pg_stat_activity where query ilike 'listen%' and state = 'idle'"
pytestmark = [pytest.mark.postgres, pytest.mark.socket]


@pytest.mark.parametrize("listener", ["LISTENER", "ASYNC_LISTENER"])
async def test_clients_are_told(listener: str, tmp_path: Path, postgres: int) -> None:
    page: dict[str, Any] = names_of_the_page(folder=tmp_path, postgres=postgres)
    endpoint = page["endpoint"]
    assert isinstance(endpoint, Endpoint)
    async with open_runtime():
        with psycopg.connect(f"host=127.0.0.1 port={postgres} user=app dbname=app", autocommit=True) as other:

            def listening() -> bool:
                row = other.execute(LISTENERS).fetchone()
                return row is not None and row[0] == 1

            (await endpoint.start_link(server=False)).unwrap()
            children = [page["LOOP"], page[listener]] if listener == "ASYNC_LISTENER" else [page[listener]]
            (await Supervisor.start_link(children, strategy="rest_for_one")).unwrap()
            endpoint.subscribe("room:1")
            await eventually(listening)
            await told(other)
            other.execute("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
            await eventually(lambda: not listening())
            await eventually(listening)
            await told(other)
    await servers.threads_ended()


async def told(other: psycopg.Connection[Any]) -> None:
    """Another program changes something; the subscriber hears of it."""
    other.execute("notify changes, 'room:1'")
    with trio.fail_after(PATIENCE):
        broadcast = await receive()
    assert (broadcast.topic, broadcast.event) == ("room:1", "changed")
