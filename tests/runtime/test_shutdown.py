from __future__ import annotations

import math
import signal
from collections.abc import Callable
from contextvars import Context

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Down,
    Exit,
    Exited,
    NotAProcessError,
    Pid,
    Runtime,
    Shutdown,
    events,
    link,
    monitor,
    open_runtime,
    own,
    receive,
    register,
    self_pid,
    spawn,
    spawn_link,
    trap_exit,
    whereis,
)
from tests.runtime.actors import Actor, actors, emitted, idle, leave, reason, settled


class Order:
    """Processes that take their time to end, and the order in which they do."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def slow(self, name: str, seconds: float = 1) -> None:
        trap_exit()
        message = await receive()
        assert isinstance(message, Exited)
        assert message.pid is self_pid().parent
        self.steps.append(f"{name} told {message.reason}")
        await trio.sleep(seconds)
        self.steps.append(f"{name} gone")

    async def orphan(self, name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.steps.append(f"{name} gone")


async def stubborn(seconds: float) -> None:
    """Be a process that shields itself."""
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


in_order = ["c told shutdown", "c gone", "b told shutdown", "b gone", "a told shutdown", "a gone"]


async def test_S50_TM31_children_are_stopped_one_by_one_the_last_first(autojump_clock: MockClock) -> None:
    order = Order()
    async with open_runtime() as runtime:
        for name in "abc":
            spawn_link(order.slow, name)
        await settled()
    assert order.steps == in_order
    assert runtime.processes == {}
    assert trio.current_time() == 3


async def test_S50_TM30_an_outer_cancellation_stops_in_order_too(autojump_clock: MockClock) -> None:
    order = Order()
    with trio.move_on_after(10) as outer:
        async with open_runtime() as runtime:
            for name in "abc":
                spawn_link(order.slow, name)
            await trio.sleep_forever()
    assert outer.cancelled_caught
    assert order.steps == in_order
    assert reason(runtime.main) == SHUTDOWN


async def test_TM30_a_runtime_can_be_opened_where_all_is_cancelled() -> None:
    ran = []
    with trio.CancelScope() as outer:
        outer.cancel()
        async with open_runtime():
            ran.append("block")
            await trio.lowlevel.checkpoint()
    assert outer.cancelled_caught


async def test_TM31_who_is_nobodys_child_is_killed_at_the_end(autojump_clock: MockClock) -> None:
    order = Order()

    async def parent() -> None:
        spawn(order.orphan, "grandchild")
        await order.slow("child")

    async with open_runtime():
        spawn(parent)
        await settled()
    assert order.steps == ["child told shutdown", "child gone", "grandchild gone"]


async def test_TM31_children_that_take_too_long_are_killed(autojump_clock: MockClock) -> None:
    order = Order()
    async with open_runtime(stop_timeout=10):
        first, last = spawn(order.slow, "first", 3), spawn(order.slow, "last", 1000)
        await settled()
    assert trio.current_time() == 10
    assert reason(first) == reason(last) == KILLED
    assert order.steps == ["last told shutdown"]


async def test_a_process_that_makes_more_and_more_is_stopped_too() -> None:
    async def breed() -> None:
        spawn(breed)
        spawn(breed)
        await trio.lowlevel.checkpoint()

    async with open_runtime() as runtime:
        spawn(breed)
        await trio.lowlevel.checkpoint()
    assert runtime.processes == {}


async def test_a_process_that_is_started_from_outside_meanwhile_is_stopped_too() -> None:
    started: list[Pid] = []

    async def obstinate() -> None:
        trap_exit()
        while True:
            await receive()

    async with open_runtime(stop_timeout=0) as runtime:
        pid = spawn(obstinate)
        own(pid, lambda _: started.append(Context().run(runtime.spawn, idle)))
        await settled()
    assert reason(started[0]) == KILLED


async def test_P15_main_is_ending_while_its_children_are_stopped(autojump_clock: MockClock) -> None:
    seen: list[object] = []

    async def child(main: Pid) -> None:
        trap_exit()
        await receive()
        seen.append(main.alive)
        main.exit(KILL)
        await trio.sleep(30)

    with emitted(events.zombie) as zombies:
        async with open_runtime() as runtime:
            spawn(child, self_pid())
            await settled()
    assert seen == [False]
    assert zombies == []
    assert reason(runtime.main) == NORMAL


# ------------------------------------------------------------------------------------------------- the block


async def test_what_the_block_raises_comes_out_as_it_is_after_the_stop(autojump_clock: MockClock) -> None:
    order, error = Order(), ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:  # noqa: PT012 - the block is what it is about
        async with open_runtime() as runtime:
            for name in "abc":
                spawn_link(order.slow, name)
            await settled()
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


async def test_two_runtimes_know_nothing_of_each_other() -> None:
    async def world(found: list[tuple[Pid | None, Pid]]) -> None:
        async with open_runtime() as runtime:
            register("main")
            await settled()
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
        await settled()
        pid.exit("boom")
        runtime.outside.exit(KILL)
        runtime.outside.send("nobody is there")
        assert await runtime.ended(pid) == "boom"
        assert await runtime.ended(runtime.spawn(_nothing)) == NORMAL
        done.set()

    done = trio.Event()
    async with open_runtime() as runtime:
        trio.lowlevel.spawn_system_task(task, runtime)
        await done.wait()


# ---------------------------------------------------------------------------------------------------- zombies


async def test_TM10_TM7_a_process_that_shields_itself_from_a_kill_is_given_up(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        watcher = Actor(trap=True)
        pid = spawn(stubborn, 60)
        await settled()
        register("stubborn", pid)
        await watcher.do(link, pid)
        ref = await watcher.do(monitor, pid)
        with emitted(events.zombie) as zombies:
            pid.exit(KILL)
            await trio.sleep(4.9)
            assert watcher.mail == []
            assert whereis("stubborn") is pid
            await trio.sleep(0.2)
        assert watcher.mail == [Exited(pid, KILLED), Down(ref, pid, KILLED)]
        assert whereis("stubborn") is None
        assert zombies == [{"pid": pid, "reason": KILLED}]
        assert runtime.statistics().zombies == 1
        pid.send("dropped")
        assert pid.statistics().length == 0
        await trio.sleep(60)
        assert runtime.statistics().zombies == 0
        assert len(watcher.mail) == 2


async def test_TM10_a_process_that_ends_in_time_is_no_zombie(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(stubborn, 3)
        await settled()
        with emitted(events.zombie) as zombies:
            pid.exit(KILL)
            pid.exit(KILL)
            assert await runtime.ended(pid) == KILLED
            assert trio.current_time() == 3
            assert runtime.statistics().timers == 0
            await trio.sleep(10)
        assert zombies == []


async def test_TM7_other_signals_than_kill_leave_a_shield_its_time(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(stubborn, 60)
        await settled()
        pid.exit(SHUTDOWN)
        assert await runtime.ended(pid) == SHUTDOWN
        assert trio.current_time() == 60


async def test_P15_TM10_a_kill_ends_the_patience_with_one_who_ends_slowly(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(stubborn, 60)
        await settled()
        pid.exit(SHUTDOWN)
        await trio.sleep(10)
        pid.exit(KILL)
        assert await runtime.ended(pid) == SHUTDOWN
        assert trio.current_time() == 15


async def test_TM10_the_grace_can_be_chosen(autojump_clock: MockClock) -> None:
    for grace, expected in ((0.5, 0.5), (math.inf, 60)):
        begin = trio.current_time()
        async with open_runtime(kill_grace=grace) as runtime:
            pid = spawn(stubborn, 60)
            await settled()
            pid.exit(KILL)
            await runtime.ended(pid)
            assert trio.current_time() == begin + expected


async def test_TM10_S50_a_zombie_does_not_keep_the_others_from_being_stopped(autojump_clock: MockClock) -> None:
    order = Order()
    times: list[float] = []

    async def first() -> None:
        await order.slow("first")
        times.append(trio.current_time())

    async with open_runtime(stop_timeout=10):
        spawn(first)
        spawn(stubborn, 100)
        await settled()
    assert order.steps == []  # killed together, when the time was over
    assert times == []
    assert trio.current_time() == 100  # a block cannot be left before its tasks have ended


async def test_TM10_a_zombie_that_goes_on_finds_itself_dead(autojump_clock: MockClock) -> None:
    seen: list[object] = []

    async def body(friend: Pid) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)
            attempts = (lambda: link(friend), lambda: spawn(idle), lambda: register("zombie"), trap_exit)
            seen.extend(_failure(attempt) for attempt in attempts)
            try:
                await receive()
            except Exit as error:
                seen.append(error.reason)

    async with open_runtime():
        (friend,) = await actors(1)
        pid = spawn(body, friend.pid)
        await settled()
        pid.exit(KILL)
        await trio.sleep(30)
    assert seen == [KILLED] * 5


# ------------------------------------------------------------------------------------------ KeyboardInterrupt


def test_TM33_ctrl_c_in_a_process_is_for_main() -> None:
    steps: list[str] = []

    async def worker() -> None:
        signal.raise_signal(signal.SIGINT)
        steps.append("the worker goes on")
        trap_exit()
        message = await receive()
        assert isinstance(message, Exited)
        steps.append(f"told {message.reason}")

    async def program() -> None:
        async with open_runtime():
            spawn(worker)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert steps == ["the worker goes on", "told shutdown"]


def test_TM33_ctrl_c_while_stopping_kills_what_is_left() -> None:
    steps: list[str] = []

    async def worker() -> None:
        trap_exit()
        await receive()
        steps.append("told")
        signal.raise_signal(signal.SIGINT)
        try:
            await trio.sleep(30)
        finally:
            steps.append(f"gone at {trio.current_time()}")

    async def program() -> None:
        async with open_runtime():
            spawn(worker)
            await settled()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert steps == ["told", "gone at 0.0"]


def test_TM33_ctrl_c_in_a_port_is_for_main_too() -> None:
    steps: list[str] = []

    def port(_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        steps.append("the port goes on")

    async def program() -> None:
        async with open_runtime():
            actor = await _port(port)
            actor.send("hello")
            steps.append("so does main")
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert steps == ["the port goes on", "so does main"]


async def _port(port: Callable[[object], None]) -> Pid:
    async def body() -> None:
        self_pid().port = port
        await trio.sleep_forever()

    pid = spawn(body)
    await settled()
    return pid


async def _nothing() -> None:
    pass


async def _leave(why: object) -> None:
    raise Exit(why)


async def _exit(pid: Pid, why: object) -> None:
    pid.exit(why)


def _failure(attempt: Callable[[], object]) -> object:
    try:
        attempt()
    except Exit as error:
        return error.reason
    return None
