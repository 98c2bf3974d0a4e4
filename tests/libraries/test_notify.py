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

pytestmark = [pytest.mark.postgres, pytest.mark.socket]


@pytest.mark.parametrize("listener", ["LISTENER", "ASYNC_LISTENER"])
async def test_clients_are_told(listener: str, tmp_path: Path, postgres: int) -> None:
    page: dict[str, Any] = names_of_the_page(folder=tmp_path, postgres=postgres)
    endpoint = page["endpoint"]
    assert isinstance(endpoint, Endpoint)
    async with open_runtime():
        with psycopg.connect(f"host=127.0.0.1 port={postgres} user=app dbname=app", autocommit=True) as other:
            (await endpoint.start_link(server=False)).unwrap()
            children = [page["LOOP"], page[listener]] if listener == "ASYNC_LISTENER" else [page[listener]]
            (await Supervisor.start_link(children, strategy="rest_for_one")).unwrap()
            endpoint.subscribe("room:1")
            endpoint.subscribe("room:2")
            await told(other, "room:1")
            other.execute("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
            await told(other, "room:2")
    await servers.threads_ended()


async def told(other: psycopg.Connection[Any], topic: str) -> None:
    """Another program changes something, until the subscriber hears of it: what nobody listens to is lost."""
    with trio.fail_after(PATIENCE):
        while True:
            other.execute(f"notify changes, '{topic}'")
            try:
                broadcast = await receive(lambda message: getattr(message, "topic", None) == topic, timeout=0.3)
            except TimeoutError:
                continue
            assert broadcast.event == "changed"
            return
