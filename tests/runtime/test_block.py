from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import ChildSpec, Error, Supervisor
from phxactor.runtime import (
    KILL,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    NotAProcessError,
    Pid,
    Runtime,
    Shutdown,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    spawn_link,
    trap_exit,
    whereis,
)
from phxactor.testing import settle
from tests.runtime.actors import Order, idle, in_order, leave, nothing, reason


async def _leave(why: object) -> None:
    raise Exit(why)


async def _exit(pid: Pid, why: object) -> None:
    pid.exit(why)


async def test_what_the_block_raises_comes_out_as_it_is_after_the_stop(autojump_clock: MockClock) -> None:
    order, error = Order(), ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:  # noqa: PT012 - the block is what it is about
        async with open_runtime() as runtime:
            for name in "abc":
                spawn_link(order.slow, name)
            await settle()
            raise error
    assert caught.value is error
    assert order.steps == in_order
    crash = reason(runtime.main)
    assert isinstance(crash, Crash)
    assert crash.exception is error


async def test_TM23_a_group_comes_out_of_the_block_as_it_is() -> None:
    async def fail() -> None:
        raise ValueError("in a task")

    with pytest.raises(ExceptionGroup) as caught:
        async with open_runtime() as runtime, trio.open_nursery() as nursery:
            nursery.start_soon(fail)
    assert caught.group_contains(ValueError)
    crash = reason(runtime.main)
    assert isinstance(crash, Crash)
    assert isinstance(crash.exception, ValueError)


@pytest.mark.parametrize("why", [NORMAL, SHUTDOWN, Shutdown("closed")])
@pytest.mark.parametrize("how", ["raised", "raised in a task", "signalled"])
async def test_a_benign_exit_leaves_the_block_quietly(why: object, how: str) -> None:
    async with open_runtime() as runtime:
        if how == "raised":
            leave(why)
        elif how == "raised in a task":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_leave, why)
        else:
            self_pid().exit(why)
    assert reason(runtime.main) == why


@pytest.mark.parametrize("how", ["raised", "raised in a task", "signalled"])
async def test_any_other_exit_comes_out_of_the_block(how: str) -> None:
    with pytest.raises(Exit) as caught:  # noqa: PT012 - the block is what it is about
        async with open_runtime() as runtime:
            if how == "raised":
                leave("boom")
            elif how == "raised in a task":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_leave, "boom")
            else:
                spawn(_exit, self_pid(), "boom")
                await trio.sleep_forever()
    assert caught.value.reason == "boom"
    assert reason(runtime.main) == "boom"


async def test_S12_a_child_that_does_not_start_is_not_left_quietly() -> None:
    async def refuses() -> Error:
        return Error("no database")

    with pytest.raises(Exit) as caught:  # noqa: PT012 - the block is what it is about
        async with open_runtime():
            await Supervisor.start_link([ChildSpec(id="store", start=(refuses, (), {}))])
            await trio.sleep_forever()
    assert caught.value.reason == Shutdown(("failed_to_start_child", "store", "no database"))


async def test_X1_the_crash_of_a_linked_process_ends_the_block_with_its_cause() -> None:
    async def crash() -> None:
        raise ValueError("of the child")

    with pytest.raises(Exit) as caught:  # noqa: PT012 - the block is what it is about
        async with open_runtime():
            spawn_link(crash)
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, ValueError)
    assert str(caught.value) == "(ValueError) of the child"


async def test_a_cleanup_of_the_block_that_fails_is_not_lost() -> None:
    with pytest.raises(LookupError):  # noqa: PT012 - the block is what it is about
        async with open_runtime() as runtime:
            spawn(_exit, self_pid(), SHUTDOWN)
            try:
                await trio.sleep_forever()
            finally:
                raise LookupError
    assert reason(runtime.main) == SHUTDOWN


async def test_X3_main_can_trap_exits() -> None:
    async with open_runtime() as runtime:
        trap_exit()
        pid = spawn(_exit, self_pid(), SHUTDOWN)
        assert await receive() == Exited(pid, SHUTDOWN)
    assert reason(runtime.main) == NORMAL


async def test_after_the_block_there_is_no_process_any_more() -> None:
    async with open_runtime() as runtime:
        assert self_pid() is runtime.main
    with pytest.raises(NotAProcessError):
        self_pid()
    runtime.main.send("too late")
    assert runtime.statistics().messages == 0


async def test_two_runtimes_knownothing_of_each_other() -> None:
    async def world(found: list[tuple[Pid | None, Pid]]) -> None:
        async with open_runtime() as runtime:
            register("main")
            await settle()
            found.append((whereis("main"), runtime.main))

    found: list[tuple[Pid | None, Pid]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world, found)
        nursery.start_soon(world, found)
    assert all(named is main for named, main in found)
    assert found[0][0] is not found[1][0]


async def test_code_that_is_no_process_can_spawn_and_signal_but_is_never_reached() -> None:
    async def task(runtime: Runtime) -> None:
        pid = runtime.spawn(idle, link=True)
        await settle()
        pid.exit("boom")
        runtime.outside.exit(KILL)
        runtime.outside.send("nobody is there")
        assert await runtime.ended(pid) == "boom"
        assert await runtime.ended(runtime.spawn(nothing)) == NORMAL
        done.set()

    done = trio.Event()
    async with open_runtime() as runtime:
        trio.lowlevel.spawn_system_task(task, runtime)
        await done.wait()
