"""Resources: a context that is entered before what depends on it starts, and left after that has ended."""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, GenServer, Ok, Registry, Resource, Supervisor, Task, child_spec, system, value_of
from phxactor.runtime import (
    KILL,
    KILLED,
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
    spawn_link,
    spawn_monitor,
    trap_exit,
    whereis,
)
from phxactor.testing import settle
from tests.cycles import leaves_no_cycles


class Opened:
    """A context with a task of its own, that says what happens to it."""

    def __init__(self, *, enters: float = 0, leaves: float = 0) -> None:
        self.log: list[object] = []
        self.opened = 0
        self.seconds = enters, leaves
        self.fails = trio.Event()
        self.on_enter: Callable[[], object] = bool
        self.on_leave: Callable[[], object] = bool
        self.resource = Resource("pool", self)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[str]:
        try:
            await trio.sleep(self.seconds[0])
            self.on_enter()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.work)
                self.opened += 1
                self.log.append(f"opened {self.opened}")
                try:
                    yield f"value {self.opened}"
                except BaseException as error:
                    self.log.append(type(error).__name__)
                    raise
                await trio.sleep(self.seconds[1])
                self.on_leave()
                self.log.append(f"closed {self.opened}")
                nursery.cancel_scope.cancel()
        finally:
            self.log.append("left")

    async def work(self) -> None:
        await self.fails.wait()
        self.fails = trio.Event()
        raise ValueError("the work has failed")

    async def start(self, **overrides: Any) -> Pid:  # noqa: ANN401
        """Start it under a supervisor, and return its process."""
        spec = child_spec(self.resource, **overrides)
        self.supervisor = (await Supervisor.start_link([spec], strategy="one_for_one")).unwrap()
        return self.pid()

    def pid(self) -> Pid:
        pid = whereis("pool")
        assert pid is not None
        return pid


async def test_its_value_is_found_by_name_in_any_process(phx_runtime: Runtime) -> None:
    it = Opened()
    await it.start()
    seen: list[object] = []

    async def looks() -> None:
        seen.append(it.resource.value)
        seen.append(value_of("pool"))

    spawn(looks)
    await settle()
    assert seen == ["value 1", "value 1"]
    await trio.to_thread.run_sync(lambda: seen.append(it.resource.value))
    assert seen == ["value 1"] * 3
    assert await system.get_state("pool") == "value 1"


async def test_the_supervisor_waits_until_it_is_entered(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(enters=7)
    seen: list[object] = []

    async def asks() -> None:
        await trio.sleep(3)
        try:
            seen.append(it.resource.value)
        except NoProcessError as error:
            seen.append(str(error))

    spawn(asks)

    async def after() -> None:
        seen.append((trio.current_time(), it.resource.value))

    start = Task.child_spec(after)
    (await Supervisor.start_link([it.resource, start], strategy="rest_for_one")).unwrap()
    await settle()
    assert seen == [
        f"{it.pid()!r} holds nothing: it is no resource, or is being opened or closed",
        (7, "value 1"),
    ]


@pytest.mark.parametrize("reason", [SHUTDOWN, Shutdown("enough")])
async def test_told_to_end_it_leaves_the_context_without_an_exception(
    reason: Reason, autojump_clock: MockClock, phx_runtime: Runtime
) -> None:
    it = Opened(leaves=4)
    trap_exit()
    pid = (await it.resource.start_link()).unwrap()
    pid.exit(reason)
    await trio.sleep(2)
    with pytest.raises(NoProcessError, match="is being opened or closed"):
        _ = it.resource.value
    assert await receive() == Exited(pid, reason)
    assert trio.current_time() == 4
    assert it.log == ["opened 1", "closed 1", "left"]
    with pytest.raises(NoProcessError, match="the resource 'pool' does not run: make it a child of a supervisor"):
        _ = it.resource.value


async def test_it_is_left_after_what_depends_on_it_has_ended(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(leaves=1)

    class User(GenServer):
        async def init(self) -> None:
            trap_exit()

        async def terminate(self, reason: Reason) -> None:
            await trio.sleep(1)
            it.log.append(f"used {it.resource.value}")

    supervisor = (await Supervisor.start_link([it.resource, User], strategy="rest_for_one")).unwrap()
    trap_exit()
    supervisor.exit(SHUTDOWN)
    await receive()
    assert it.log == ["opened 1", "used value 1", "closed 1", "left"]


async def test_it_is_killed_if_it_takes_too_long_to_leave(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(leaves=10)
    pid = await it.start(shutdown=3)
    watch = monitor(pid)
    await Supervisor.terminate_child(it.supervisor, "pool")
    assert trio.current_time() == 3
    assert it.log == ["opened 1", "left"]
    down = await receive()
    assert (down.ref, down.reason) == (watch, KILLED)


@pytest.mark.parametrize("how", ["exit", "link", "fails", "kill"])
async def test_its_crash_restarts_it_and_what_depends_on_it(
    how: str, phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    it, used = Opened(), list[str]()

    class User(GenServer):
        async def init(self) -> None:
            used.append(it.resource.value)

    (await Supervisor.start_link([it.resource, User], strategy="rest_for_one")).unwrap()
    watch = monitor(it.pid())
    match how:
        case "exit":
            it.pid().exit("boom")
        case "link":
            send("pool", Exited(spawn(trio.sleep_forever), "boom"))
        case "fails":
            it.fails.set()
        case "kill":
            it.pid().exit(KILL)
    down = await receive(lambda message: getattr(message, "ref", None) is watch)
    await settle()
    assert used == ["value 1", "value 2"]
    assert it.resource.value == "value 2"
    within = {"exit": "Exit", "link": "Exit", "fails": "Cancelled", "kill": "Cancelled"}[how]
    assert it.log == ["opened 1", within, "left", "opened 2"]
    if how == "fails":
        assert isinstance(down.reason, Crash)
        assert str(down.reason.exception) == "the work has failed"
    else:
        assert down.reason == (KILLED if how == "kill" else "boom")
    records = [record for record in caplog.records if "terminating" in record.getMessage()]
    assert [record.getMessage().rpartition("; ")[2] for record in records] == ["state: 'str'"] * (how != "kill")


async def test_a_process_that_it_has_started_takes_it_along(phx_runtime: Runtime) -> None:
    @asynccontextmanager
    async def with_workers() -> AsyncIterator[list[Pid]]:
        yield [spawn_link(ends, reason) for reason in ("normal", "boom")]

    async def ends(reason: Reason) -> None:
        await receive()
        raise Exit(reason)

    trap_exit()
    resource = Resource("workers", with_workers)
    pid = (await resource.start_link()).unwrap()
    normal, abnormal = resource.value
    normal.send("end")
    await settle()
    assert resource.value == [normal, abnormal]
    abnormal.send("end")
    assert await receive() == Exited(pid, "boom")


# ------------------------------------------------------------------------------------------- it does not start


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


# ----------------------------------------------------------------------------------------------- it fails to end


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


# ------------------------------------------------------------------------------------------------------- around


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
