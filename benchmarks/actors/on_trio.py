"""Bare trio: the floor of processes."""

from __future__ import annotations

import os
from time import process_time_ns
from typing import Final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, checkpoint, current_task, reschedule, wait_task_rescheduled
from trio.testing import wait_all_tasks_blocked

from benchmarks.actors.systems import Work
from benchmarks.os_process import OsProcess

ROUND_TRIPS: Final = 2000
SPAWNS: Final = 2000
CROWD: Final = 1000
IDLE: Final = 10_000


def _abort(_: RaiseCancelT) -> Abort:
    return Abort.SUCCEEDED


async def _answer(asker: Task, task_status: trio.TaskStatus[Task]) -> None:
    task_status.started(current_task())
    while True:
        await wait_task_rescheduled(_abort)
        reschedule(asker)


async def _round_trip() -> float:
    async with trio.open_nursery() as nursery:
        partner: Task = await nursery.start(_answer, current_task())
        await wait_all_tasks_blocked()
        began = process_time_ns()
        for _ in range(ROUND_TRIPS):
            reschedule(partner)
            await wait_task_rescheduled(_abort)
        taken = process_time_ns() - began
        nursery.cancel_scope.cancel()
    return taken / 1e3 / ROUND_TRIPS


async def _nothing() -> None:
    pass


async def _gone(nursery: trio.Nursery) -> None:
    """Wait until all tasks are gone."""
    while nursery.child_tasks:
        await checkpoint()


async def _spawn() -> float:
    async with trio.open_nursery() as nursery:
        began = process_time_ns()
        for _ in range(SPAWNS):
            nursery.start_soon(_nothing)
            await _gone(nursery)
        taken = process_time_ns() - began
    return taken / 1e3 / SPAWNS


async def _crowd() -> float:
    async with trio.open_nursery() as nursery:
        began = process_time_ns()
        for _ in range(SPAWNS // CROWD):
            for _ in range(CROWD):
                nursery.start_soon(_nothing)
            await _gone(nursery)
        taken = process_time_ns() - began
    return taken / 1e3 / SPAWNS


async def _idle() -> float:
    own = OsProcess(os.getpid())
    async with trio.open_nursery() as nursery:
        before = own.rss_kb()
        for _ in range(IDLE):
            nursery.start_soon(trio.sleep_forever)
        await wait_all_tasks_blocked()
        weight = (own.rss_kb() - before) / IDLE
        nursery.cancel_scope.cancel()
    return weight


WORK: Final[Work] = {
    "round_trip": lambda: trio.run(_round_trip),
    "spawn": lambda: trio.run(_spawn),
    "crowd": lambda: trio.run(_crowd),
    "idle": lambda: trio.run(_idle),
}
