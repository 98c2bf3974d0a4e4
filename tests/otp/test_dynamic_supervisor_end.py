"""How a DynamicSupervisor ends its children and itself: D11, D12, D16."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import ChildSpec, DynamicSupervisor, Ok, Restart, call, cast, stop
from phxactor.otp.supervisor_events import shutdown_error
from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    Pid,
    Reason,
    Shutdown,
    receive,
    spawn,
    spawn_link,
    trap_exit,
)
from phxactor.telemetry import Event
from phxactor.testing import settle

from .supervision import Log, crash, pool, worker

start_child = DynamicSupervisor.start_child


async def test_D11_on_shutdown_all_children_are_told_at_once_each_with_its_own_time(
    log: Log, autojump_clock: MockClock
) -> None:
    async with pool() as supervisor:
        for id_, seconds, shutdown in (("quick", 1.0, 5), ("slow", 10.0, 3), ("slower", 10.0, 20), ("kill", 9.0, 0)):
            await start_child(supervisor, worker(log, id_, trap=True, terminating=seconds, shutdown=shutdown))
        await start_child(supervisor, worker(log, "brutal", trap=True, terminating=1.0, shutdown="brutal_kill"))
        await start_child(supervisor, worker(log, "plain"))
        ends: dict[object, float] = {}
        for worker_id, pid in log.pids.items():
            spawn(note_end, ends, worker_id, pid)
        await settle()
        await stop(supervisor)
        await settle()
        assert {id_: round(time) for id_, time in ends.items()} == {
            "quick": 1,
            "slow": 3,
            "slower": 10,
            "kill": 0,
            "brutal": 0,
            "plain": 0,
        }
        reasons = {id_: pid.exit_reason for id_, pid in log.pids.items()}
        assert reasons == {
            "quick": SHUTDOWN,
            "slow": KILLED,
            "slower": SHUTDOWN,
            "kill": KILLED,
            "brutal": KILLED,
            "plain": SHUTDOWN,
        }


async def note_end(ends: dict[object, float], id_: object, pid: Pid) -> None:
    """Write down when a process ends."""
    await pid.runtime.ended(pid)
    ends[id_] = trio.current_time()


async def test_D12_children_that_end_otherwise_on_shutdown_are_reported(log: Log, autojump_clock: MockClock) -> None:
    reasons: dict[object, Reason] = {}

    def handler(_: Event, fields: Mapping[str, object]) -> None:
        reasons[getattr(fields["spec"], "id", None)] = fields["reason"]

    shutdown_error.attach(handler)
    async with pool() as supervisor:
        ends: list[tuple[str, Restart, Reason]] = [
            ("detail", "permanent", Shutdown("x")),
            ("normal", "permanent", NORMAL),
            ("transient", "transient", NORMAL),
            ("wrong", "temporary", "boom"),
        ]
        for id_, restart, reason in ends:
            await start_child(
                supervisor, ChildSpec(id=id_, start=(start_body, (on_shutdown, reason), {}), restart=restart)
            )
        await start_child(supervisor, worker(log, "slow", trap=True, terminating=10.0, shutdown=1))
        await settle()
        await stop(supervisor)
    shutdown_error.detach(handler)
    assert reasons == {"normal": NORMAL, "wrong": "boom", "slow": KILLED}


async def start_body(body: Callable[..., Awaitable[object]], *args: object) -> Ok[Pid]:
    """Start a process that is no server."""
    return Ok(spawn_link(body, *args))


async def on_shutdown(reason: Reason) -> None:
    """When told to end, end with a reason of one's own."""
    trap_exit()
    await receive()
    raise Exit(reason)


async def test_D16_too_many_restarts_end_it(log: Log, autojump_clock: MockClock) -> None:
    async with pool() as supervisor:
        for id_ in "ab":
            await start_child(supervisor, worker(log, id_))
        for _ in range(4):
            await crash(log, "a")
        assert await receive() == Exited(supervisor, SHUTDOWN)
        assert not log.pids["b"].alive


async def test_D16_signals_to_it_are_as_to_a_supervisor(log: Log) -> None:
    async with pool() as supervisor:
        await start_child(supervisor, worker(log, "a", trap=True))
        spawn(exits, supervisor)
        await settle()
        assert supervisor.alive
        supervisor.exit("enough")
        assert await receive() == Exited(supervisor, "enough")
        assert ("stop", "a", SHUTDOWN) in log.entries
    async with pool() as supervisor:
        await start_child(supervisor, worker(log, "a", trap=True))
        supervisor.exit(KILL)
        assert await receive() == Exited(supervisor, KILLED)
        await settle()
        assert ("stop", "a", KILLED) in log.entries


async def exits(pid: Pid) -> None:
    """Be a stranger who sends an exit signal."""
    pid.exit("boom")


async def test_S70_it_ignores_an_unknown_cast_but_an_unknown_call_crashes_it() -> None:
    async with pool() as supervisor:
        supervisor.send("hello")
        cast(supervisor, "hello")
        await settle()
        assert supervisor.alive
        with pytest.raises(Exit):
            await call(supervisor, "hello")
        assert isinstance(supervisor.exit_reason, Crash)
