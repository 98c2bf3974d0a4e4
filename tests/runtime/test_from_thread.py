"""Threads reach processes by `from_thread`: at once, in order, and with an answer or an error (TM34)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final

import pytest
import trio

from phxactor import from_thread
from phxactor.otp import Called, Registry
from phxactor.pubsub import PubSub
from phxactor.runtime import (
    Exit,
    NoProcessError,
    Pid,
    Runtime,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    spawn_link,
    unlink,
    unregister,
)
from phxactor.testing import settle
from tests.runtime.thread_kinds import Doubler, Work, _future, in_a_foreign_thread, in_a_thread_of_the_process, who

Place = Callable[[Work], Awaitable[Any]]


COLOUR: Final = ContextVar("colour", default="none")


async def in_a_thread_that_may_be_abandoned(work: Work) -> object:
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


async def in_a_thread_with_a_copy_of_the_context(work: Work) -> object:
    context = copy_context()
    return await _future(lambda done: threading.Thread(target=done, args=(partial(context.run, work),)).start())


async def in_a_pool(work: Work) -> object:
    with ThreadPoolExecutor(1) as pool:
        return await _future(lambda done: pool.submit(done, work))


async def in_asyncio(work: Work) -> object:
    async def run() -> object:
        return work()

    return await in_a_foreign_thread(lambda: asyncio.run(run()))


OWN: Final = [in_a_thread_of_the_process]


OTHERS: Final = [in_a_foreign_thread, in_a_pool, in_asyncio]


COPIES: Final = [in_a_thread_that_may_be_abandoned, in_a_thread_with_a_copy_of_the_context]


PLACES: Final[list[Place]] = [*OWN, *OTHERS, *COPIES]


anywhere = pytest.mark.parametrize("place", PLACES)


@anywhere
async def test_TM34_what_a_thread_sends_arrives_in_its_order(place: Place, phx_runtime: Runtime) -> None:
    me = self_pid()
    register("me")

    def work() -> None:
        for number in range(50):
            from_thread.send(me, number)
            from_thread.send("me", number)
            from_thread.run_sync(me.send, number)

    await place(work)
    assert [await receive() for _ in range(150)] == [number for number in range(50) for _ in range(3)]
    unregister("me")


@anywhere
async def test_TM34_what_is_sent_has_arrived(place: Place, phx_runtime: Runtime) -> None:
    me, lengths = self_pid(), list[int]()

    def work() -> None:
        from_thread.send(me, 1)
        lengths.append(me.statistics().length)

    await place(work)
    assert lengths == [1]
    await receive()


@anywhere
async def test_TM34_a_call_has_its_answer_in_the_thread(place: Place, phx_runtime: Runtime) -> None:
    server = (await Doubler.start_link(name="doubler")).unwrap()
    (await Registry.start_link(keys="unique", name="names")).unwrap()
    via = Registry.via("names", "a")
    (await Doubler.start_link(name=via)).unwrap()
    for address in (server, "doubler", via):
        assert await place(partial(from_thread.call, address, 21)) == 42
    assert not self_pid().mailbox


@anywhere
@pytest.mark.parametrize(
    ("server", "reason", "timeout"), [("nobody", "noproc", 5.0), ("deaf", "timeout", 0.0), ("doubler", None, 5.0)]
)
async def test_TM34_the_exit_of_a_call_is_raised_in_the_thread(
    server: str, reason: object, timeout: float, place: Place, phx_runtime: Runtime
) -> None:
    (await Doubler.start(name="doubler")).unwrap()
    deaf = spawn(trio.sleep_forever)
    register("deaf", deaf)
    caught: list[Exit] = []

    def work() -> str:
        try:
            from_thread.call(server, {}, timeout)
        except Exit as error:
            caught.append(error)
        return "goes on"

    assert await place(work) == "goes on"
    assert isinstance(caught[0].reason, tuple)
    why, called = caught[0].reason
    assert isinstance(called, Called)
    if reason is None:
        assert "unsupported operand" in str(why.exception)
    else:
        assert why == reason


@anywhere
async def test_TM34_a_cast_arrives_and_one_to_nobody_is_no_error(place: Place, phx_runtime: Runtime) -> None:
    (await Doubler.start_link(name="doubler")).unwrap()
    me = self_pid()

    def work() -> None:
        from_thread.cast("nobody", me)
        from_thread.cast("doubler", me)

    await place(work)
    assert await receive() == "cast"


@anywhere
async def test_TM34_a_broadcast_is_heard(place: Place, phx_runtime: Runtime) -> None:
    pubsub = PubSub("news")
    (await pubsub.start_link()).unwrap()
    pubsub.subscribe("weather")
    await place(partial(from_thread.broadcast, pubsub, "weather", "rain"))
    assert await receive() == "rain"


@anywhere
async def test_TM34_errors_are_raised_in_the_thread(place: Place, phx_runtime: Runtime) -> None:
    with pytest.raises(NoProcessError, match="no process is registered as 'nobody'"):
        await place(partial(from_thread.send, "nobody", 1))
    with pytest.raises(NoProcessError, match="the PubSub 'news' does not run"):
        await place(partial(from_thread.broadcast, PubSub("news"), "weather", 1))
    with pytest.raises(ZeroDivisionError):
        await place(partial(from_thread.run_sync, lambda: 1 // 0))

    async def interrupts() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await place(partial(from_thread.run, interrupts))


@anywhere
async def test_TM34_a_function_sees_the_context_of_the_thread(place: Place, phx_runtime: Runtime) -> None:
    async def colour() -> str:
        await trio.lowlevel.checkpoint()
        return COLOUR.get()

    def work() -> tuple[str, str]:
        COLOUR.set("red")
        return from_thread.run(colour), from_thread.run_sync(COLOUR.get)

    assert await place(work) == ("red", "red")
    assert COLOUR.get() == "none"


@anywhere
async def test_TM34_an_asynchronous_function_is_run_by_a_process(place: Place, phx_runtime: Runtime) -> None:
    me = self_pid()
    pid, parent = await place(partial(from_thread.run, who))
    if place in OWN:
        assert pid is me
    else:
        assert pid is not me
        assert not pid.alive
        assert parent is phx_runtime.outside
    assert phx_runtime.statistics().processes == 1


@anywhere
async def test_TM34_what_it_spawns_has_a_task_and_the_parent_that_it_should(place: Place, phx_runtime: Runtime) -> None:
    me = self_pid()
    pid = await place(partial(from_thread.spawn, receive))
    assert pid.alive
    assert pid.parent is (phx_runtime.outside if place in OTHERS else me)
    pid.send("end")
    await settle()
    assert not pid.alive


async def test_TM34_a_thread_of_a_process_is_that_process(phx_runtime: Runtime) -> None:
    me = self_pid()

    def work() -> Pid:
        assert from_thread.run_sync(self_pid) is me
        return from_thread.run_sync(spawn_link, trio.sleep_forever)

    linked = await trio.to_thread.run_sync(work)
    assert list(me.links or ()) == [linked]
    unlink(linked)


async def test_TM34_the_thread_of_another_runtime_is_no_process_here(phx_runtime: Runtime) -> None:
    me, result = self_pid(), list[object]()

    async def elsewhere() -> None:
        async with open_runtime():

            def work() -> None:
                from_thread.send(me, "from elsewhere")
                pid = from_thread.spawn(receive, runtime=me.runtime)
                result.append(pid.parent)
                from_thread.send(pid, "end")
                result.append(from_thread.run(who, runtime=me.runtime)[1])

            await trio.to_thread.run_sync(work)

    await trio.to_thread.run_sync(trio.run, elsewhere)
    assert await receive() == "from elsewhere"
    await settle()
    assert result == [phx_runtime.outside] * 2
