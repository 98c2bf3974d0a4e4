from __future__ import annotations

from contextvars import Context

import trio

from phxactor.runtime import (
    Crash,
    Down,
    Exit,
    Pid,
    Shutdown,
    events,
    link,
    monitor,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    trap_exit,
    whereis,
)
from phxactor.testing import settle
from tests.runtime.actors import actors, emitted, ended, idle, reason


async def test_TM1_no_way_of_ending_reaches_the_others() -> None:
    async def body(error: BaseException) -> None:
        raise error

    async with open_runtime():
        (other,) = await actors(1)
        errors = [ValueError(), SystemExit(), KeyboardInterrupt(), BaseException(), Exit("x"), RecursionError()]
        for error in errors:
            spawn(body, error)
        await settle()
        assert other.pid.alive


async def test_TM4_an_ending_process_can_send_but_not_link_register_spawn_or_trap() -> None:
    failed = []

    async def body(friend: Pid) -> None:
        try:
            await receive()
        finally:
            friend.send("farewell")
            for forbidden in (lambda: link(friend), lambda: register("late"), lambda: spawn(idle), trap_exit):
                try:
                    forbidden()
                except Exit as error:
                    failed.append(error.reason)

    async with open_runtime():
        (friend,) = await actors(1)
        pid = spawn(body, friend.pid)
        await settle()
        pid.exit("boom")
        await settle()
        assert reason(pid) == "boom"
        assert friend.mail == ["farewell"]
        assert failed == ["boom"] * 4
        assert whereis("late") is None


async def test_TM5_what_the_cleanup_raises_is_told_and_not_adopted() -> None:
    async def body() -> None:
        try:
            await receive()
        finally:
            raise LookupError("in cleanup")

    async with open_runtime():
        pid = spawn(body)
        await settle()
        with emitted(events.cleanup_failed) as failures, emitted(events.crashed) as crashes:
            pid.exit("boom")
            await settle()
        assert reason(pid) == "boom"
        assert [str(fields["exception"]) for fields in failures] == ["in cleanup"]
        assert crashes == []


async def test_TM6_cleanup_after_a_signal_cannot_wait() -> None:
    steps = []

    async def body() -> None:
        try:
            await receive()
        finally:
            steps.append("first")
            await trio.lowlevel.checkpoint()
            steps.append("second")

    async with open_runtime():
        pid = spawn(body)
        await settle()
        with emitted(events.cleanup_failed) as failures:
            pid.exit("boom")
            await settle()
        assert reason(pid) == "boom"
        assert failures == []
    assert steps == ["first"]


async def test_TM14_a_body_that_ends_without_a_checkpoint_has_the_reason_of_the_signal() -> None:
    async def body() -> None:
        Context().run(self_pid().exit, "from outside")  # a signal by somebody else, while it runs

    async with open_runtime():
        assert await ended(body) == "from outside"


async def test_TM15_a_cancellation_that_no_signal_explains_is_a_crash() -> None:
    stolen: list[BaseException] = []

    async def body() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                stolen.append(error)
        raise stolen[0]

    async with open_runtime():
        with emitted(events.crashed) as crashes:
            crash = await ended(body)
        assert isinstance(crash, Crash)
        assert isinstance(crash.exception, trio.Cancelled)
        assert len(crashes) == 1


async def test_TM16_a_monitor_on_an_ending_process_answers_when_it_has_wholly_ended() -> None:
    gate = trio.Event()

    async def body() -> None:
        try:
            await receive()
        finally:
            with trio.CancelScope(shield=True):
                await gate.wait()

    async with open_runtime():
        (watcher,) = await actors(1)
        pid = spawn(body)
        await settle()
        early = await watcher.do(monitor, pid)
        pid.exit("boom")
        late = await watcher.do(monitor, pid)
        assert watcher.mail == []
        gate.set()
        await settle()
        assert watcher.mail == [Down(early, pid, "boom"), Down(late, pid, "noproc")]


async def test_TM23_TM24_a_group_stands_for_its_only_failure() -> None:
    async def fail() -> None:
        raise ValueError("in a task")

    async def body() -> None:
        async with trio.open_nursery() as outer:
            outer.start_soon(trio.sleep_forever)
            async with trio.open_nursery() as inner:
                inner.start_soon(trio.sleep_forever)
                inner.start_soon(fail)

    async with open_runtime():
        crash = await ended(body)
    assert isinstance(crash, Crash)
    assert str(crash.exception) == "in a task"


async def test_TM23_several_failures_are_a_group() -> None:
    async def fail(error: Exception) -> None:
        raise error

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, ValueError())
            nursery.start_soon(fail, LookupError())

    async with open_runtime():
        crash = await ended(body)
    assert isinstance(crash, Crash)
    assert isinstance(crash.exception, ExceptionGroup)
    assert {type(error) for error in crash.exception.exceptions} == {ValueError, LookupError}


async def test_TM23_an_exit_in_a_task_is_the_reason_and_what_else_failed_is_told() -> None:
    async def fail(error: BaseException) -> None:
        raise error

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, Exit("from a task"))
            nursery.start_soon(fail, LookupError("beside it"))

    async with open_runtime():
        with emitted(events.crashed) as crashes:
            assert await ended(body) == "from a task"
    (told,) = crashes
    assert isinstance(told["exception"], BaseExceptionGroup)
    assert "beside it" in str(told["exception"].split(LookupError)[0].exceptions[0])  # type: ignore[union-attr]


async def test_TM23_a_signal_reaches_all_tasks_of_a_process() -> None:
    steps = []

    async def task() -> None:
        try:
            await trio.sleep_forever()
        finally:
            steps.append("task")

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
            nursery.start_soon(task)
            await receive()

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.exit("boom")
        await settle()
        assert reason(pid) == "boom"
    assert steps == ["task", "task"]


async def test_TM36_the_cancellation_says_who_ends_and_why() -> None:
    texts = []

    async def body() -> None:
        try:
            await receive()
        except trio.Cancelled as error:
            texts.append(str(error))
            raise

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.exit(Shutdown("closed"))
        await settle()
    assert repr(pid) in texts[0]
    assert "{:shutdown, :closed}" in texts[0]
