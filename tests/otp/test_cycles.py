"""Whatever way a server, a supervisor, a task or a call ends, nothing is left that only the collector would find."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import (
    Agent,
    Called,
    ChildSpec,
    Continue,
    DynamicSupervisor,
    Error,
    GenServer,
    NoReply,
    PartitionSupervisor,
    Registry,
    Reply,
    Stop,
    Supervisor,
    Task,
    TaskSupervisor,
    async_stream,
    call,
    cast,
    stop,
    system,
)
from phxactor.runtime import KILL, Exit, From, Pid, link, open_runtime, receive, self_pid, spawn, trap_exit
from phxactor.testing import settle
from tests.cycles import leaves_no_cycles, no_cycles

pytestmark = pytest.mark.allow_leaks("it counts objects itself")


class Server(GenServer):
    """Ends as it is told, and knows its own process."""

    async def init(self, how: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401
        self.pid, self.itself = self_pid(), weakref.ref(self)
        self.state = bytearray(1000)
        result = how() if how is not None else None
        return await result if isinstance(result, Awaitable) else result

    async def handle_call(self, request: object, from_: From) -> Any:  # noqa: ANN401
        return request() if callable(request) else Reply(request)

    async def handle_cast(self, request: Any) -> Any:  # noqa: ANN401
        result = request()
        return await result if isinstance(result, Awaitable) else result

    async def handle_continue(self, argument: object) -> None:
        raise ValueError(argument)


class Unruly(Server):
    """Fails at its end, too."""

    async def terminate(self, reason: object) -> None:
        raise KeyError(reason)


class Slow(Server):
    """Takes long to end."""

    async def terminate(self, reason: object) -> None:
        await trio.sleep(100)


def fails() -> Any:  # noqa: ANN401 - it returns nothing
    payload, me = bytearray(1000), self_pid()
    raise ValueError(len(payload), str(me))


def fails_by_attribute(server: Server) -> None:
    server.missing  # type: ignore[attr-defined]  # noqa: B018 - it is what fails


def exits() -> None:
    raise Exit("boom")


async def afails(*_: object) -> Any:  # noqa: ANN401 - the same
    fails()


async def sleeps(_: object) -> None:
    await trio.sleep_forever()


async def answers(value: object = None) -> object:
    return value


async def start(*arguments: Any, kind: type[Server] = Server) -> Pid:  # noqa: ANN401
    return (await kind.start_link(*arguments)).unwrap()


# ----------------------------------------------------------------------------------------------- servers


def told(message: Callable[[], object], kind: type[Server] = Server) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        server = await start(kind=kind)
        cast(server, message)
        await settle()
        assert not server.alive

    return act


async def by_attribute() -> None:
    server = await start()

    def look(state: Any) -> Any:  # noqa: ANN401
        cast(server, lambda: fails_by_attribute(state["itself"]()))
        return state

    await system.replace_state(server, look)
    await settle()
    assert not server.alive


def asked(request: object, timeout: float | None = 5) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        server = await start()
        with pytest.raises(Exit):
            await call(server, request, timeout)
        server.exit(KILL)

    return act


def started(how: Callable[[], Any], timeout: float | None = None) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        await Server.start_link(how, timeout=timeout)

    return act


async def given_up() -> None:
    with trio.move_on_after(1):
        await Server.start_link(trio.sleep_forever)
    server = await start()
    with trio.move_on_after(1):
        await call(server, NoReply)
    server.exit(KILL)


async def killed_meanwhile() -> None:
    server = await start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_in_vain, server)
        await settle()
        server.exit(KILL)


async def ask_in_vain(server: Pid) -> None:
    with suppress(Exit):
        await call(server, NoReply)


async def both_by_the_same() -> None:
    """The server ends, by its link, for the call that its caller has made to it."""
    server = (await Server.start()).unwrap()

    async def caller() -> None:
        link(server)
        await call(server, NoReply, 1)

    pid = spawn(caller)
    await trio.sleep(2)
    assert isinstance(pid.exit_reason, tuple)
    assert server.exit_reason is pid.exit_reason


async def asks_itself() -> None:
    async def asks() -> None:
        await call(self_pid(), "anything")

    spawn(asks)
    await settle()


async def asked_by_system() -> None:
    server = await start()
    with suppress(system.RequestError):
        await system.replace_state(server, lambda _: fails())
    with suppress(Exit):
        await system.get_state("nobody")
    await system.terminate(server, "boom")
    await settle()


async def stopped_otherwise() -> None:
    server = await start(kind=Unruly)
    with pytest.raises(Exit):
        await stop(server, "other")
    with pytest.raises(Exit):
        await stop("nobody")


async def agent_fails() -> None:
    agent = (await Agent.start_link(lambda: bytearray(1000))).unwrap()
    with pytest.raises(Exit):
        await Agent.get(agent, lambda _: fails())


# ------------------------------------------------------------------------------------------- supervisors


def supervised(strategy: Any) -> Callable[[], Awaitable[None]]:  # noqa: ANN401
    async def act() -> None:
        children = [attrs.evolve(Server.child_spec(), id=number) for number in range(3)]
        supervisor = (await Supervisor.start_link(children, strategy=strategy, max_restarts=2)).unwrap()
        while supervisor.alive:
            (_, second, _) = await Supervisor.which_children(supervisor)
            assert isinstance(second.pid, Pid)
            cast(second.pid, fails)
            await settle()

    return act


async def supervisor_that_kills() -> None:
    spec = attrs.evolve(Slow.child_spec(), shutdown=1)
    supervisor = (await Supervisor.start_link([spec])).unwrap()
    await stop(supervisor)


async def children_that_do_not_start() -> None:
    dynamic = (await DynamicSupervisor.start_link()).unwrap()
    for spec in (
        Server.child_spec(fails),
        Server.child_spec(exits),
        Server.child_spec(lambda: Error("no")),
        ChildSpec(id="sync", start=(fails, (), {})),
        ChildSpec(id="async", start=(afails, (), {})),
    ):
        assert isinstance(await DynamicSupervisor.start_child(dynamic, spec), Error)
        assert isinstance(await Supervisor.start_link([spec]), Error)
    await stop(dynamic)


async def partitions_that_fail() -> None:
    supervisor = (await PartitionSupervisor.start_link(Server.child_spec(), name="parts", partitions=2)).unwrap()
    cast(PartitionSupervisor.via("parts", 1), fails)
    await settle()
    await stop(supervisor)


async def registered_twice() -> None:
    registry = (await Registry.start_link(name="registry", keys="unique")).unwrap()
    server = (await Server.start_link(name=Registry.via("registry", "key"))).unwrap()
    await Server.start_link(name=Registry.via("registry", "key"))
    cast(server, fails)
    await settle()
    await stop(registry)


# ------------------------------------------------------------------------------------------------- tasks


async def task_fails() -> None:
    with pytest.raises(Exit):
        await Task.async_(fails)
    with pytest.raises(Exit):
        await Task.await_many([Task.async_(answers), Task.async_(fails)])


async def task_is_late() -> None:
    task = Task.async_(trio.sleep_forever)
    with pytest.raises(Exit):
        await task.await_(1)
    await task.shutdown(1)
    task = Task.async_(trio.sleep_forever)
    assert await task.yield_(1) is None
    task.ignore()
    assert task.pid is not None
    task.pid.exit(KILL)


async def tasks_end_with_who_awaits_them() -> None:
    async def awaits() -> None:
        await Task.await_many([Task.async_(trio.sleep_forever), Task.async_(fails)])

    spawn(awaits)
    await settle()


async def supervised_task_fails() -> None:
    supervisor = (await TaskSupervisor.start_link()).unwrap()
    task = await TaskSupervisor.async_nolink(supervisor, fails)
    with pytest.raises(Exit):
        await task
    await TaskSupervisor.start_child(supervisor, fails)
    await settle()
    await stop(supervisor)


def streamed(function: Callable[..., Any], **options: Any) -> Callable[[], Awaitable[None]]:  # noqa: ANN401
    async def act() -> None:
        async with async_stream(range(3), function, **options) as results:
            with suppress(Exit):
                async for _ in results:
                    pass

    return act


async def stream_that_cannot_start() -> None:
    supervisor = (await TaskSupervisor.start_link(max_children=1)).unwrap()
    async with TaskSupervisor.async_stream(supervisor, range(3), trio.sleep, max_concurrency=3) as results:
        with suppress(RuntimeError, Exit):
            async for _ in results:
                pass
    await stop(supervisor)


async def stream_that_is_left() -> None:
    async with async_stream(range(9), answers) as results:
        async for _ in results:
            break


ACTS: dict[str, Callable[[], Awaitable[None]]] = {
    "a server fails": told(fails),
    "a server exits": told(exits),
    "a server stops": told(lambda: Stop("boom")),
    "a server returns nonsense": told(lambda: 5),
    "a server fails, and at its end": told(fails, Unruly),
    "a server stops, and fails at its end": told(lambda: Stop("boom"), Unruly),
    "a server fails when it goes on": told(lambda: NoReply(Continue(1))),
    "a server fails by an attribute": by_attribute,
    "a call fails the server": asked(fails),
    "a call is not answered": asked(lambda: None),
    "a call stops the server": asked(lambda: Stop("boom")),
    "a call is late": asked(NoReply, 1),
    "a call is given up": given_up,
    "a call's server is killed": killed_meanwhile,
    "a call to oneself": asks_itself,
    "a call ends both": both_by_the_same,
    "a start fails": started(fails),
    "a start exits": started(exits),
    "a start is refused": started(lambda: Error("no")),
    "a start is late": started(trio.sleep_forever, 1),
    "a system request fails": asked_by_system,
    "a server stops for another reason": stopped_otherwise,
    "an agent fails": agent_fails,
    "one_for_one": supervised("one_for_one"),
    "one_for_all": supervised("one_for_all"),
    "rest_for_one": supervised("rest_for_one"),
    "a supervisor kills": supervisor_that_kills,
    "children do not start": children_that_do_not_start,
    "a partition fails": partitions_that_fail,
    "a key is taken": registered_twice,
    "a task fails": task_fails,
    "a task is late": task_is_late,
    "tasks end with who awaits them": tasks_end_with_who_awaits_them,
    "a supervised task fails": supervised_task_fails,
    "a stream's tasks fail": streamed(afails),
    "a stream's tasks are late": streamed(sleeps, timeout=1),
    "a stream's tasks are killed": streamed(sleeps, timeout=1, on_timeout="kill_task"),
    "a stream cannot start": stream_that_cannot_start,
    "a stream is left": stream_that_is_left,
}


@pytest.mark.parametrize("name", ACTS)
async def test_no_end_leaves_a_cycle(name: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()

        async def act() -> None:
            await ACTS[name]()
            await settle()
            while self_pid().mailbox:
                await receive()

        await leaves_no_cycles(act)


class Payload:
    """What a message carries."""

    def __call__(self) -> None:
        payload = self
        raise ValueError("of a message", id(payload))

    async def handled(self) -> None:
        """Be handled without an error."""


@pytest.mark.parametrize("ending", ["fails", "is handled"])
async def test_a_message_that_was_handled_is_kept_by_nobody(ending: str) -> None:
    """Neither by the supervisor, which waits with the last exit that it heard of, nor by a server that waits."""
    async with open_runtime():
        supervisor = (await DynamicSupervisor.start_link()).unwrap()
        spec = attrs.evolve(Server.child_spec(), restart="temporary")
        server = (await DynamicSupervisor.start_child(supervisor, spec)).unwrap()
        with no_cycles():
            payload = Payload()
            alive = weakref.ref(payload)
            cast(server, payload if ending == "fails" else payload.handled)
            del payload
            await settle()
            assert server.alive is (ending == "is handled")
            assert alive() is None


async def test_what_a_child_was_started_with_is_not_kept_by_its_supervisor() -> None:
    async with open_runtime():
        supervisor = (await DynamicSupervisor.start_link()).unwrap()
        with no_cycles():
            payload = Payload()
            alive = weakref.ref(payload)
            await DynamicSupervisor.start_child(
                supervisor, attrs.evolve(Server.child_spec(payload.handled), restart="temporary")
            )
            del payload
            await settle()
            assert alive() is None


async def test_a_failed_call_speaks_of_a_process_without_keeping_it() -> None:
    async with open_runtime():
        called, shown = await call_of_one_that_is_killed()
        assert called.server == shown
        assert shown in repr(called)
        assert Called("Task.await_many", [self_pid()]).server == [self_pid()]
        assert Called("GenServer.call", "name").server == "name"


async def call_of_one_that_is_killed() -> tuple[Called, str]:
    server = (await Server.start(name="server")).unwrap()
    called = Called("GenServer.call", server, "request", 5)
    match called:
        case Called(function, found, request, timeout):
            assert (function, found, request, timeout) == ("GenServer.call", server, "request", 5)
    same = called == Called("GenServer.call", server, "request", 5)
    shown = repr(called) == f"Called(function='GenServer.call', server={server!r}, request='request', timeout=5)"
    assert same
    assert shown
    server.exit(KILL)
    await settle()
    return called, f"#PID<{server.number} server>"
