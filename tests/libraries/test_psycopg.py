"""psycopg on trio: what its connection can do, and what a cancellation leaves."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from socket import create_server
from typing import Any

import psycopg
import pytest
import trio
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from phxactor import open_runtime, receive, spawn_monitor
from phxactor.psycopg import Pool, TrioConnection, open_pool
from tests.libraries import servers
from tests.patience import PATIENCE

pytestmark = [pytest.mark.postgres, pytest.mark.socket]


@pytest.fixture
def conninfo(postgres: int) -> str:
    return f"host=127.0.0.1 port={postgres} user=app dbname=app"


@pytest.fixture
async def connection(conninfo: str) -> AsyncIterator[TrioConnection[Any]]:
    connection = await TrioConnection[Any].connect(conninfo)
    yield connection
    await connection.close()


async def one(connection: TrioConnection[Any], query: str, *params: object) -> Any:  # noqa: ANN401
    row = await (await connection.execute(query, params)).fetchone()
    assert row is not None
    return row[0]


async def test_queries_rows_and_transactions(connection: TrioConnection[Any], conninfo: str) -> None:
    await connection.execute("create temporary table t (n int)")
    async with connection.transaction():
        await connection.execute("insert into t values (%s)", [1])
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with connection.transaction():
            await connection.execute("insert into t values (2); select 1 / 0")
    assert await one(connection, "select count(*) from t") == 1
    await connection.commit()
    async with await TrioConnection.connect(conninfo, row_factory=dict_row, autocommit=True) as other:
        assert await (await other.execute("select 1 as a")).fetchone() == {"a": 1}
        assert other.autocommit
        assert other.info.transaction_status == TransactionStatus.IDLE


async def test_copy_pipeline_cursor_and_executemany(connection: TrioConnection[Any]) -> None:
    await connection.execute("create temporary table t (n int)")
    async with connection.cursor() as cursor:
        async with cursor.copy("copy t from stdin") as copy:
            for n in range(50_000):
                await copy.write_row([n])
        async with cursor.copy("copy t to stdout") as copy:
            assert sum([1 async for _ in copy.rows()]) == 50_000
        await cursor.executemany("insert into t values (%s)", [[n] for n in range(100)])
    async with connection.pipeline():
        cursors = [await connection.execute("select %s::int", [n]) for n in range(100)]
    assert [await cursor.fetchone() for cursor in cursors] == [(n,) for n in range(100)]
    async with connection.cursor("named") as named:
        await named.execute("select n from t order by n limit 1000")
        assert len([row async for row in named]) == 1000


async def test_notifies(connection: TrioConnection[Any], conninfo: str) -> None:
    await connection.set_autocommit(True)
    await connection.execute("listen psycopg_on_trio")
    assert [notify async for notify in connection.notifies(timeout=0.05)] == []
    async with await TrioConnection.connect(conninfo, autocommit=True) as other:
        await other.execute("notify psycopg_on_trio, 'hello'")
    with trio.fail_after(PATIENCE):
        assert [notify.payload async for notify in connection.notifies(stop_after=1)] == ["hello"]


async def test_tasks_take_turns(connection: TrioConnection[Any]) -> None:
    answers: list[int] = []

    async def ask(n: int) -> None:
        answers.append(await one(connection, f"select {n}"))

    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(ask, n)
    assert sorted(answers) == list(range(20))


@pytest.mark.parametrize("how", ["timeout", "exit", "kill"])
async def test_a_cancelled_query_ends_on_the_server_and_the_connection_is_good(
    conninfo: str, how: str, connection: TrioConnection[Any]
) -> None:
    await connection.set_autocommit(True)
    me = connection.info.backend_pid

    async def wait() -> None:
        await connection.execute("select pg_sleep(60)")

    async with open_runtime(), await TrioConnection.connect(conninfo, autocommit=True) as other:
        if how == "timeout":
            with trio.move_on_after(0.1) as scope:
                await wait()
            assert scope.cancelled_caught
        else:
            pid, _ = spawn_monitor(wait)
            await trio.sleep(0.1)
            pid.exit("kill" if how == "kill" else "shutdown")
            with trio.fail_after(PATIENCE):
                await receive()
        assert await one(other, "select state from pg_stat_activity where pid = %s", me) == "idle"
        assert await one(connection, "select 1") == 1


async def test_a_connection_that_is_closed_ends_who_waits_for_it(connection: TrioConnection[Any]) -> None:
    async def close_soon() -> None:
        await trio.sleep(0.1)
        connection.close_now()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close_soon)
        with pytest.raises(psycopg.OperationalError, match="closed"):
            await connection.execute("select pg_sleep(60)")


async def test_a_server_that_ends_the_connection_is_told(connection: TrioConnection[Any], conninfo: str) -> None:
    async with await TrioConnection.connect(conninfo, autocommit=True) as other:
        await other.execute(f"select pg_terminate_backend({connection.info.backend_pid})")
    with pytest.raises(psycopg.OperationalError):
        await connection.execute("select 1")


@pytest.mark.parametrize("wrong", ["port=1", "host=nowhere.invalid", "user=nobody", "nonsense"])
async def test_what_is_wrong_with_an_address_is_told(conninfo: str, wrong: str) -> None:
    with pytest.raises(psycopg.Error):
        await TrioConnection.connect(f"{conninfo} {wrong}")
    with pytest.raises(psycopg.Error):
        async with open_pool(f"{conninfo} {wrong}"):
            raise AssertionError


async def test_a_process_that_is_killed_while_it_connects_ends_at_once() -> None:
    """The server takes the connection, and says nothing; a connection that is made later is closed."""
    with create_server(("127.0.0.1", 0)) as silent:
        conninfo = f"host=127.0.0.1 port={silent.getsockname()[1]} user=app dbname=app"
        async with open_runtime():
            pid, _ = spawn_monitor(TrioConnection.connect, conninfo)
            await trio.sleep(0.1)
            began = trio.current_time()
            pid.exit("kill")
            with trio.fail_after(PATIENCE):
                await receive()
            assert trio.current_time() - began < 4
    await servers.threads_ended()


async def test_a_connection_that_comes_too_late_is_closed(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[psycopg.Connection[Any]] = []
    begun, go = threading.Event(), threading.Event()
    connect = psycopg.Connection.connect

    def slowly(*args: Any, **kwargs: Any) -> psycopg.Connection[Any]:  # noqa: ANN401
        begun.set()
        go.wait(PATIENCE)
        made.append(connect(*args, **kwargs))
        return made[0]

    monkeypatch.setattr(psycopg.Connection, "connect", slowly)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(TrioConnection.connect, conninfo)
        await trio.to_thread.run_sync(begun.wait)
        nursery.cancel_scope.cancel()
    go.set()
    await servers.threads_ended()
    assert made[0].closed


async def test_a_pool_commits_or_rolls_back(conninfo: str) -> None:
    async with open_pool(conninfo, size=1) as pool:
        async with pool.connection() as connection:
            await connection.execute("create table pooled (n int)")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with pool.connection() as connection:
                await connection.execute("insert into pooled values (1); select 1 / 0")
        with trio.move_on_after(0.1):
            async with pool.connection() as connection:
                await connection.execute("insert into pooled values (2)")
                await trio.sleep_forever()
        with pytest.raises(psycopg.errors.UndefinedTable):
            async with pool.connection() as connection:
                await connection.execute("insert into nothing values (2)")
        async with pool.connection() as connection:
            assert await one(connection, "select count(*) from pooled") == 0
            await connection.execute("drop table pooled")


async def test_a_pool_has_no_more_connections_than_its_size(conninfo: str) -> None:
    seen: set[int] = set()

    async def use(pool: Pool) -> None:
        async with pool.connection() as connection:
            seen.add(connection.info.backend_pid)
            await connection.execute("select pg_sleep(0.01)")

    async with open_pool(conninfo, size=3) as pool, trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(use, pool)
    assert len(seen) <= 3


async def test_a_closed_pool_lends_nothing(conninfo: str) -> None:
    async with open_pool(conninfo) as pool:
        pass
    with pytest.raises(psycopg.OperationalError, match="closed"):
        async with pool.connection():
            raise AssertionError


async def test_a_wrong_size_is_refused(conninfo: str) -> None:
    with pytest.raises(ValueError, match="size"):
        async with open_pool(conninfo, size=0):
            raise AssertionError
