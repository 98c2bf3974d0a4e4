"""The ends of functions that threads run by `from_thread`, and of the runtime; and calls without one (TM34)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
import trio

from phxactor import from_thread
from phxactor.otp import PartitionSupervisor, call
from phxactor.pubsub import PubSub
from phxactor.runtime import (
    KILL,
    KILLED,
    Exit,
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
    spawn_monitor,
)
from tests.patience import PATIENCE
from tests.runtime.thread_kinds import Doubler, in_a_foreign_thread, in_a_thread_of_the_process, who


async def a_moment() -> None:
    """Let threads, of which trio knows nothing, go on."""
    await trio.sleep(0.001)


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
