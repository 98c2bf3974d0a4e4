"""Waiting for tasks, one or many: section 10 of the specification."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Called, Error, Ok, Task
from phxactor.otp._task import OnTimeout
from phxactor.runtime import NORMAL, Answer, Crash, Down, Exited, open_runtime, self_pid, trap_exit
from phxactor.testing import settle
from tests.otp import end, end_of, mail
from tests.otp.tasks import ending, exits, later, pid_of, stubborn


async def test_T1_a_task_is_linked_and_monitored_and_sends_its_value(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(later, "value")
        me, pid = self_pid(), pid_of(task)
        assert pid in (me.links or ())
        assert me in (pid.links or ())
        assert task.ref in (me.monitors or ())
        await end(pid)
        answer, down = mail()
        assert isinstance(answer, Answer)
        assert (answer.ref, answer.value) == (task.ref, "value")
        assert down == Down(task.ref, pid, NORMAL)


async def test_T2_await_returns_the_value_and_leaves_the_mailbox_clean(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        assert await Task.async_(later, "value", 4.9).await_() == "value"
        assert await Task.async_(lambda: "at once") == "at once"
        ended = Task.async_(later, "value")
        await end(pid_of(ended))
        assert await ended == "value"
        assert mail() == []
        assert not self_pid().monitors
        assert len(runtime.timers) == 0


async def test_T3_a_crash_kills_an_owner_that_does_not_trap(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def owner() -> None:
            with pytest.raises(trio.Cancelled):
                await Task.async_(ending, "boom")
            await trio.lowlevel.checkpoint()

        assert await end_of(owner) == "boom"


async def test_T4_a_trapping_owner_exits_by_await_and_keeps_the_exit(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        task = Task.async_(ending, "boom")
        assert await exits(task.await_()) == ("boom", Called("Task.await_", task.pid, None, 5.0))
        assert mail() == [Exited(pid_of(task), "boom")]


async def test_T5_a_task_without_a_value_exits_its_owner_with_normal(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(ending, NORMAL)
        assert await exits(task.await_()) == (NORMAL, Called("Task.await_", task.pid, None, 5.0))


async def test_T6_an_await_that_times_out_leaves_the_task_running(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(later, "late", 3)
        assert await exits(task.await_(1)) == ("timeout", Called("Task.await_", task.pid, None, 1))
        assert pid_of(task).alive
        assert await end(pid_of(task)) == NORMAL
        assert mail() == []


async def test_T7_a_second_await_times_out_and_a_strangers_raises(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(later, "value")
        await task
        began = trio.current_time()
        assert await exits(task.await_()) == ("timeout", Called("Task.await_", task.pid, None, 5.0))
        assert trio.current_time() - began == pytest.approx(5)

        async def stranger() -> None:
            await Task.async_(later, "value")
            await task

        reason = await end_of(stranger)
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, ValueError)


async def test_T8_yield_may_be_asked_again(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(later, "value", 3)
        assert await task.yield_(1) is None
        assert await task.yield_(5) == Ok("value")
        assert trio.current_time() == pytest.approx(3)
        assert mail() == []
        trap_exit()
        task = Task.async_(ending, "boom")
        assert await task.yield_() == Error("boom")


async def test_T14_await_many_returns_values_in_order(autojump_clock: MockClock) -> None:
    async with open_runtime():
        tasks = [Task.async_(later, seconds, seconds) for seconds in (3, 1, 2)]
        assert await Task.await_many(tasks) == [3, 1, 2]
        assert mail() == []
        assert trio.current_time() == pytest.approx(3)

        trap_exit()
        tasks = [Task.async_(later, "slow", 50), Task.async_(ending, "boom")]
        pids = [task.pid for task in tasks]
        assert await exits(Task.await_many(tasks, 100)) == ("boom", Called("Task.await_many", pids, None, 100))
        assert trio.current_time() == pytest.approx(4)
        assert mail() == [Exited(pid_of(tasks[1]), "boom")]

        trap_exit(False)
        tasks = [Task.async_(later, "slow", 50), Task.async_(later, "soon", 1)]
        pids = [task.pid for task in tasks]
        assert await exits(Task.await_many(tasks, 2)) == ("timeout", Called("Task.await_many", pids, None, 2))
        assert len(mail()) == 1
        assert await Task.await_many([]) == []


@pytest.mark.parametrize("on_timeout", ["nothing", "ignore", "kill_task"])
async def test_T15_yield_many_has_one_deadline(autojump_clock: MockClock, on_timeout: OnTimeout) -> None:
    async with open_runtime():
        trap_exit()
        soon, never, failing = (
            Task.async_(later, "value", 1),
            Task.async_(later, "late", 9),
            Task.async_(ending, "boom"),
        )
        results = await Task.yield_many([soon, never, failing], 3, on_timeout=on_timeout)
        assert results == [(soon, Ok("value")), (never, None), (failing, Error("boom"))]
        assert trio.current_time() == pytest.approx(3)
        assert pid_of(never).alive is (on_timeout != "kill_task")
        again = None if on_timeout == "kill_task" else await never.yield_(10)
        assert again == (Ok("late") if on_timeout == "nothing" else None)


async def test_T16_a_completed_task_has_no_process(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        before = len(runtime.processes)
        tasks = [Task.completed(number) for number in range(5)]
        assert len(runtime.processes) == before
        assert tasks[0].pid is None
        assert await tasks[0] == 0
        assert await tasks[1].yield_() == Ok(1)
        with pytest.raises(ValueError, match="no process"):
            await tasks[2].shutdown()
        with pytest.raises(ValueError, match="no process"):
            tasks[3].ignore()
        assert await Task.await_many(tasks[2:4]) == [2, 3]
        assert await Task.await_many(tasks[4:]) == [4]
        assert mail() == []


@pytest.mark.allow_leaks("a task that is ignored")
async def test_waiting_for_a_task_can_be_cancelled_and_taken_up_again(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(later, "value", 3)
        with trio.move_on_after(1):
            await task
        with trio.move_on_after(1):
            await Task.yield_many([task])
        assert await task == "value"
        assert mail() == []
        task = Task.async_(stubborn)
        await settle()
        with trio.move_on_after(1):
            await task.shutdown()
        assert not [ref for ref in self_pid().monitors or () if ref is not task.ref]
        task.ignore()
        assert mail() == []
