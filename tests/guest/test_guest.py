"""A runtime within an asyncio program: its start and end, calls both ways, and what is a mistake."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest
import trio
import uvloop
from websockets.asyncio.client import connect

from phxactor import (
    Application,
    Channel,
    ChildSpec,
    Endpoint,
    GenServer,
    Ok,
    Socket,
    channel,
    mount,
    on,
    self_pid,
    send,
)
from phxactor.asyncio import asyncio_call
from phxactor.guest import Guest, GuestError, ProcessExitError, open_guest, process_call
from phxactor.otp import Error, Reply, Task, call, cast
from phxactor.runtime import KILL, NotAProcessError, receive, spawn, whereis
from tests.demos.program import environment
from tests.patience import PATIENCE

pytestmark = pytest.mark.socket

var: ContextVar[str] = ContextVar("var", default="unset")


class Store(GenServer):
    """Keeps a value."""

    value = 0

    async def handle_call(self, message: Any, _: object) -> Reply:  # noqa: ANN401
        if message == "sleep":
            return Reply(await asyncio_call(asyncio.sleep, 0, "slept"))
        return Reply(self.value)

    async def handle_cast(self, message: Any) -> None:  # noqa: ANN401
        self.value += message


class Room(Channel):
    """Echoes."""

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)


class UserSocket(Socket, log=False):
    """Any room."""

    channels = (channel("room:*", Room),)


def application(*more: ChildSpec, **options: Any) -> Application:  # noqa: ANN401
    store = ChildSpec(id="store", start=(Store.start_link, (), {"name": "store"}))
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], port=0)
    return Application(children=[store, *more], endpoints=[endpoint], **options)


async def no_start() -> Error:
    return Error("the database is not there")


def in_asyncio(main: Callable[[], Awaitable[None]], loop: str = "asyncio") -> None:
    """Run a test on asyncio, with patience."""

    async def patient() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        runner.run(patient())


def url_of(guest: Guest) -> str:
    (endpoint,) = guest.application.endpoints
    assert endpoint.address is not None
    return f"ws://127.0.0.1:{endpoint.address.port}/socket/websocket?vsn=2.0.0"


# ------------------------------------------------------------------------------------------------ start and end


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_clients_are_served_and_let_go(loop: str) -> None:
    async def main() -> None:
        async with open_guest(application(), stuck_after=math.inf) as guest:  # the watchdog would wake trio
            (endpoint,) = guest.application.endpoints
            async with connect(url_of(guest)) as client:
                await client.send('["1","1","room:1","phx_join",{}]')
                assert "ok" in str(await client.recv())
                for _ in range(3):
                    await asyncio.sleep(0.05)  # trio is asleep; a broadcast wakes it
                    endpoint.broadcast("room:1", "news", {})
                    async with asyncio.timeout(PATIENCE / 20):  # less than what else would wake trio
                        assert str(await client.recv()) == '[null,null,"room:1","news",{}]'
                guest.stop()
                await client.wait_closed()
                assert client.close_code == 1012
        with pytest.raises(NotAProcessError):
            await process_call(call, "store", None)

    in_asyncio(main, loop)


def test_one_follows_the_other() -> None:
    async def main() -> None:
        for _ in range(2):
            async with open_guest(application()):
                assert await process_call(call, "store", None) == 0

    in_asyncio(main)


def test_what_cannot_start() -> None:
    async def main() -> None:
        with pytest.raises(GuestError, match="the database is not there"):
            async with open_guest(application(ChildSpec(id="broken", start=(no_start, (), {})))):
                raise AssertionError
        async with open_guest(application()):
            pass

    in_asyncio(main)


def test_one_that_ends_by_itself_interrupts_the_block() -> None:
    async def main() -> None:
        with pytest.raises(GuestError, match=r"phxactor has ended: \{:root_ended, :shutdown\}"):  # noqa: PT012
            async with open_guest(application(max_restarts=0)):
                store = whereis("store")
                assert store is not None
                store.exit(KILL)
                await asyncio.sleep(PATIENCE)
        await asyncio.sleep(0)  # the task is not cancelled any more
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    in_asyncio(main)


def test_an_exception_of_the_block_ends_it_in_order() -> None:
    ended = []

    async def last() -> None:
        try:
            await receive()
        finally:
            ended.append(True)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with open_guest(application(ChildSpec(id="last", start=(Task.start_link, (last,), {})))):
                raise ZeroDivisionError

    in_asyncio(main)
    assert ended


def test_a_cancelled_program_ends_it() -> None:
    async def main() -> None:
        async def program() -> None:
            async with open_guest(application()):
                started.set()
                await asyncio.sleep(PATIENCE)

        started = asyncio.Event()
        task = asyncio.create_task(program())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with open_guest(application()):
            pass

    in_asyncio(main)


def test_signals_stay_the_hosts() -> None:
    async def main() -> None:
        came = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, came.set)
        async with open_guest(application()):
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            await came.wait()

    in_asyncio(main)


# ----------------------------------------------------------------------------------------------------- mistakes


def test_a_second_guest_of_a_thread() -> None:
    async def main() -> None:
        async with open_guest(application()):
            with pytest.raises(
                RuntimeError, match="a thread has one: give all children and endpoints to one Application"
            ):
                async with open_guest(application()):
                    raise AssertionError
            assert await process_call(call, "store", None) == 0

    in_asyncio(main)


async def test_within_trio() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="trio runs in this thread already"):
            await Guest(application(), care, server=False).start()

    from phxactor.guest import Care  # noqa: PLC0415

    care = Care()
    loop = asyncio.SelectorEventLoop()  # not by asyncio's policy, which trio-asyncio, once imported, changes
    task = loop.create_task(main())
    task.add_done_callback(lambda _: loop.stop())
    try:
        loop.run_forever()
    finally:
        loop.close()
    task.result()


def test_what_is_no_application() -> None:
    given: Any = Store
    with pytest.raises(TypeError, match="give an Application or an Endpoint"):
        open_guest(given)


ABANDONED = """
import asyncio
from phxactor import Application
from phxactor.guest import open_guest

async def main():
    await open_guest(Application()).__aenter__()

asyncio.run(main())
try:
    asyncio.run(main())
except RuntimeError as error:
    print(error)
"""


@pytest.mark.slow
def test_one_that_was_abandoned_is_told_at_the_next() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABANDONED],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(),
        check=False,
    )
    assert done.stdout.startswith("an earlier guest of this thread was abandoned: its asyncio loop was closed"), (
        done.stderr
    )


# ------------------------------------------------------------------------------------------ calls to processes


def test_a_process_answers_a_task() -> None:
    async def main() -> None:
        async with open_guest(application()):
            cast("store", 3)
            assert await process_call(call, "store", None, timeout=PATIENCE) == 3
            assert await process_call(call, "store", "sleep") == "slept"
            with pytest.raises(ZeroDivisionError):
                await process_call(broken)
            with pytest.raises(ProcessExitError, match="noproc") as gone:
                await process_call(call, "nobody", None)
            assert isinstance(gone.value.reason, tuple)

    async def broken() -> None:
        raise ZeroDivisionError

    in_asyncio(main)


def test_it_has_the_context_of_the_task() -> None:
    async def look() -> tuple[str, bool]:
        return var.get(), self_pid().alive

    async def main() -> None:
        async with open_guest(application()):
            var.set("of the task")
            assert await process_call(look) == ("of the task", True)

    in_asyncio(main)


def test_many_at_once() -> None:
    async def add(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return number + 1

    async def main() -> None:
        async with open_guest(application()) as guest:
            assert guest.runtime is not None
            before = guest.runtime.statistics().processes
            found = await asyncio.gather(*[process_call(add, number) for number in range(200)])
            assert found == list(range(1, 201))
            assert guest.runtime.statistics().processes == before

    in_asyncio(main)


def test_a_cancelled_task_ends_its_process_first() -> None:
    ended = []

    async def slow() -> None:
        try:
            await trio.sleep(PATIENCE)
        finally:
            ended.append(self_pid())

    async def main() -> None:
        async with open_guest(application()):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await process_call(slow)
            assert len(ended) == 1

    in_asyncio(main)


def test_a_process_that_is_ended_from_outside_is_an_error() -> None:
    async def slow() -> None:
        send("store", "here")
        await trio.sleep(PATIENCE)

    async def main() -> None:
        async with open_guest(application()) as guest:
            assert guest.runtime is not None
            waiting = asyncio.create_task(process_call(slow))
            await asyncio.sleep(0.05)
            (pid,) = [pid for pid in guest.runtime.processes.values() if "slow" in str(pid.initial_call)]
            pid.exit(KILL)
            with pytest.raises(ProcessExitError, match="the process has ended: :killed"):
                await waiting

    in_asyncio(main)


async def test_a_process_needs_none_of_it() -> None:
    async def nothing() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="a process awaits the function itself"):
        await process_call(nothing)


def test_other_threads_are_other_programs() -> None:
    """Two loops in two threads have a guest each."""
    found = []

    async def main() -> None:
        async with open_guest(application()):
            cast("store", 1)
            found.append(await process_call(call, "store", None))

    def run() -> None:
        asyncio.run(main())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [1, 1]


def test_what_never_waits_may_be_called_by_a_task() -> None:
    found = []

    async def process() -> None:
        found.append(self_pid().alive)

    async def main() -> None:
        async with open_guest(application()):
            assert whereis("store") is not None
            spawn(process)
            cast("store", 2)
            assert await process_call(call, "store", None) == 2
            with pytest.raises(NotAProcessError):
                self_pid()
            with pytest.raises(NotAProcessError):
                await receive()

    in_asyncio(main)
    assert found == [True]

    in_asyncio(main)
