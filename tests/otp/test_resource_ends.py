"""Resources that do not start, that fail, and who may ask for them."""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, GenServer, Ok, Registry, Resource, Supervisor, system
from phxactor.runtime import (
    KILL,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    NoProcessError,
    NotAProcessError,
    Pid,
    Reason,
    Runtime,
    Shutdown,
    WrongThreadError,
    monitor,
    open_runtime,
    receive,
    send,
    spawn,
    spawn_monitor,
    trap_exit,
    whereis,
)
from phxactor.testing import settle
from tests.cycles import leaves_no_cycles
from tests.otp.opened import Opened


def refuses() -> None:
    raise ConnectionRefusedError("nobody listens")


async def test_it_does_not_start_if_entering_raises(phx_runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    it = Opened()
    it.on_enter = refuses
    trap_exit()
    started = await Supervisor.start_link([it.resource], strategy="one_for_one")
    assert isinstance(started, Error)
    assert isinstance(started.reason, Shutdown)
    assert isinstance(started.reason.detail, tuple)
    reason: object = started.reason.detail[2]
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, ConnectionRefusedError)
    assert it.log == ["left"]
    assert whereis("pool") is None
    (record,) = [one for one in caplog.records if one.name == "phxactor.process.crash_report" and one.exc_info]
    assert "nobody listens" in record.getMessage()


@pytest.mark.parametrize("way", ["kill", "cancel"])
async def test_it_is_killed_while_it_is_entered(way: str, autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(enters=math.inf)
    started: list[object] = []

    async def starts() -> None:
        with trio.move_on_after(5 if way == "cancel" else 1000):
            started.append(await it.resource.start_link())

    spawn(starts)
    await settle()
    if way == "kill":
        it.pid().exit(KILL)
    await trio.sleep(6)
    assert whereis("pool") is None
    assert it.log == ["left"]
    assert started == []  # killed, it has taken the process that has started it along


async def test_the_name_is_taken(phx_runtime: Runtime) -> None:
    it = Opened()
    pid = (await it.resource.start_link()).unwrap()
    assert await it.resource.start_link() == Error(("already_started", pid))
    assert it.opened == 1


async def test_the_function_is_none_of_a_context(phx_runtime: Runtime) -> None:
    async def opens() -> int:
        return 1

    trap_exit()
    for function in (opens, lambda: 5):
        started = await Resource("pool", function).start_link()  # type: ignore[arg-type]
        assert isinstance(started, Error)
        assert isinstance(started.reason, Crash)
        assert "no asynchronous context manager: is @asynccontextmanager missing?" in str(started.reason.exception)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Resource("", Opened()), ValueError, "'' cannot be a name"),
        (lambda: Resource(5, Opened()), TypeError, "a name must be a str, not 5"),  # type: ignore[arg-type]
        (lambda: Resource("pool", 5), TypeError, "the resource 'pool' needs a function that returns an asynchronous"),  # type: ignore[arg-type]
        (lambda: Resource("pool", Opened()()), TypeError, "has opened already: give the function and its arguments"),  # type: ignore[arg-type]
    ],
)
def test_what_is_refused_at_once(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


async def test_an_exception_while_it_is_left_is_its_reason(
    phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    it = Opened()
    it.on_leave = refuses
    pid = await it.start()
    watch = monitor(pid)
    await Supervisor.terminate_child(it.supervisor, "pool")
    down = await receive()
    assert down.ref is watch
    assert isinstance(down.reason, Crash)
    assert isinstance(down.reason.exception, ConnectionRefusedError)
    assert len([one for one in caplog.records if one.exc_info]) == 1


async def test_a_context_that_ends_by_itself_is_a_crash(phx_runtime: Runtime) -> None:
    lost = trio.Event()

    @asynccontextmanager
    async def connection() -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:

            async def reads() -> None:
                await lost.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(reads)
            yield

    trap_exit()
    pid = (await Resource("connection", connection).start_link()).unwrap()
    lost.set()
    assert await receive() == Exited(pid, "closed")


async def _exit(pid: Pid, reason: Reason) -> None:
    pid.exit(reason)


async def test_after_a_crash_the_context_cannot_wait(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    @asynccontextmanager
    async def opens() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await trio.sleep(60)

    trap_exit()
    for reason in ("boom", SHUTDOWN):
        pid = (await Resource("slow", opens).start_link()).unwrap()
        spawn(_exit, pid, reason)  # which is not its parent
        assert await receive() == Exited(pid, reason)
    assert trio.current_time() == 0


async def test_a_context_that_swallows_keeps_the_reason(phx_runtime: Runtime) -> None:
    @asynccontextmanager
    async def swallows() -> AsyncIterator[None]:
        with suppress(Exit):
            yield

    trap_exit()
    pid = (await Resource("deaf", swallows).start_link()).unwrap()
    pid.exit("boom")
    assert await receive() == Exited(pid, "boom")


async def test_its_name_may_be_in_a_registry(phx_runtime: Runtime) -> None:
    (await Registry.start_link(keys="unique", name="pools")).unwrap()

    @asynccontextmanager
    async def opens(shop: str) -> AsyncIterator[str]:
        yield shop

    shops = [Resource(Registry.via("pools", shop), opens, shop) for shop in ("a", "b")]
    for shop in shops:
        (await shop.start_link()).unwrap()
    assert [shop.value for shop in shops] == ["a", "b"]


async def test_another_resource_of_its_name_stands_in_for_it(phx_runtime: Runtime) -> None:
    real = Opened().resource

    @asynccontextmanager
    async def fake() -> AsyncIterator[str]:
        yield "fake"

    (await Resource("pool", fake).start_link()).unwrap()
    assert real.value == "fake"


async def test_a_process_that_is_no_resource_holds_nothing(phx_runtime: Runtime) -> None:
    (await GenServer.start_link(name="pool")).unwrap()
    with pytest.raises(NoProcessError, match="holds nothing: it is no resource, or is being opened or closed"):
        _ = Opened().resource.value


def test_outside_of_processes_nothing_is_found() -> None:
    with pytest.raises(NotAProcessError, match="no runtime is open here"):
        _ = Opened().resource.value


async def test_a_foreign_thread_is_told(phx_runtime: Runtime) -> None:

    errors: list[BaseException] = []

    def looks() -> None:
        try:
            _ = Opened().resource.value
        except WrongThreadError as error:
            errors.append(error)

    thread = threading.Thread(target=looks)
    thread.start()
    thread.join()
    assert len(errors) == 1


async def test_a_message_for_nobody_is_told_and_dropped(phx_runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    it = Opened()
    await it.start()
    send("pool", "hello")
    await settle()
    assert "got a message that it does not handle: 'hello'" in caplog.text
    assert it.resource.value == "value 1"


async def test_the_value_cannot_be_replaced(phx_runtime: Runtime) -> None:
    it = Opened()
    await it.start()
    with pytest.raises(system.RequestError, match="the value of a resource cannot be replaced"):
        await system.replace_state("pool", lambda _: 1)


def test_nothing_of_its_arguments_is_shown() -> None:
    resource: Resource[object] = Resource("pool", Opened, enters=5)  # type: ignore[arg-type]
    assert repr(resource) == "<Resource pool>"
    assert "5" not in repr(resource.child_spec())


@asynccontextmanager
async def opens(raises: bool) -> AsyncIterator[bytearray]:
    if raises:
        raise OSError("nobody listens")
    yield bytearray(1000)


@pytest.mark.allow_leaks("it counts objects itself")
@pytest.mark.parametrize("how", ["shutdown", "boom", "kill", "enters"])
async def test_its_end_leaves_no_cycle(how: str) -> None:
    async def act() -> None:
        _, watch = spawn_monitor(starts)
        await receive(lambda message: getattr(message, "ref", None) is watch)

    async def starts() -> None:
        trap_exit()
        started = await Resource("pool", opens, how == "enters").start_link()
        if isinstance(started, Ok):
            started.value.exit(how)
            await receive()

    async with open_runtime():
        await leaves_no_cycles(act)
