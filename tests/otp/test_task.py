"""Task: section 10 of the specification, rules T1 to T18."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Called, Error, Ok, Supervisor, Task
from phxactor.otp.task import OnTimeout
from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    Answer,
    Crash,
    Down,
    Exit,
    Exited,
    Pid,
    Reason,
    open_runtime,
    self_pid,
    spawn,
    trap_exit,
)
from tests.otp import end, end_of, mail, settled


async def later(value: object, seconds: float = 1) -> object:
    await trio.sleep(seconds)
    return value


async def ending(reason: Reason, seconds: float = 1) -> None:
    await trio.sleep(seconds)
    raise Exit(reason)


async def stubborn(seconds: float = 100) -> str:
    """Take no notice of a request to end."""
    trap_exit()
    await trio.sleep(seconds)
    return "done"


async def exits(awaited: Any) -> Reason:  # noqa: ANN401 - anything that can be awaited
    """Await, and return the reason of the exit that this raises."""
    with pytest.raises(Exit) as caught:
        await awaited
    return caught.value.reason


def pid_of(task: Task) -> Pid:
    assert task.pid is not None
    return task.pid


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
        await settled()
        assert await slow.shutdown() == Ok("done")
        assert [type(message) for message in mail()] == [Exited, Exited]  # of the two that had ended before


async def test_T10_a_shutdown_that_must_kill(autojump_clock: MockClock) -> None:
    async with open_runtime():
        task = Task.async_(stubborn)
        await settled()
        began = trio.current_time()
        assert await task.shutdown() == Error(KILLED)
        assert trio.current_time() - began == pytest.approx(5)
        task = Task.async_(stubborn)
        await settled()
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
        task = Task.async_(later, "value")
        await end(pid_of(task))
        assert task.ignore() == Ok("value")
        assert mail() == []
        trap_exit()
        task = Task.async_(ending, "boom")
        await end(pid_of(task))
        assert task.ignore() == Error("boom")


@pytest.mark.parametrize("reason", [NORMAL, "boom"])
async def test_T13_only_an_abnormal_end_of_the_owner_ends_the_task(autojump_clock: MockClock, reason: Reason) -> None:
    async with open_runtime():
        tasks: list[Task] = []

        async def owner() -> None:
            tasks.append(Task.async_(later, "value", 10))
            raise Exit(reason)

        await end_of(owner)
        await settled()
        assert pid_of(tasks[0]).alive is (reason == NORMAL)


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
        assert await tasks[2].shutdown() == Ok(2)
        assert tasks[3].ignore() == Ok(3)
        assert await Task.await_many(tasks[4:]) == [4]
        assert mail() == []


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
        await settled()
        with trio.move_on_after(1):
            await task.shutdown()
        assert not [ref for ref in self_pid().monitors or () if ref is not task.ref]
        task.ignore()
        assert mail() == []
