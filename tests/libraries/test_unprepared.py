"""A process that uses a library for asyncio as asyncio programs do crashes, and the log names docs/libraries.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import aiosqlite
import asyncpg
import psycopg
import pytest
import trio
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from phxactor import Crash, Down, open_runtime, receive, spawn_monitor
from phxactor.asyncio import asyncio_call, open_asyncio_loop

pytestmark = pytest.mark.filterwarnings(
    # What the library had begun is never awaited.
    "ignore:.*was never awaited:RuntimeWarning",
    "ignore:Exception ignored in. .*:pytest.PytestUnraisableExceptionWarning",
)


async def by_asyncpg(port: int) -> None:
    await asyncpg.connect(f"postgresql://app@127.0.0.1:{port}/app")


async def by_pool_of_asyncpg(port: int) -> None:
    async with asyncpg.create_pool(f"postgresql://app@127.0.0.1:{port}/app"):
        pass


async def by_sqlalchemy(port: int) -> None:
    async with create_async_engine(f"postgresql+asyncpg://app@127.0.0.1:{port}/app").connect():
        pass


async def by_psycopg(port: int) -> None:
    await psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={port} user=app dbname=app")


async def by_pool_of_psycopg(port: int) -> None:
    async with AsyncConnectionPool(f"host=127.0.0.1 port={port} user=app dbname=app", open=False):
        pass


async def by_redis(port: int) -> None:
    await Redis(port=port).ping()


@pytest.mark.postgres
@pytest.mark.socket
@pytest.mark.parametrize(
    "function", [by_asyncpg, by_pool_of_asyncpg, by_sqlalchemy, by_psycopg, by_pool_of_psycopg, by_redis]
)
async def test_the_log_names_the_page(
    function: Callable[[int], Awaitable[None]], postgres: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_runtime():
        spawn_monitor(function, postgres)
        down = await receive()
    assert isinstance(down, Down)
    assert isinstance(down.reason, Crash)
    assert "docs/libraries.md" in caplog.text


async def by_aiosqlite(path: Path) -> int:
    async with aiosqlite.connect(path) as connection, connection.execute("select 1") as cursor:
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def by_sqlalchemy_and_aiosqlite(path: Path) -> int:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(text("select 1"))).scalar_one())
    finally:
        await engine.dispose()


@pytest.mark.allow_leaks("the thread of aiosqlite, whose caller has crashed")
@pytest.mark.parametrize("function", [by_aiosqlite, by_sqlalchemy_and_aiosqlite])
async def test_aiosqlite(
    function: Callable[[Path], Awaitable[int]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself it crashes, with the note; by `asyncio_call` it works."""
    async with open_runtime(), open_asyncio_loop():
        spawn_monitor(function, tmp_path / "by.sqlite3")
        down = await receive()
        assert isinstance(down, Down)
        assert isinstance(down.reason, Crash)
        assert "docs/libraries.md" in caplog.text
        with trio.fail_after(30):
            assert await asyncio_call(function, tmp_path / "by.sqlite3") == 1
