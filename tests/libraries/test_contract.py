"""What holds for every library of docs/libraries.md, by the resources of that page and real servers.

Many processes share it; a process that ends within a query leaves it whole; it is there again after its own end, and
after that of its loop; and the program stops while a query runs.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg
import pytest
import trio
from redis import Redis
from sqlalchemy import text

from phxactor import Crash, Down, Resource, Supervisor, Task, monitor, open_runtime, receive, spawn_monitor, whereis
from phxactor.asyncio import asyncio_call
from phxactor.runtime import Monitor, Pid
from tests.libraries import servers
from tests.libraries.page import names_of_the_page
from tests.patience import PATIENCE

pytestmark = pytest.mark.filterwarnings(
    # Drivers warn of connections that were cut, or were in use when their pool was closed.
    "ignore:Exception ignored in. .*:pytest.PytestUnraisableExceptionWarning",
)

PROCESSES: Final = 40
LONG: Final = 30
"""Seconds of a query that can be cancelled."""
SHORT: Final = 1.5
"""Seconds of a query in a thread, which goes on to its end."""
COUNT: Final = "with recursive c(n) as (select 1 union all select n + 1 from c where n < 3e6) select count(*) from c"


@attrs.frozen
class Library:
    """A library of the page, and two queries: one that answers 1, and one that takes long."""

    resources: tuple[str, ...]
    quick: Callable[[Any], Awaitable[object]]
    slow: Callable[[Any], Awaitable[object]]
    survives: bool = False
    """Whether a query goes on when the resource ends."""


def in_threads(quick: Callable[[Any], object], slow: Callable[[Any], object]) -> dict[str, Any]:
    return {"quick": lambda value: value.run(quick), "slow": lambda value: value.run(slow)}


def in_asyncio(quick: Callable[[Any], Awaitable[object]], slow: Callable[[Any], Awaitable[object]]) -> dict[str, Any]:
    return {"quick": partial(asyncio_call, quick), "slow": partial(asyncio_call, slow)}


def execute(query: str) -> Callable[[Any], object]:
    return lambda connection: connection.execute(query).fetchone()[0]


def by_orm(query: str) -> Callable[[Any], object]:
    return lambda session: session.execute(text(query)).scalar_one()


def by_engine(query: str) -> Callable[[Any], Awaitable[object]]:
    async def run(engine: Any) -> object:  # noqa: ANN401
        async with engine.connect() as connection:
            return (await connection.execute(text(query))).scalar_one()

    return run


def by_trio(query: str) -> Callable[[Any], Awaitable[object]]:
    async def run(pool: Any) -> object:  # noqa: ANN401
        async with pool.connection() as connection:
            return (await (await connection.execute(query)).fetchone())[0]

    return run


LIBRARIES: Final = {
    "sqlite": Library(("NOTES",), **in_threads(execute("select 1"), execute(COUNT))),
    "psycopg": Library(
        ("DATABASE",), **in_threads(execute("select 1"), execute(f"select pg_sleep({SHORT})")), survives=True
    ),
    "sqlalchemy": Library(
        ("ORM",), **in_threads(by_orm("select 1"), by_orm(f"select pg_sleep({SHORT})")), survives=True
    ),
    "redis-py": Library(("COUNTERS",), **in_threads(Redis.ping, lambda redis: redis.blpop(["nothing"], SHORT))),
    "coredis": Library(
        ("CACHE",), quick=lambda cache: cache.ping(), slow=lambda cache: cache.blpop(["nothing"], timeout=LONG)
    ),
    "psycopg-trio": Library(("TRIO_POOL",), quick=by_trio("select 1"), slow=by_trio(f"select pg_sleep({LONG})")),
    "asyncpg": Library(
        ("LOOP", "POOL"),
        **in_asyncio(lambda pool: pool.fetchval("select 1"), lambda pool: pool.fetchval(f"select pg_sleep({LONG})")),
    ),
    "sqlalchemy-asyncio": Library(
        ("LOOP", "ENGINE"),
        **in_asyncio(by_engine("select 1"), by_engine(f"select pg_sleep({SHORT})")),
        survives=True,
    ),
    "redis.asyncio": Library(
        ("LOOP", "REDIS"), **in_asyncio(lambda redis: redis.ping(), lambda redis: redis.blpop(["nothing"], LONG))
    ),
}
MARKS: Final = {"sqlite": (), "redis-py": ("redis",), "coredis": ("redis",), "redis.asyncio": ("redis",)}
"""The servers of each library; for those that are not named, PostgreSQL."""


def every(names: Iterable[str] = LIBRARIES) -> pytest.MarkDecorator:
    """Run a test with libraries."""
    marks = {name: [getattr(pytest.mark, mark) for mark in MARKS.get(name, ("postgres",))] for name in names}
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=[pytest.mark.socket, *marks[name]]) for name in names]
    )


@attrs.define
class Running:
    """A library whose resources run below a supervisor."""

    library: Library
    resources: list[Resource[Any]]

    async def quick(self) -> object:
        return await self.library.quick(self.resources[-1].value)

    async def slow(self) -> object:
        return await self.library.slow(self.resources[-1].value)

    async def many(self) -> None:
        """Ask in many processes at once."""
        with trio.fail_after(PATIENCE):
            answers = await Task.await_many([Task.async_(self.quick) for _ in range(PROCESSES)], None)
        assert set(answers) <= {1, "PONG"}

    async def again(self) -> None:
        """Ask until there is an answer."""
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    await self.quick()
                except Exception:  # noqa: BLE001 - each library has its own
                    await trio.sleep(0.02)
                else:
                    return

    async def in_a_query(self) -> tuple[Pid, Monitor]:
        """Start a process that is within a long query."""
        pid, watch = spawn_monitor(self.slow)
        await trio.sleep(0.15)
        assert pid.alive
        return pid, watch


@asynccontextmanager
async def running(name: str, request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Running]:
    """Run a library, and stop it in order."""
    library = LIBRARIES[name]
    ports = {
        server: request.getfixturevalue(fixture)
        for server, fixture in (("postgres", "postgres"), ("redis", "redis_server"))
        if request.node.get_closest_marker(server) is not None
    }
    page = names_of_the_page(folder=folder, **ports)
    resources = [page[resource] for resource in library.resources]
    async with open_runtime():
        (await Supervisor.start_link(resources, strategy="rest_for_one", max_restarts=3)).unwrap()
        yield Running(library, resources)
    await servers.threads_ended()
    gc.collect()  # here, where the warnings of connections that were cut belong


async def end_by(watch: Monitor) -> Down:
    with trio.fail_after(PATIENCE):
        down = await receive(lambda message: getattr(message, "ref", None) is watch)
    assert isinstance(down, Down)
    return down


@every()
async def test_many_processes_share_it(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async with running(name, request, tmp_path) as library:
        await library.many()


@every()
@pytest.mark.parametrize("how", ["kill", "timeout"])
async def test_a_caller_that_ends_in_a_query_leaves_it_whole(
    name: str, how: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """So many of them that each connection of the pool is used by one."""
    async with running(name, request, tmp_path) as library:
        await library.many()
        if how == "timeout":
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(cut_short, library)
        else:
            callers = [spawn_monitor(library.slow) for _ in range(10)]
            await trio.sleep(0.15)
            began = trio.current_time()
            for pid, _ in callers:
                pid.exit("kill")
            for _, watch in callers:
                assert (await end_by(watch)).reason == "killed"
            assert trio.current_time() - began < 4  # none of them is a zombie, and none waits for its query
        await library.many()


async def cut_short(library: Running) -> None:
    with trio.move_on_after(0.15) as scope:
        await library.slow()
    assert scope.cancelled_caught


@every()
@pytest.mark.parametrize("how", ["crash", "kill"])
async def test_it_is_there_again_after_its_end(
    name: str, how: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with running(name, request, tmp_path) as library:
        await library.many()
        _, watch = await library.in_a_query()
        await end(library.resources[-1], how)
        if not library.library.survives:
            assert isinstance((await end_by(watch)).reason, Crash)
        await library.again()
        await library.many()


@every([name for name, library in LIBRARIES.items() if "LOOP" in library.resources])
@pytest.mark.parametrize("how", ["crash", "shutdown", "kill"])
async def test_it_is_there_again_after_the_end_of_its_loop(
    name: str, how: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with running(name, request, tmp_path) as library:
        await library.many()
        _, watch = await library.in_a_query()
        pool = whereis(str(library.resources[-1].name))
        assert isinstance(pool, Pid)
        seen = monitor(pool)
        began = trio.current_time()
        await end(library.resources[0], how)
        assert isinstance((await end_by(watch)).reason, Crash)
        assert (await end_by(seen)).reason == "shutdown"  # it does not crash too: the supervisor restarts both
        await library.again()
        assert trio.current_time() - began < 4
        await library.many()


async def end(resource: Resource[Any], how: str) -> None:
    """End a resource, and wait until it has ended."""
    pid = whereis(str(resource.name))
    assert isinstance(pid, Pid)
    watch = monitor(pid)
    pid.exit({"crash": "boom"}.get(how, how))
    await end_by(watch)


@every()
async def test_the_program_stops_while_a_query_runs(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async with running(name, request, tmp_path) as library:
        await library.in_a_query()
        began = trio.current_time()
    assert trio.current_time() - began < 8


@every([name for name, library in LIBRARIES.items() if {"DATABASE", "ORM", "POOL", "ENGINE"} & set(library.resources)])
async def test_it_finds_the_database_again(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The database ends all connections, as a restart of it does."""
    async with running(name, request, tmp_path) as library:
        await library.many()
        port = request.getfixturevalue("postgres")
        with psycopg.connect(host="127.0.0.1", port=port, user="app", dbname="app", autocommit=True) as connection:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
        await library.again()
        await library.many()


def test_the_contract_is_for_all_resources_of_the_page() -> None:
    named = {name for name, value in names_of_the_page(folder=Path()).items() if isinstance(value, Resource)}
    assert named == {name for library in LIBRARIES.values() for name in library.resources} | {"HTTP"}
