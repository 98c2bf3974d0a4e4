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
from phxactor.otp import Called, GenServer, PartitionSupervisor, Registry, Reply, call
from phxactor.pubsub import PubSub
from phxactor.runtime import (
    KILL,
    KILLED,
    Exit,
    From,
    NoProcessError,
    NotAProcessError,
    Pid,
    Runtime,
    WrongThreadError,
    link,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    spawn_link,
    spawn_monitor,
    unlink,
    unregister,
)
from phxactor.testing import settle
from tests.patience import PATIENCE

Work = Callable[[], Any]
Place = Callable[[Work], Awaitable[Any]]
COLOUR: Final = ContextVar("colour", default="none")


async def in_a_thread_of_the_process(work: Work) -> object:
    return await trio.to_thread.run_sync(work)


async def in_a_thread_that_may_be_abandoned(work: Work) -> object:
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


async def in_a_foreign_thread(work: Work) -> object:
    return await _future(lambda done: threading.Thread(target=done, args=(work,)).start())


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


async def _future(start: Callable[[Callable[[Work], None]], object]) -> object:
    """Wait for a thread that is not trio's, as long as the tests' patience lasts."""
    results: list[tuple[object, BaseException | None]] = []
    token, over = trio.lowlevel.current_trio_token(), trio.Event()

    def done(work: Work) -> None:
        try:
            results.append((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised in the test
            results.append((None, error))
        token.run_sync_soon(over.set)

    start(done)
    with trio.fail_after(PATIENCE):
        await over.wait()
    value, error = results[0]
    if error is not None:
        raise error
    return value


async def a_moment() -> None:
    """Let threads, of which trio knows nothing, go on."""
    await trio.sleep(0.001)


OWN: Final = [in_a_thread_of_the_process]
OTHERS: Final = [in_a_foreign_thread, in_a_pool, in_asyncio]
COPIES: Final = [in_a_thread_that_may_be_abandoned, in_a_thread_with_a_copy_of_the_context]
PLACES: Final[list[Place]] = [*OWN, *OTHERS, *COPIES]

anywhere = pytest.mark.parametrize("place", PLACES)


class Doubler(GenServer):
    async def handle_call(self, request: Any, from_: From) -> Reply:  # noqa: ANN401
        return Reply(request * 2)

    async def handle_cast(self, request: Any) -> None:  # noqa: ANN401
        request.send("cast")


# --------------------------------------------------------------------------------------------------- what it can do


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


# ------------------------------------------------------------------------------------------------- who it is there


async def who() -> tuple[Pid, Pid | None]:
    """Tell the process that runs this, and its parent, after a message to itself."""
    me = self_pid()
    me.send("mine")
    assert await receive(lambda message: message == "mine") == "mine"
    return me, me.parent


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


# ------------------------------------------------------------------------------------------------ when something ends


async def test_TM34_the_kill_of_the_process_ends_the_call_of_its_thread(phx_runtime: Runtime) -> None:
    raised: list[BaseException] = []
    deaf = spawn(trio.sleep_forever)

    def work() -> None:
        try:
            from_thread.call(deaf, "never answered", None)
        except BaseException as error:
            raised.append(error)
            raise

    pid, watch = spawn_monitor(trio.to_thread.run_sync, work)
    while not deaf.mailbox:
        await a_moment()
    pid.exit(KILL)
    with trio.fail_after(PATIENCE):
        down = await receive()
    assert (down.ref, down.reason) == (watch, KILLED)
    assert isinstance(raised[0], trio.Cancelled)


async def test_TM34_a_time_out_ends_the_function_of_a_thread(phx_runtime: Runtime) -> None:
    with trio.move_on_after(0.01) as scope:
        await trio.to_thread.run_sync(from_thread.run, trio.sleep_forever)
    assert scope.cancelled_caught


@pytest.mark.allow_leaks("a function that runs when the runtime stops is the subject")
@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_TM34_a_foreign_thread_is_told_that_its_function_was_killed(how: str) -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            from_thread.run(trio.sleep_forever, runtime=runtime)
        except BaseException as error:  # noqa: BLE001 - it is what the test asks for
            raised.append(error)

    async with open_runtime() as runtime:
        thread = threading.Thread(target=work)
        thread.start()
        while not (runners := runtime.others()):
            await a_moment()
        assert [pid.initial_call for pid in runners] == ["sleep_forever"]
        if how == "killed":
            runners[0].exit(KILL)
            await runtime.ended(runners[0])
    await trio.to_thread.run_sync(thread.join)
    (error,) = raised
    assert isinstance(error, Exit)
    assert error.reason == KILLED


async def test_TM34_a_call_that_waits_ends_with_its_server_when_the_program_stops() -> None:
    raised: list[Exit] = []

    def work() -> None:
        try:
            from_thread.call(deaf, "never answered", None)
        except Exit as error:
            raised.append(error)

    async with open_runtime():
        deaf = spawn(trio.sleep_forever)
        thread = threading.Thread(target=work)
        thread.start()
        while not deaf.mailbox:
            await a_moment()
    await trio.to_thread.run_sync(thread.join)
    assert raised[0].reason[0] == "shutdown"  # type: ignore[index]


async def test_TM34_an_abandoned_thread_whose_process_has_ended(phx_runtime: Runtime) -> None:
    me, go, results = self_pid(), threading.Event(), list[object]()

    def work() -> None:
        go.wait()
        try:
            from_thread.spawn(trio.sleep_forever)
        except Exit as error:
            results.append(error.reason)
        results.append(from_thread.run(who)[1])
        from_thread.send(me, "it is done")

    async def abandons() -> None:
        with trio.move_on_after(0.01):
            await trio.to_thread.run_sync(work, abandon_on_cancel=True)

    pid = spawn(abandons)
    await phx_runtime.ended(pid)
    go.set()
    assert await receive() == "it is done"
    assert results == ["normal", phx_runtime.outside]


ENDED: Final[dict[str, Callable[[Pid], object]]] = {
    "send": lambda pid: from_thread.send(pid, 1),
    "call": lambda pid: from_thread.call(pid, 1),
    "cast": lambda pid: from_thread.cast(pid, 1),
    "spawn": lambda pid: from_thread.spawn(receive, runtime=pid.runtime),
    "run": lambda pid: from_thread.run(who, runtime=pid.runtime),
    "run_sync": lambda pid: from_thread.run_sync(print, runtime=pid.runtime),
    "broadcast": lambda pid: from_thread.broadcast(PubSub(), "a", 1, runtime=pid.runtime),
}


@pytest.mark.parametrize("name", ENDED)
@pytest.mark.parametrize("and_trio", [True, False])
async def test_TM34_a_runtime_that_has_ended_is_told(name: str, and_trio: bool) -> None:
    async def main() -> Pid:
        async with open_runtime():
            return self_pid()

    pid = await trio.to_thread.run_sync(trio.run, main) if and_trio else await main()
    with pytest.raises(NotAProcessError, match="the runtime has ended"):
        await in_a_foreign_thread(partial(ENDED[name], pid))


@pytest.mark.parametrize("function", [from_thread.run_sync, from_thread.run])
async def test_TM34_a_runtime_that_ends_before_the_turn_of_a_thread(
    function: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_runtime() as runtime:
        pass
    monkeypatch.setattr("phxactor.runtime._from_thread._checked", lambda _: runtime)  # it was open when asked
    with pytest.raises(NotAProcessError, match="the runtime has ended"):
        await in_a_foreign_thread(partial(function, who))


# ----------------------------------------------------------------------------------------------------- which runtime


async def test_TM34_without_a_runtime_it_says_so() -> None:
    with pytest.raises(NotAProcessError, match=r"no runtime is open: use phxactor.run\(...\)"):
        await in_a_foreign_thread(partial(from_thread.send, "name", 1))
    with pytest.raises(TypeError, match=r"runtime must be a Runtime, such as self_pid\(\).runtime, not 5"):
        await in_a_foreign_thread(partial(from_thread.run_sync, print, runtime=5))  # type: ignore[arg-type]


async def test_TM34_with_two_runtimes_it_wants_to_know_which() -> None:
    async def beside(task_status: trio.TaskStatus[Pid]) -> None:
        async with open_runtime():
            register("name")
            task_status.started(self_pid())
            assert await receive() == 1

    async with trio.open_nursery() as nursery:
        other = await nursery.start(beside)
        async with open_runtime():
            with pytest.raises(NotAProcessError, match="2 runtimes are open: say which one is meant, by runtime="):
                await in_a_foreign_thread(partial(from_thread.send, "name", 1))
            await in_a_foreign_thread(partial(from_thread.send, "name", 1, runtime=other.runtime))


async def test_TM34_in_its_own_thread_it_says_what_to_call(phx_runtime: Runtime) -> None:
    for use in (lambda: from_thread.send(self_pid(), 1), lambda: from_thread.run(who)):
        with pytest.raises(RuntimeError, match=r"the runtime's own thread, .*: call the function itself"):
            use()

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match=r"this is a task of another trio run, .*: make the call in a thread"):
            from_thread.send(phx_runtime.main, 1)

    await trio.to_thread.run_sync(trio.run, elsewhere)
    assert not self_pid().mailbox


async def test_TM34_the_error_of_a_direct_call_names_what_works(phx_runtime: Runtime) -> None:
    me = self_pid()

    def work() -> None:
        with pytest.raises(WrongThreadError, match=r"by phxactor\.from_thread, such as from_thread\.send"):
            me.send(1)
        with pytest.raises(WrongThreadError):
            link(me)

    await trio.to_thread.run_sync(work)


# -------------------------------------------------------------------------------------------------------- many of them


async def test_TM34_many_threads_at_once_lose_nothing(phx_runtime: Runtime) -> None:
    name = (await PartitionSupervisor.start_link(Doubler, "doublers", partitions=2)).unwrap()
    assert name.alive
    servers = [(await Doubler.start_link()).unwrap() for _ in range(4)]
    me, answers = self_pid(), list[int]()

    def work(number: int) -> None:
        for step in range(25):
            answers.append(from_thread.call(servers[(number + step) % 4], step))
            from_thread.send(me, (number, step))

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(in_a_foreign_thread if number % 2 else in_a_thread_of_the_process, partial(work, number))
    assert sorted(answers) == sorted(2 * step for step in range(25) for _ in range(6))
    arrived = [await receive() for _ in range(150)]
    for number in range(6):
        assert [step for sender, step in arrived if sender == number] == list(range(25))
    assert await call(servers[0], 1) == 2
