"""Threads within a schedule and in virtual time: they run in turn with the loop, so nothing depends on chance."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import GenServer, Reply, Supervisor, call, from_thread, receive, self_pid, spawn
from phxactor.runtime import Exit, Runtime, WrongThreadError, open_runtime
from phxactor.testing import settle, threads
from phxactor.testing.machine import ProcessMachine, rule
from phxactor.testing.schedule import Schedule
from phxactor.testing.threads import in_turn

A_WHILE: Final = 0.001
"""Real seconds: as long as a query to a database takes."""


class Audit(GenServer):
    """Keeps what it is told."""

    async def init(self) -> None:
        self.told: list[object] = []

    async def handle_cast(self, request: object) -> None:
        self.told.append(request)

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply(len(self.told))


class Store(GenServer):
    """Writes its rows in threads, as a store of a database does under trio."""

    async def init(self) -> None:
        self.rows: list[int] = []

    async def handle_call(self, request: Any, from_: object) -> Reply:  # noqa: ANN401
        match request:
            case ("add", int(row)):
                return Reply(await trio.to_thread.run_sync(self.add, row))
            case _:
                return Reply(self.rows)

    def add(self, row: int) -> tuple[int, int]:
        """Run in a thread: take a while, and call another process."""
        time.sleep(A_WHILE)
        from_thread.cast("audit", row)
        self.rows.append(row)
        return len(self.rows), from_thread.call("audit", "told", 0.5)


async def start() -> None:
    children = [Audit.child_spec(name="audit"), Store.child_spec(name="store")]
    (await Supervisor.start_link(children, strategy="one_for_all")).unwrap()


class Shop(ProcessMachine):
    """The store as it is deployed, with its threads."""

    async def start(self) -> None:
        await start()
        self.expected = 0

    @rule(row=st.integers())
    async def add(self, row: int) -> None:
        self.expected += 1
        assert await call("store", ("add", row), 0.5) == (self.expected, self.expected)

    @rule(rows=st.lists(st.integers(), max_size=3))
    async def add_many(self, rows: list[int]) -> None:
        async def add(row: int) -> None:
            await call("store", ("add", row))

        for row in rows:
            spawn(add, row)
        self.expected += len(rows)
        await settle()
        assert len(await call("store", "rows")) == self.expected


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=20, stateful_step_count=8, deadline=None)


@pytest.mark.parametrize("seed", range(5))
def test_a_schedule_comes_again_with_its_threads(seed: int) -> None:
    async def play() -> list[object]:
        await start()
        answers: list[object] = []

        async def add(row: int) -> None:
            answers.append((row, await call("store", ("add", row))))

        for row in range(4):
            spawn(add, row)
            spawn(trio.to_thread.run_sync, from_thread.cast, "audit", row)
        await settle()
        return answers

    first = Schedule(seed)
    answers = first.run(play)
    for _ in range(3):
        again = Schedule(seed)
        assert again.run(play) == answers
        assert str(again.trace) == str(first.trace)


# ---------------------------------------------------------------------------------------------------- virtual time


async def test_a_thread_takes_no_virtual_time(phx_runtime: Runtime, virtual_time: MockClock) -> None:
    await start()
    for number in range(1, 6):
        assert await call("store", ("add", 1), 0.0005) == (number, number)
    with trio.fail_after(0.0005):
        await trio.to_thread.run_sync(time.sleep, A_WHILE)
    assert trio.current_time() == 0


async def test_without_turns_the_clock_jumps(phx_runtime: Runtime, autojump_clock: MockClock) -> None:
    with trio.move_on_after(3600) as scope:
        await trio.to_thread.run_sync(time.sleep, 0.1)
    assert scope.cancel_called


async def test_what_a_thread_awaits_takes_virtual_time(phx_runtime: Runtime, virtual_time: MockClock) -> None:
    def work() -> None:
        from_thread.run(trio.sleep, 3600)

    await trio.to_thread.run_sync(work)
    assert trio.current_time() == 3600


async def test_threads_of_several_processes_take_turns(phx_runtime: Runtime, virtual_time: MockClock) -> None:
    me, running = self_pid(), list[int]()

    def work(number: int) -> None:
        for _ in range(3):
            running.append(number)
            time.sleep(A_WHILE)
            assert running[-1] == number
            from_thread.send(me, number)

    for number in range(3):
        spawn(trio.to_thread.run_sync, work, number)
    assert sorted([await receive() for _ in range(9)]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


async def test_it_is_a_thread_all_the_same(phx_runtime: Runtime, virtual_time: MockClock) -> None:
    database = sqlite3.connect(":memory:")
    me = self_pid()
    with pytest.raises(sqlite3.ProgrammingError, match="can only be used in that same thread"):
        await trio.to_thread.run_sync(database.execute, "select 1")
    with pytest.raises(WrongThreadError):
        await trio.to_thread.run_sync(me.send, 1)
    database.close()


@pytest.mark.parametrize("abandon", [True, False])
async def test_what_a_thread_raises_and_returns(abandon: bool, phx_runtime: Runtime, virtual_time: MockClock) -> None:
    def work() -> str:
        with pytest.raises(Exit):
            from_thread.call("nobody", 1)
        with pytest.raises(ZeroDivisionError):
            from_thread.run_sync(lambda: 1 // 0)
        return "done"

    assert await trio.to_thread.run_sync(work, abandon_on_cancel=abandon) == "done"
    with pytest.raises(ZeroDivisionError):
        await trio.to_thread.run_sync(lambda: 1 // 0, abandon_on_cancel=abandon)


async def test_a_cancelled_call_ends_its_thread(phx_runtime: Runtime, virtual_time: MockClock) -> None:
    with trio.move_on_after(5) as scope:
        await trio.to_thread.run_sync(from_thread.run, trio.sleep_forever)
    assert scope.cancelled_caught
    assert trio.current_time() == 5


# -------------------------------------------------------------------------------------------------------- mistakes


def test_a_thread_that_waits_for_another_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PATIENCE", 0.05)
    over = threading.Event()

    def waits_in_vain() -> None:
        over.wait()

    async def main() -> None:
        async with open_runtime(), trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, waits_in_vain)
            await wait_all_tasks_blocked()
            await trio.to_thread.run_sync(over.set)

    with pytest.raises(AssertionError, match=r"has waited for something else than phxactor\.from_thread") as raised:
        _play(main)
    assert "waits_in_vain from" in str(raised.value)
    assert "over.wait()" in str(raised.value)


def _play(main: Callable[[], Awaitable[object]]) -> None:
    with in_turn():
        trio.run(main)


def test_a_block_within_a_block_changes_nothing() -> None:
    async def main() -> str:
        return await trio.to_thread.run_sync(trio.from_thread.run_sync, str, 5)

    with in_turn():
        with in_turn():
            assert trio.run(main) == "5"
        assert trio.run(main) == "5"
    assert trio.run(main) == "5"
