"""A supervisor that is told to end while a child of it starts, or starts again, does not wait for that child."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import ChildSpec, Error, GenServer, Ok, Resource, Strategy, Supervisor, child_spec
from phxactor.runtime import KILL, SHUTDOWN, Exited, Pid, Runtime, receive, self_pid, spawn, trap_exit, whereis
from phxactor.testing import settle

LOG: list[str] = []


@pytest.fixture(autouse=True)
def log() -> list[str]:
    LOG.clear()
    return LOG


class Store(GenServer):
    """A child that ends in order."""

    async def init(self, name: str) -> None:
        self.name = name
        trap_exit()
        LOG.append(f"{name} starts")

    async def terminate(self, reason: object) -> None:
        LOG.append(f"{self.name} ends: {reason}")


class Slow(GenServer):
    """A child that takes long to start, and may not want to be told to end."""

    async def init(self, *, traps: bool = False) -> None:
        if traps:
            trap_exit()
        try:
            await trio.sleep_forever()
        finally:
            LOG.append("slow is over")


async def never() -> Ok[Pid] | Error:
    """Start nothing, for ever."""
    try:
        await trio.sleep_forever()
    finally:
        LOG.append("slow is over")
    raise AssertionError


def store(name: str) -> ChildSpec:
    return child_spec((Store, name), id=name)


SLOW = {
    "a server": Slow.child_spec(),
    "a start function without a process": ChildSpec(id="slow", start=(never, (), {})),
    "a tree": Supervisor.child_spec([store("c"), Slow.child_spec()], strategy="one_for_one"),
    "a tree in a tree": Supervisor.child_spec(
        [Supervisor.child_spec([store("c"), Slow.child_spec()], strategy="one_for_one")], strategy="one_for_one"
    ),
}


async def starts(*children: ChildSpec) -> None:
    """Start a supervisor, as its parent, which tells it to end when it gets the message "end"."""
    trap_exit()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_it)
        LOG.append(repr(await Supervisor.start_link(children, strategy="one_for_one", name="tree")))


async def _end_it() -> None:
    await receive(lambda message: message == "end")
    tree().exit(SHUTDOWN)


def tree() -> Pid:
    pid = whereis("tree")
    assert pid is not None
    return pid


@pytest.mark.parametrize("name", SLOW)
async def test_a_start_ends_with_the_parent(name: str, autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    parent = spawn(starts, store("a"), store("b"), SLOW[name])
    await settle()
    parent.send("end")
    with trio.fail_after(60):
        await phx_runtime.ended(tree())
    assert trio.current_time() == 0
    await settle()
    inner = name.startswith("a tree")
    assert LOG[: 2 + inner] == ["a starts", "b starts", "c starts"][: 2 + inner]
    assert LOG[2 + inner : -1] == [
        "slow is over",
        *(["c ends: shutdown"] * inner),
        "b ends: shutdown",
        "a ends: shutdown",
    ]
    assert LOG[-1].startswith("Error(reason={:shutdown, {:failed_to_start_child, ")


async def test_what_does_not_want_to_end_is_killed(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    parent = spawn(starts, store("a"), child_spec(Slow.child_spec(traps=True), shutdown=7))
    await settle()
    parent.send("end")
    await phx_runtime.ended(tree())
    assert trio.current_time() == 7
    await settle()
    assert LOG[:3] == ["a starts", "slow is over", "a ends: shutdown"]


async def test_what_starts_in_time_is_shut_down(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    class InTime(Store):
        async def init(self, name: str) -> None:
            await super().init(name)
            await trio.sleep(1)

    parent = spawn(starts, child_spec((InTime, "a"), shutdown=math.inf))
    await settle()
    parent.send("end")
    await phx_runtime.ended(tree())
    assert trio.current_time() == 1
    await settle()
    assert LOG[:2] == ["a starts", "a ends: shutdown"]
    assert LOG[2].startswith("Ok(value=")


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_a_restart_ends_with_the_parent(
    strategy: Strategy, autojump_clock: MockClock, phx_runtime: Runtime
) -> None:
    opened = 0

    @asynccontextmanager
    async def opens() -> AsyncIterator[int]:
        nonlocal opened
        opened += 1
        if opened > 1:  # the database is gone
            await trio.sleep_forever()
        yield opened

    trap_exit()
    database = Resource("database", opens)
    supervisor = (await Supervisor.start_link([store("a"), database, store("b")], strategy=strategy)).unwrap()
    pid = whereis("database")
    assert pid is not None
    pid.exit(KILL)
    await settle()
    assert opened == 2
    LOG.clear()
    supervisor.exit(SHUTDOWN)
    assert await receive() == Exited(supervisor, SHUTDOWN)
    assert trio.current_time() == 0
    up = ["b", "a"] if strategy == "one_for_one" else ["a"]  # those that run beside the one that starts
    assert [f"{name} ends: shutdown" for name in up] == LOG
    assert self_pid().links in (None, {})


async def test_another_exit_does_not_end_a_start(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    class Late(Store):
        async def init(self, name: str) -> None:
            await trio.sleep(5)

    parent = spawn(starts, child_spec((Late, "a")))
    await settle()
    tree().exit(SHUTDOWN)  # of the test, which is not its parent
    await trio.sleep(6)
    assert tree().alive
    parent.send("end")
