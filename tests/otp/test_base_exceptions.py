"""What is raised in processes that is no Exception: it ends that process, is told, and takes nothing else down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs
import pytest
import trio

from phxactor.otp import (
    Agent,
    ChildSpec,
    Continue,
    DynamicSupervisor,
    Error,
    GenServer,
    NoReply,
    Ok,
    Reply,
    Status,
    Stop,
    Supervisor,
    Task,
    call,
    cast,
    system,
)
from phxactor.runtime import (
    Crash,
    Down,
    Exit,
    Pid,
    Reason,
    Runtime,
    events,
    format_reason,
    monitor,
    own,
    receive,
    self_pid,
    send_after,
    set_port,
    spawn,
    trap_exit,
)
from phxactor.testing import settle
from tests.sockets.serving import complaints

KINDS: Final[dict[str, Callable[[], BaseException]]] = {
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "generator": GeneratorExit,
    "group": lambda: BaseExceptionGroup("g", [SystemExit()]),
}
kinds = pytest.mark.parametrize("error", [KINDS[name]() for name in KINDS], ids=list(KINDS))


class Failing(GenServer):
    """Raises what it is told, where it is told."""

    async def init(self, where: str, error: BaseException) -> None:
        self.where, self.error = where, error
        self.fail("init")

    def fail(self, where: str) -> None:
        if self.where == where:
            raise self.error

    async def handle_call(self, request: object, from_: Any) -> Reply:  # noqa: ANN401
        self.fail("call")
        return Reply(request)

    async def handle_cast(self, request: object) -> NoReply | Stop | None:
        self.fail("cast")
        return Stop("shutdown") if self.where == "terminate" else NoReply(Continue("go"))

    async def handle_info(self, message: object) -> None:
        self.fail("info")

    async def handle_continue(self, argument: object) -> None:
        self.fail("continue")

    async def terminate(self, reason: Reason) -> None:
        self.fail("terminate")

    def format_status(self, status: Status) -> Status:
        self.fail("format")
        return status


def is_crash(reason: object, error: BaseException) -> bool:
    """Compare, as a group stands for its only leaf."""
    leaf = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    return isinstance(reason, Crash) and reason.exception is leaf


@kinds
@pytest.mark.parametrize("where", ["call", "cast", "info", "continue", "terminate"])
async def test_a_server(
    where: str, error: BaseException, phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    server = (await Failing.start(where, error)).unwrap()
    other = (await Failing.start("", error)).unwrap()
    watch = monitor(server)
    if where == "call":
        with pytest.raises(Exit):
            await call(server, 1)
    elif where == "info":
        server.send("go")
    else:
        cast(server, "go")
    down = await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert isinstance(down, Down)
    assert is_crash(down.reason, error)
    assert await call(other, 1) == 1
    assert "phxactor.server.terminated" in [line.name for line in complaints(caplog, logging.ERROR)]


@kinds
async def test_what_does_not_start(error: BaseException, phx_runtime: Runtime) -> None:
    async def start() -> Ok[Pid]:
        raise error

    started = await Failing.start("init", error)
    assert isinstance(started, Error)
    assert is_crash(started.reason, error)
    pool = (await DynamicSupervisor.start_link()).unwrap()
    for spec in (Failing.child_spec("init", error), ChildSpec(id=1, start=(start, (), {}))):
        started = await DynamicSupervisor.start_child(pool, spec)
        assert isinstance(started, Error)
        assert is_crash(started.reason, error)
    assert pool.alive


@kinds
async def test_a_report_that_cannot_be_made(
    error: BaseException, phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    server = (await Failing.start("format", error)).unwrap()
    watch = monitor(server)
    server.send("go")
    await Failing.stop(server)
    assert await receive() == Down(watch, server, "normal")
    server = (await Failing.start("format", error)).unwrap()
    await system.terminate(server, "odd")
    await settle()
    assert "format_status raised" in complaints(caplog, logging.ERROR)[0].getMessage()


@kinds
async def test_a_supervised_server_starts_again(error: BaseException, phx_runtime: Runtime) -> None:
    children = [
        attrs.evolve(Failing.child_spec(where, error, name=name), id=name)
        for name, where in (("one", "cast"), ("two", ""))
    ]
    await Supervisor.start_link(children)
    cast("one", "go")
    await settle()
    assert [await call(name, 1) for name in ("one", "two")] == [1, 1]


@kinds
async def test_bare_processes_ports_agents_and_tasks(error: BaseException, phx_runtime: Runtime) -> None:
    async def fail() -> None:
        raise error

    def fails(_: object) -> None:
        raise error

    async def has_port() -> None:
        set_port(fails)
        await trio.sleep_forever()

    agent = (await Agent.start(lambda: 1)).unwrap()
    ported = spawn(has_port)
    await settle()
    for pid, cause in (
        (spawn(fail), trap_exit),
        (ported, partial(ported.send, "go")),
        (agent, partial(Agent.cast, agent, fails)),
    ):
        watch = monitor(pid)
        cause()
        down = await receive()
        assert isinstance(down, Down)
        assert down.ref is watch
        assert is_crash(down.reason, error)
    trap_exit()
    task = Task.async_(fail)
    with pytest.raises(Exit) as caught:
        await task
    assert is_crash(caught.value.reason[0], error)  # type: ignore[index]


@kinds
async def test_synchronous_callbacks_of_others(
    error: BaseException, phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Any:  # noqa: ANN401
        raise error

    # A handler of events is detached.
    before = events.spawned.handlers
    events.spawned.attach(fail)
    await phx_runtime.ended(spawn(trio.lowlevel.checkpoint))
    assert events.spawned.handlers == before
    # Others hear of an end, whatever is to be released.
    heard: list[Pid] = []

    async def owner() -> None:
        own(self_pid(), fail)
        own(self_pid(), heard.append)

    pid = spawn(owner)
    await phx_runtime.ended(pid)
    assert heard == [pid]
    # The timers of all others go on.
    phx_runtime.timers.add(0, fail, None)
    send_after(self_pid(), "ding", 0.01)
    assert await receive() == "ding"
    assert {line.name for line in complaints(caplog, logging.ERROR)} == {
        "phxactor.telemetry",
        "phxactor.process.cleanup_failed",
        "phxactor.timer.failed",
    }
    # Who asks a server something gets it.
    server = (await Failing.start("", error)).unwrap()
    with pytest.raises(system.RequestError):
        await system.replace_state(server, fail)
    assert await call(server, 1) == 1

    class Unshowable:
        def __repr__(self) -> str:
            raise error

    assert "tuple" in format_reason(("odd", Unshowable()))
