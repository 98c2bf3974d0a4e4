"""Tasks that are ended, ignored, or end with their owner: section 10 of the specification."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, Ok, Supervisor, Task
from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    Exit,
    Exited,
    Reason,
    open_runtime,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.testing import settle
from tests.otp import end, end_of, mail
from tests.otp.tasks import ending, later, pid_of, stubborn


async def test_T9_shutdown_tells_the_task_to_end(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        assert await Task.async_(later, "value", 100).shutdown() is None

        done = Task.async_(later, "value")
        await end(pid_of(done))
        assert await done.shutdown() == Ok("value")

        failed = Task.async_(ending, "boom")
        await end(pid_of(failed))
        assert await failed.shutdown() == Error("boom")

        slow = Task.async_(stubborn, 3)
        await settle()
        assert await slow.shutdown() == Ok("done")
        assert [type(message) for message in mail()] == [Exited, Exited]  # of the two that had ended before


async def test_T10_a_shutdown_that_must_kill(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(stubborn)
        await settle()
        began = trio.current_time()
        assert await task.shutdown() == Error(KILLED)
        assert trio.current_time() - began == pytest.approx(5)
        task = Task.async_(stubborn)
        await settle()
        assert await task.shutdown("brutal_kill") is None
        assert trio.current_time() - began == pytest.approx(5)
        assert mail() == []


async def test_T11_shutdown_after_await_finds_nobody(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(later, "value")
        await task
        await end(pid_of(task))
        assert await task.shutdown() == Error(NOPROC)


async def test_T12_ignore_lets_the_task_run_on(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(ending, "boom")
        assert task.ignore() is None
        assert await end(pid_of(task)) == "boom"
        assert mail() == []
        valued = Task.async_(later, "value")
        await end(pid_of(valued))
        assert valued.ignore() == Ok("value")
        assert mail() == []
        trap_exit()
        task = Task.async_(ending, "boom")
        await end(pid_of(task))
        assert task.ignore() == Error("boom")


@pytest.mark.allow_leaks("a task that outlives its owner")
@pytest.mark.parametrize("reason", [NORMAL, "boom"])
async def test_T13_only_an_abnormal_end_of_the_owner_ends_the_task(autojump_clock: MockClock, reason: Reason) -> None:
    async with open_runtime():
        tasks: list[Task[object]] = []

        async def owner() -> None:
            tasks.append(Task.async_(later, "value", 10))
            raise Exit(reason)

        await end_of(owner)
        await settle()
        assert pid_of(tasks[0]).alive is (reason == NORMAL)


async def test_T17_start_and_start_link_drop_the_value(autojump_clock: MockClock) -> None:
    async with open_runtime():
        ran: list[object] = []

        async def run(value: object) -> object:
            ran.append(value)
            await trio.sleep(1)
            return value

        for start in (Task.start, Task.start_link):
            pid = start(run, "value").unwrap()
            assert (self_pid() in (pid.links or ())) is (start is Task.start_link)
            assert await end(pid) == NORMAL
        assert ran == ["value", "value"]
        assert mail() == []


async def test_T18_a_task_is_a_temporary_child(autojump_clock: MockClock) -> None:
    spec = Task.child_spec(later, "value")
    assert (spec.id, spec.restart, spec.type) == ("Task", "temporary", "worker")
    async with open_runtime():
        supervisor = (await Supervisor.start_link([spec])).unwrap()
        await trio.sleep(2)
        assert await Supervisor.which_children(supervisor) == []


async def test_a_task_that_is_killed(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        task = Task.async_(later, "value")
        pid_of(task).exit(KILL)
        assert await task.yield_() == Error(KILLED)
        pid = spawn(later, "value")
        pid.exit(SHUTDOWN)
        assert await end(pid) == SHUTDOWN
