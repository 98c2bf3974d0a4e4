"""The loop of `asyncio_call`: whose it is, where there is one, and what happens when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import outcome
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import ChildSpec, Crash, Down, Supervisor, monitor, open_runtime, receive, spawn, spawn_monitor
from phxactor.asyncio import (
    AsyncioCancelledError,
    NoAsyncioLoopError,
    asyncio_call,
    open_asyncio_loop,
    use_asyncio_loop,
)
from phxactor.otp import Task
from phxactor.runtime import Monitor, Pid, WrongThreadError
from phxactor.runtime._hints import NEEDS_TRIO
from tests.asyncio.loops import add


@pytest.fixture
async def loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
    """A runtime with a loop."""
    async with open_runtime(), open_asyncio_loop() as loop:
        yield loop


async def test_a_thread_is_refused(autojump_clock: MockClock, loop: asyncio.AbstractEventLoop) -> None:
    def call_in_thread() -> None:
        trio.run(asyncio_call, add, 1, 2)

    with pytest.raises(WrongThreadError):
        await trio.to_thread.run_sync(call_in_thread)


async def test_without_a_loop_the_error_says_how_to_have_one() -> None:
    async with open_runtime():
        with pytest.raises(NoAsyncioLoopError, match=r"open_asyncio_loop.*docs/libraries\.md"):
            await asyncio_call(add, 1, 2)


async def test_one_loop_serves_a_runtime(autojump_clock: MockClock, loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(RuntimeError, match="already"):
        async with open_asyncio_loop():
            pass
    assert await asyncio_call(add, 1, 2) == 3


async def test_each_runtime_has_its_own_loop(autojump_clock: MockClock, loop: asyncio.AbstractEventLoop) -> None:
    async def other() -> None:
        async with open_runtime():
            with pytest.raises(NoAsyncioLoopError):
                await asyncio_call(add, 1, 2)
            async with open_asyncio_loop() as second:
                assert second is not loop
                assert await asyncio_call(asyncio.get_running_loop) is second

    await trio.to_thread.run_sync(trio.run, other)
    assert await asyncio_call(asyncio.get_running_loop) is loop


def test_other_threads_have_asyncio_as_it_was() -> None:
    """The import of trio-asyncio changes the loops that asyncio makes outside of trio; it has been undone."""

    async def main() -> None:
        async with open_runtime(), open_asyncio_loop():
            assert await trio.to_thread.run_sync(asyncio.run, kind()) is asyncio.SelectorEventLoop

    async def kind() -> type:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop())

    trio.run(main)
    assert asyncio.run(kind()) is asyncio.SelectorEventLoop


async def end_by(watch: Monitor) -> Down:
    """Wait for the end of a process."""
    down = await receive(lambda message: getattr(message, "ref", None) is watch)
    assert isinstance(down, Down)
    return down


class Tree:
    """A supervised loop."""

    def __init__(self) -> None:
        self.up = trio.Event()
        self.crash = trio.Event()
        self.loops: list[asyncio.AbstractEventLoop] = []

    async def hold(self) -> None:
        async with open_asyncio_loop() as loop:
            self.loops.append(loop)
            self.up.set()
            await self.crash.wait()
            raise ValueError("the holder crashes")

    async def start(self) -> None:
        spec = ChildSpec(id="loop", start=(Task.start_link, (self.hold,), {}), restart="permanent")
        self.supervisor = (await Supervisor.start_link([spec], strategy="one_for_one")).unwrap()
        await self.up.wait()

    async def end_the_loop(self, how: str) -> None:
        self.up = trio.Event()
        if how == "crash":
            crash, self.crash = self.crash, trio.Event()
            crash.set()
        else:
            (child,) = await Supervisor.which_children(self.supervisor)
            assert isinstance(child.pid, Pid)
            child.pid.exit(how)


@pytest.mark.parametrize("how", ["crash", "shutdown", "kill"])
async def test_a_loop_that_ends_is_there_again_and_its_callers_know(autojump_clock: MockClock, how: str) -> None:
    async with open_runtime():
        tree = Tree()
        await tree.start()
        waiting = spawn(asyncio_call, asyncio.sleep, 60)
        watch = monitor(waiting)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        await tree.end_the_loop(how)
        down = await end_by(watch)
        assert isinstance(down.reason, Crash)
        assert isinstance(down.reason.exception, AsyncioCancelledError)
        await tree.up.wait()
        assert trio.current_time() == began
        assert await asyncio_call(asyncio.get_running_loop) is tree.loops[1]


@pytest.mark.parametrize("how", ["crash", "shutdown"])
async def test_calls_have_a_grace_to_end_in_order(autojump_clock: MockClock, how: str) -> None:
    ended: list[str] = []

    async def tidy(seconds: float) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(seconds)
            ended.append(f"after {seconds}")

    async with open_runtime():
        tree = Tree()
        await tree.start()
        calls = [spawn_monitor(asyncio_call, tidy, seconds) for seconds in (1, 30)]
        await wait_all_tasks_blocked()
        began = trio.current_time()
        await tree.end_the_loop(how)
        for _, watch in calls:
            await end_by(watch)
        assert trio.current_time() - began == pytest.approx(2, abs=0.5)
        assert ended == ["after 1"]


@pytest.mark.allow_leaks("a zombie, for a while")
async def test_a_task_that_never_ends_holds_up_neither_callers_nor_the_restart(autojump_clock: MockClock) -> None:
    async def never_ends() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if enough.is_set():
                    raise

    enough = trio.Event()
    async with open_runtime() as runtime:
        tree = Tree()
        await tree.start()
        _, watch = spawn_monitor(asyncio_call, never_ends)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        await tree.end_the_loop("kill")
        await end_by(watch)
        assert trio.current_time() == began
        await tree.up.wait()
        assert trio.current_time() - began == pytest.approx(5, abs=0.5)  # the killed holder counts as dead
        assert await asyncio_call(add, 1, 2) == 3
        enough.set()
        for task in asyncio.all_tasks(tree.loops[0]):
            task.cancel()
        await trio.sleep(1)
        assert runtime.statistics().zombies == 0


async def await_receive() -> None:
    await receive()


async def await_checkpoint() -> None:
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("function", [await_receive, await_checkpoint, partial(trio.sleep, 1)])
async def test_trio_within_asyncio_is_explained(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop, function: Callable[[], Awaitable[None]]
) -> None:
    with pytest.raises(RuntimeError) as caught:
        await asyncio_call(function)
    assert caught.value.__notes__ == [NEEDS_TRIO]
    assert await asyncio_call(add, 1, 2) == 3


async def test_a_guest_of_asyncio_calls_the_loop_of_its_host() -> None:
    """Without trio-asyncio: values, exceptions, cancellation; and `open_asyncio_loop` gives the same loop."""

    async def work(host: asyncio.AbstractEventLoop) -> None:
        async with open_runtime():
            with use_asyncio_loop(host):
                async with open_asyncio_loop() as loop:
                    assert loop is host
                assert await Task.async_(asyncio_call, add, 1, 2) == 3
                with pytest.raises(ZeroDivisionError):
                    await asyncio_call(divmod, 1, 0)
                with trio.move_on_after(0.01) as scope:
                    await asyncio_call(asyncio.sleep, 60)
                assert scope.cancelled_caught
                with pytest.raises(RuntimeError) as caught:
                    await asyncio_call(partial(trio.sleep, 1))
                assert caught.value.__notes__ == [NEEDS_TRIO]
                _, watch = spawn_monitor(asyncio_call, asyncio.sleep, 60)
                await wait_all_tasks_blocked()
            down = await end_by(watch)
            assert isinstance(down.reason, Crash)
            assert isinstance(down.reason.exception, AsyncioCancelledError)
            with pytest.raises(NoAsyncioLoopError):
                await asyncio_call(add, 1, 2)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[outcome.Outcome[None]] = loop.create_future()
        trio.lowlevel.start_guest_run(
            work,
            loop,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=loop.call_soon,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        (await done).unwrap()

    await trio.to_thread.run_sync(asyncio.run, main())
