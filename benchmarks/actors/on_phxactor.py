"""Our processes."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from time import process_time_ns
from typing import Final

import trio
from trio.lowlevel import checkpoint
from trio.testing import wait_all_tasks_blocked

from benchmarks.actors.on_trio import CROWD, IDLE, ROUND_TRIPS, SPAWNS
from benchmarks.actors.systems import CHAIN, Work
from benchmarks.os_process import OsProcess
from phxactor.otp import GenServer, Reply
from phxactor.runtime import From, Pid, monitor, open_runtime, receive, self_pid, spawn, spawn_link
from phxactor.runtime._garbage import tuned


async def _answer(asker: Pid) -> None:
    while True:
        await receive()
        asker.send(None)


async def _round_trip() -> float:
    partner = spawn(_answer, self_pid())
    await wait_all_tasks_blocked()
    began = process_time_ns()
    for _ in range(ROUND_TRIPS):
        partner.send(None)
        await receive()
    return (process_time_ns() - began) / 1e3 / ROUND_TRIPS


async def _nothing() -> None:
    pass


async def _gone() -> None:
    """Wait until all processes but this one are gone."""
    processes = self_pid().runtime.processes
    while len(processes) > 1:
        await checkpoint()


async def _spawn() -> float:
    began = process_time_ns()
    for _ in range(SPAWNS):
        spawn(_nothing)
        await _gone()
    return (process_time_ns() - began) / 1e3 / SPAWNS


async def _crowd() -> float:
    began = process_time_ns()
    for _ in range(SPAWNS // CROWD):
        for _ in range(CROWD):
            spawn(_nothing)
        await _gone()
    return (process_time_ns() - began) / 1e3 / SPAWNS


class Server(GenServer):
    """Answers with what it was asked."""

    async def handle_call(self, request: object, from_: From) -> Reply:
        """Answer."""
        return Reply(request)


async def _call() -> float:
    started = await Server.start_link()
    server = started.unwrap()
    began = process_time_ns()
    for _ in range(ROUND_TRIPS):
        await GenServer.call(server, None)
    return (process_time_ns() - began) / 1e3 / ROUND_TRIPS


async def _idle() -> float:
    own = OsProcess(os.getpid())
    before = own.rss_kb()
    for _ in range(IDLE):
        spawn(receive)
    await wait_all_tasks_blocked()
    return (own.rss_kb() - before) / IDLE


async def _member(followers: int, ready: Pid) -> None:
    if followers:
        spawn_link(_member, followers - 1, ready)
    else:
        ready.send(self_pid())
    await receive()
    raise RuntimeError("a crash")


async def _chain() -> float:
    logging.disable()  # the crash is meant
    first = spawn(_member, CHAIN - 1, self_pid())
    last = await receive()
    assert isinstance(last, Pid)  # noqa: S101 - the only message there is
    monitor(last)
    began = process_time_ns()
    first.send("crash")
    await receive()
    taken = process_time_ns() - began
    if survivors := len(self_pid().runtime.processes) - 1:
        raise RuntimeError(f"{survivors} processes have survived")
    return taken / 1e9


async def _run(work: Callable[[], Awaitable[float]]) -> float:
    async with open_runtime():
        return await work()


async def _chain_as_a_program() -> float:
    """Run it as `phxactor.run` runs programs: with the garbage collector set for processes."""
    async with open_runtime() as runtime:
        with tuned(runtime):
            return await _chain()


WORK: Final[Work] = {
    "round_trip": lambda: trio.run(_run, _round_trip),
    "spawn": lambda: trio.run(_run, _spawn),
    "crowd": lambda: trio.run(_run, _crowd),
    "call": lambda: trio.run(_run, _call),
    "idle": lambda: trio.run(_run, _idle),
    "chain": lambda: trio.run(_chain_as_a_program),
}
