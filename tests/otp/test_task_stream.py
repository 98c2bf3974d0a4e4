"""async_stream: section 10 of the specification, rules T24 to T29."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Called, Error, Ok, TaskStream, TaskSupervisor, async_stream
from phxactor.runtime import KILL, Crash, Exit, Pid, Reason, Runtime, open_runtime, self_pid, spawn, trap_exit
from phxactor.testing import settle
from tests.otp import end, end_of, mail


class Work:
    """Sleeps as many seconds as its input says, or ends as it says; notes what runs."""

    def __init__(self) -> None:
        self.pids: list[Pid] = []
        self.running = self.most = 0

    async def run(self, value: object, added: float = 0) -> object:
        self.pids.append(self_pid())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if not isinstance(value, int | float):
                raise Exit(value)
            await trio.sleep(value)
        finally:
            self.running -= 1
        return value + added


async def collect(stream: TaskStream[object]) -> list[object]:
    async with stream as results:
        return [result async for result in results]


def assert_clean(runtime: Runtime) -> None:
    """See that a stream left nothing behind."""
    assert mail() == []
    assert not self_pid().monitors
    assert not self_pid().links
    assert len(runtime.timers) == 0


async def test_T24_a_stream_is_lazy_bounded_and_ordered(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        work, given = Work(), []

        def inputs() -> Iterator[int]:
            for seconds in (3, 1, 2, 1):
                given.append(seconds)
                yield seconds

        async with async_stream(inputs(), work.run, 10, max_concurrency=2) as stream:
            await settle()
            assert given == []
            assert await anext(stream) == Ok(13)
            assert [result async for result in stream] == [Ok(11), Ok(12), Ok(11)]
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        assert work.most == 2
        assert_clean(runtime)
        unordered = async_stream((3, 1, 1.5, 1), work.run, max_concurrency=2, ordered=False)
        assert await collect(unordered) == [Ok(1), Ok(1.5), Ok(3), Ok(1)]
        assert await collect(async_stream((), work.run)) == []
        assert_clean(runtime)


async def test_T24_options_that_cannot_be_meant_raise(autojump_clock: MockClock) -> None:
    wrongs: list[dict[str, Any]] = [{"max_concurrency": 0}, {"timeout": -1}, {"on_timeout": "ignore"}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", ".")):
            async_stream((), print, **wrong)
    async with open_runtime():
        stream = async_stream((1,), print)
        with pytest.raises(RuntimeError, match="async with"):
            await anext(stream)


async def test_T25_a_crash_in_a_linked_stream(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        work = Work()

        async def caller() -> None:
            await collect(async_stream((1, "boom", 1), work.run))

        assert await end_of(caller) == "boom"
        await settle()
        assert work.running == 0
        trap_exit()
        assert await collect(async_stream((1, "boom", 2), work.run)) == [Ok(1), Error("boom"), Ok(2)]
        assert_clean(runtime)


async def test_T26_a_task_that_takes_too_long(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        work = Work()
        with pytest.raises(Exit) as caught:
            await collect(async_stream((1, 100), work.run, max_concurrency=2))
        assert isinstance(caught.value.reason, tuple)
        reason, called = caught.value.reason
        assert reason == "timeout"
        assert isinstance(called, Called)
        assert trio.current_time() == pytest.approx(5)
        assert work.running == 0
        assert_clean(runtime)
        late = async_stream((1, 100, 2), work.run, timeout=3, on_timeout="kill_task", max_concurrency=3)
        assert await collect(late) == [Ok(1), Error("timeout"), Ok(2)]
        assert trio.current_time() == pytest.approx(8)
        assert work.running == 0
        assert_clean(runtime)
        assert await collect(async_stream((9,), work.run, timeout=None)) == [Ok(9)]


async def test_T27_inputs_stand_beside_reasons(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        stream = async_stream(
            (1, "boom", 100), Work().run, zip_input_on_exit=True, on_timeout="kill_task", max_concurrency=3
        )
        assert await collect(stream) == [Ok(1), Error(("boom", "boom")), Error((100, "timeout"))]


@pytest.mark.parametrize("trap", [False, True])
async def test_T28_a_consumer_that_stops_early_leaves_nothing(autojump_clock: MockClock, trap: bool) -> None:
    async with open_runtime() as runtime:
        trap_exit(trap)
        work = Work()
        async with async_stream((1, 100, 100, 100), work.run, max_concurrency=3) as stream:
            async for result in stream:
                assert result == Ok(1)
                break
        assert work.running == 0
        assert_clean(runtime)

        async def fail() -> None:
            async with async_stream((1, 100), work.run, max_concurrency=3) as stream:
                async for _ in stream:
                    raise KeyError

        with pytest.raises(KeyError):
            await fail()
        assert work.running == 0
        assert_clean(runtime)

        def broken() -> Iterator[int]:
            yield 100
            raise KeyError

        with pytest.raises(KeyError):
            await collect(async_stream(broken(), work.run, max_concurrency=3))
        assert work.running == 0
        assert_clean(runtime)


async def test_T28_a_stream_in_a_cancel_scope_leaves_nothing(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        work = Work()
        with trio.move_on_after(1):
            await collect(async_stream((100, 100), work.run, max_concurrency=2))
        await settle()
        assert work.running == 0
        assert len(runtime.processes) == 1
        assert_clean(runtime)


async def test_T29_tasks_end_with_a_caller_that_is_killed(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        work = Work()

        async def caller() -> None:
            await collect(async_stream((100, 100), work.run, max_concurrency=2))

        pid = spawn(caller)
        await settle()
        assert work.running == 2
        (conductor,) = pid.links or {}
        assert {conductor} == set(work.pids[0].links or ()) == set(work.pids[1].links or ())
        assert work.pids[0].callers == (pid,)
        pid.exit(KILL)
        await end(pid)
        await settle()
        assert work.running == 0
        assert len(runtime.processes) == 1


async def test_T29_a_caller_exits_with_a_conductor_that_is_killed(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        work, me = Work(), self_pid()
        trap_exit()

        async def killer() -> None:
            await trio.sleep(1)
            for pid in me.links or ():
                pid.exit(KILL)

        spawn(killer)
        with pytest.raises(Exit, match="killed"):
            await collect(async_stream((100, 100), work.run, max_concurrency=2))
        await settle()
        assert work.running == 0
        assert_clean(runtime)


@pytest.mark.parametrize("link", [False, True])
async def test_a_stream_under_a_supervisor(autojump_clock: MockClock, link: bool) -> None:
    async with open_runtime():
        work = Work()

        async def caller() -> Reason:
            stream = TaskSupervisor.async_stream("tasks", (1, "boom", 2), work.run, link=link)
            raise Exit(await collect(stream))

        tasks = (await TaskSupervisor.start_link(name="tasks")).unwrap()
        assert await end_of(caller) == ("boom" if link else [Ok(1), Error("boom"), Ok(2)])
        await settle()
        assert work.running == 0
        assert await TaskSupervisor.children(tasks) == []


async def test_T23_a_stream_raises_when_its_supervisor_has_too_many_tasks(autojump_clock: MockClock) -> None:
    async with open_runtime():
        tasks = (await TaskSupervisor.start_link(max_children=1)).unwrap()
        with pytest.raises(RuntimeError, match="max_children"):
            await collect(TaskSupervisor.async_stream(tasks, (1, 1), Work().run, max_concurrency=2))
        assert await TaskSupervisor.children(tasks) == []
        assert mail() == []


async def test_a_stream_of_functions_that_raise(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        (result,) = await collect(async_stream((0,), lambda n: 1 / n))
        assert isinstance(result, Error)
        assert isinstance(result.reason, Crash)
        assert isinstance(result.reason.exception, ZeroDivisionError)


@pytest.mark.allow_leaks("a zombie")
async def test_T29_TM10_tasks_end_with_a_caller_that_is_given_up(autojump_clock: MockClock) -> None:
    """The caller's own cleanup has not run yet, so only its link tells."""
    async with open_runtime() as runtime:
        work = Work()

        async def caller() -> None:
            async with async_stream((0, 100, 100), work.run, max_concurrency=3) as stream:
                await anext(stream)
                with trio.CancelScope(shield=True):
                    await trio.sleep(1000)

        pid = spawn(caller)
        await settle()
        assert work.running == 2
        pid.exit(KILL)
        await end(pid)
        await settle()
        assert pid in runtime.zombies.given_up
        assert work.running == 0
