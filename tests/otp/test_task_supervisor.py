"""TaskSupervisor: section 10 of the specification, rules T19 to T23."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Called, Error, Ok, TaskSupervisor, system
from phxactor.otp._task_process import wait_for_work
from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    Exit,
    Exited,
    Pid,
    Shutdown,
    open_runtime,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.testing import settle
from tests.otp import end, end_of, mail
from tests.otp.tasks import ending, exits, later, pid_of


async def supervisor(max_children: float = math.inf) -> Pid:
    return (await TaskSupervisor.start_link(max_children=max_children)).unwrap()


async def test_T19_start_child_runs_temporary_children(autojump_clock: MockClock) -> None:
    async with open_runtime():
        tasks = await supervisor()
        pid = (await TaskSupervisor.start_child(tasks, later, "value", 3)).unwrap()
        assert self_pid() not in (pid.links or ())
        assert tasks in (pid.links or ())
        (child,) = await TaskSupervisor.which_children(tasks)
        assert child.pid is pid
        spec = (await TaskSupervisor.get_childspec(tasks, pid)).unwrap()
        assert (spec.restart, spec.shutdown) == ("temporary", 5)
        assert await TaskSupervisor.children(tasks) == [pid]
        assert await end(pid) == NORMAL
        assert await TaskSupervisor.children(tasks) == []
        assert mail() == []


async def test_T19_a_task_that_is_not_temporary_is_started_again(autojump_clock: MockClock) -> None:
    async with open_runtime():
        ran: list[Pid] = []

        async def fail() -> None:
            ran.append(self_pid())
            await trio.sleep(1)
            raise Exit("boom" if len(ran) < 3 else NORMAL)

        tasks = await supervisor()
        await TaskSupervisor.start_child(tasks, fail, restart="transient")
        await trio.sleep(10)
        assert len(set(ran)) == 3


async def test_T20_a_supervised_task_is_linked_to_supervisor_and_owner(autojump_clock: MockClock) -> None:
    async with open_runtime():
        tasks = await supervisor()
        task = await TaskSupervisor.async_(tasks, later, "value")
        assert set(pid_of(task).links or ()) == {tasks, self_pid()}
        assert await task == "value"
        assert mail() == []
        trap_exit()
        task = await TaskSupervisor.async_(tasks, ending, "boom")
        assert await task.yield_() == Error("boom")
        assert mail() == [Exited(pid_of(task), "boom")]
        assert tasks.alive


async def test_T21_without_a_link_the_owner_survives(autojump_clock: MockClock) -> None:
    async with open_runtime():
        tasks = await supervisor()
        task = await TaskSupervisor.async_nolink(tasks, ending, "boom")
        assert set(pid_of(task).links or ()) == {tasks}
        assert await task.yield_() == Error("boom")
        task = await TaskSupervisor.async_nolink(tasks, ending, "boom")
        assert await exits(task.await_()) == ("boom", Called("Task.await_", task.pid, None, 5.0))
        valued = await TaskSupervisor.async_nolink(tasks, later, "value")
        assert await valued == "value"
        assert mail() == []


async def test_T22_a_task_whose_owner_ends_before_it_hands_the_work_over_ends_too(autojump_clock: MockClock) -> None:
    async with open_runtime():
        owner = spawn(later, "value", 100)
        waiting = spawn(wait_for_work, owner)
        await settle()
        owner.exit("gone")
        assert await end(waiting) == Shutdown("gone")
        assert await end_of(wait_for_work, owner) == Shutdown(NOPROC)


@pytest.mark.parametrize("starter", [TaskSupervisor.async_, TaskSupervisor.async_nolink])
async def test_T23_too_many_tasks(autojump_clock: MockClock, starter: object) -> None:
    async with open_runtime():
        tasks = await supervisor(max_children=1)
        assert isinstance(await TaskSupervisor.start_child(tasks, later, "value"), Ok)
        assert await TaskSupervisor.start_child(tasks, later, "value") == Error("max_children")
        with pytest.raises(RuntimeError, match="max_children"):
            await starter(tasks, later, "value")  # type: ignore[operator]


async def test_a_start_that_is_cancelled_leaves_no_task(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        tasks = await supervisor()
        await system.suspend(tasks)
        with trio.move_on_after(1):
            _ = await TaskSupervisor.async_(tasks, later, "never")
        await system.resume(tasks)
        await settle()
        assert await TaskSupervisor.children(tasks) == []
        assert len(runtime.processes) == 2
        assert mail() == []


async def test_tasks_of_a_supervisor_that_is_killed(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        tasks = await supervisor()
        task = await TaskSupervisor.async_nolink(tasks, later, "value")
        tasks.exit(KILL)
        assert await task.yield_() == Error(KILLED)
        assert await end_of(later, "value") == NORMAL
