"""One crash is one record at ERROR, so that it is one issue in an error tracker; all else that tells is at DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
from trio.testing import MockClock

from phxactor import open_runtime
from phxactor.otp import (
    Agent,
    ChildSpec,
    DynamicSupervisor,
    Error,
    GenServer,
    Ok,
    Reply,
    StartFunction,
    Stop,
    Supervisor,
    Task,
    call,
)
from phxactor.runtime import Exit, Pid, receive, send, spawn_link, trap_exit
from phxactor.testing import settle

pytestmark = pytest.mark.allow_leaks("the tree of a runtime that ends")


class Boom(Exception):
    """What the crashes of this module raise."""


class Server(GenServer):
    """Fails as it is told to."""

    async def init(self, first: str = "") -> Stop | None:
        if first == "raise":
            raise Boom
        return Stop("odd") if first == "stop" else None

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply(request)

    async def handle_info(self, message: object) -> Stop | None:
        if message == "raise":
            raise Boom
        if message == "exit":
            raise Exit("odd")
        return Stop("odd") if message == "stop" else None


async def bare(message: str) -> None:
    if message == "exit":
        raise Exit("odd")
    raise Boom


async def started(message: str) -> Ok[Pid]:
    return Ok(spawn_link(bare, message))


async def linked_to_a_server() -> Ok[Pid]:
    async def body() -> None:
        (await Server.start_link()).unwrap().send("raise")
        await receive()

    return Ok(spawn_link(body))


async def does_not_start(what: str) -> Error:
    if what == "raise":
        raise Boom
    return Error("odd")


async def task(what: str) -> None:
    await bare(what)


def child(start: StartFunction, *args: object) -> ChildSpec:
    return ChildSpec(id="child", start=(start, args, {}), restart="temporary")


def below(spec: ChildSpec) -> ChildSpec:
    """Put a child under a supervisor of its own."""
    return child(Supervisor.start_link, [spec])


async def after(supervisor: Pid, message: object) -> None:
    pid = (await DynamicSupervisor.start_child(supervisor, child(Server.start_link))).unwrap()
    pid.send(message)


async def given_up(supervisor: Pid) -> None:
    """A supervisor with a permanent child that crashes once too often."""
    children = [Server.child_spec(name="below")]
    below = ChildSpec(id="below", start=(Supervisor.start_link, (children,), {"max_restarts": 0}), restart="temporary")
    await DynamicSupervisor.start_child(supervisor, below)
    send("below", "raise")


Deed = Callable[[Pid], Awaitable[object]]


@pytest.mark.parametrize(
    ("deed", "names"),
    [
        pytest.param(lambda top: after(top, "raise"), ["phxactor.server.terminated"], id="a server raises"),
        pytest.param(lambda top: after(top, "stop"), ["phxactor.server.terminated"], id="a server stops oddly"),
        pytest.param(lambda top: after(top, "exit"), ["phxactor.server.terminated"], id="a server exits"),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, Server.child_spec("raise")),
            ["phxactor.process.crash_report"],
            id="init raises",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, Server.child_spec("stop")),
            ["phxactor.process.crash_report"],
            id="init stops oddly",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, child(started, "raise")),
            ["phxactor.process.crashed"],
            id="a bare process raises",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, child(started, "exit")),
            ["phxactor.supervisor.child_terminated"],
            id="a bare process exits, which it does not tell itself",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, child(does_not_start, "raise")),
            ["phxactor.supervisor.start_error"],
            id="a start function raises",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, child(does_not_start, "return")),
            ["phxactor.supervisor.start_error"],
            id="a start function refuses",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, Task.child_spec(task, "raise")),
            ["phxactor.task.terminated"],
            id="a task raises",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, Task.child_spec(task, "exit")),
            ["phxactor.task.terminated"],
            id="a task exits",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, child(linked_to_a_server)),
            ["phxactor.server.terminated"],
            id="a process ends by a link",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, below(below(child(Server.start_link, "raise")))),
            ["phxactor.process.crash_report"],
            id="a child of a supervisor of a supervisor does not start",
        ),
        pytest.param(
            lambda top: DynamicSupervisor.start_child(top, below(below(child(does_not_start, "return")))),
            ["phxactor.supervisor.start_error"],
            id="a start function of a supervisor of a supervisor refuses",
        ),
        pytest.param(
            given_up,
            ["phxactor.server.terminated", "phxactor.supervisor.gave_up"],
            id="a supervisor gives up, which is a failure of its own",
        ),
    ],
)
async def test_one_crash_is_one_record(
    deed: Deed, names: list[str], caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    caplog.set_level(logging.DEBUG, "phxactor")
    async with open_runtime():
        trap_exit()
        top = (await DynamicSupervisor.start_link(max_restarts=100)).unwrap()
        await deed(top)
        await settle()
        assert top.alive
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == names
    reasons = [record for record in caplog.records if "odd" in record.getMessage() or "Boom" in record.getMessage()]
    assert len(reasons) >= 1


async def test_an_agent_is_a_server_like_any_other(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    def fail(_: int) -> int:
        raise Boom

    async with open_runtime():
        trap_exit()
        top = (await DynamicSupervisor.start_link()).unwrap()
        spec = child(Agent.start_link, lambda: 1)
        agent = (await DynamicSupervisor.start_child(top, spec)).unwrap()
        with pytest.raises(Exit):
            await Agent.get(agent, fail)
        await settle()
    assert [record.name for record in caplog.records] == ["phxactor.server.terminated"]
    assert caplog.records[0].exc_info is not None


async def test_a_server_that_asks_one_that_crashes_ends_by_a_failure_of_its_own(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    class Asks(GenServer):
        async def handle_info(self, message: object) -> None:
            await call("missing", message)

    async with open_runtime():
        trap_exit()
        (await Asks.start_link()).unwrap().send("what")
        await settle()
    assert [record.name for record in caplog.records] == ["phxactor.server.terminated"]
