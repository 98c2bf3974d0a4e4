"""A reason or an exception whose own code raises ends the process that has it, and is told: nobody else is hurt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import pytest
from trio.testing import MockClock

from phxactor.observer import snapshot, tree
from phxactor.otp import (
    Agent,
    ChildSpec,
    DynamicSupervisor,
    Error,
    GenServer,
    Ok,
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
)
from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    Pid,
    Reason,
    link,
    monitor,
    open_runtime,
    receive,
    self_pid,
    send_after,
    spawn,
    trap_exit,
)
from phxactor.telemetry import EVENTS
from phxactor.testing import settle
from tests.otp import Kit, end
from tests.runtime.odd import ODD, named
from tests.runtime.test_odd_values import ERRORS

pytestmark = pytest.mark.usefixtures("handlers_stay")


@pytest.fixture
def handlers_stay(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No handler of an event raises: it would be detached, and nothing be logged from then on."""
    caplog.set_level(logging.DEBUG)
    before = {name: event.handlers for name, event in EVENTS.items()}
    yield
    assert {name: event.handlers for name, event in EVENTS.items()} == before
    assert not [record for record in caplog.records if record.name == "phxactor.telemetry"]


class Ender(GenServer):
    """Ends as it is told: `end(argument)` raises, or returns a reason."""

    async def init(self, *, trap: bool = False) -> None:
        if trap:
            trap_exit()
        self.name = self_pid().label = "ender"

    async def handle_call(self, request: Callable[[], Reason], from_: object) -> Stop:
        return Stop(request())

    async def handle_cast(self, request: Callable[[], Reason]) -> Stop:
        return Stop(request())


Ending = Callable[[], Reason]


def _raising(make: Callable[[], BaseException]) -> Ending:
    def ending() -> Reason:
        raise make()

    return ending


def _exits(kind: type) -> Ending:
    def ending() -> Reason:
        raise Exit(kind())

    return ending


ENDINGS: Final[dict[str, Ending]] = {
    **{f"reason {named(kind)}": kind for kind in ODD},
    **{f"exit {named(kind)}": _exits(kind) for kind in ODD},
    **{f"error {name}": _raising(make) for name, make in ERRORS.items()},
}
endings = pytest.mark.parametrize("name", ENDINGS)


@endings
async def test_S22_S26_supervisors_outlive_an_odd_end_of_a_child(name: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        specs = [ChildSpec(id=str(one), start=(Ender.start_link, (), {}), restart="permanent") for one in range(2)]
        supervisor = (await Supervisor.start_link(specs, strategy="one_for_all")).unwrap()
        dynamic = (await DynamicSupervisor.start_link()).unwrap()
        parts = (await PartitionSupervisor.start_link(Ender, name="parts", partitions=1)).unwrap()
        (await DynamicSupervisor.start_child(dynamic, specs[0])).unwrap()
        for owner in (supervisor, dynamic, parts):
            pid = next(pid for pid in owner.links or () if pid.label == "ender")
            cast(pid, ENDINGS[name])
            await settle()
            assert not pid.alive
            assert owner.alive
            assert len([pid for pid in owner.links or () if pid.label == "ender"]) == (2 if owner is supervisor else 1)
        assert tree(snapshot(self_pid().runtime))


@endings
async def test_S51_D12_supervisors_outlive_an_odd_end_of_a_child_that_they_stop(
    name: str, autojump_clock: MockClock
) -> None:
    def ends(_: Kit, __: Reason) -> None:
        raise Exit(ENDINGS[name]())

    async with open_runtime():
        trap_exit()
        child = ChildSpec(id="kit", start=(Kit.start_link, (), {"trap": True, "terminate": ends}))
        supervisor = (await Supervisor.start_link([child])).unwrap()
        dynamic = (await DynamicSupervisor.start_link()).unwrap()
        pid = (await DynamicSupervisor.start_child(dynamic, child)).unwrap()
        (await DynamicSupervisor.terminate_child(dynamic, pid)).unwrap()
        (await Supervisor.terminate_child(supervisor, "kit")).unwrap()
        (await Supervisor.restart_child(supervisor, "kit")).unwrap()
        (await DynamicSupervisor.start_child(dynamic, child)).unwrap()
        await Supervisor.stop(supervisor)
        await stop(dynamic)


@endings
async def test_S11_D4_supervisors_outlive_an_odd_start(name: str, autojump_clock: MockClock) -> None:
    for result in (ENDINGS[name], lambda: Error(ENDINGS[name]()), lambda: Ok(ENDINGS[name]())):
        async with open_runtime():
            trap_exit()
            child = ChildSpec(id="kit", start=(result, (), {}))  # type: ignore[arg-type]
            supervisor = (await Supervisor.start_link([])).unwrap()
            dynamic = (await DynamicSupervisor.start_link()).unwrap()
            assert type(await Supervisor.start_child(supervisor, child)) is Error
            assert type(await DynamicSupervisor.start_child(dynamic, child)) is Error
            assert type(await Supervisor.start_link([child])) is Error
            assert supervisor.alive
            assert dynamic.alive


@endings
async def test_G70_G71_callers_hear_of_an_odd_end(name: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        for start in (Ender.start, Ender.start_link):
            server = (await start()).unwrap()
            with pytest.raises(Exit) as caught:
                await call(server, ENDINGS[name])
            assert type(caught.value.reason) is tuple
            assert caught.value.reason[0] is server.exit_reason
            server = (await start()).unwrap()
            try:
                reason = ENDINGS[name]()
            except BaseException:  # noqa: BLE001, S112 - there is no such reason
                continue
            with suppress(Exit):  # where it cannot be told whether they are the same
                await stop(server, reason)
            assert server.exit_reason is reason
        assert type(await Kit.start_link(init=lambda _: ENDINGS[name]())) is Error
        self_pid().mailbox.clear()


@endings
async def test_T4_T8_T25_tasks_agents_and_streams_end_by_it_alone(name: str, autojump_clock: MockClock) -> None:
    def work(*_: object) -> object:
        raise Exit(ENDINGS[name]())

    async with open_runtime():
        trap_exit()
        tasks = (await TaskSupervisor.start_link()).unwrap()
        for task in (Task.async_(work), await TaskSupervisor.async_nolink(tasks, work)):
            assert type(await task.yield_()) is Error
        for task in (Task.async_(work), await TaskSupervisor.async_nolink(tasks, work)):
            await settle()
            assert type(await task.shutdown()) is Error
        assert len(await Task.yield_many([Task.async_(work), Task.async_(work)])) == 2
        (await TaskSupervisor.start_child(tasks, work)).unwrap()
        async with async_stream([1, 2], work) as results:
            assert [type(result) async for result in results] == [Error, Error]
        agent = (await Agent.start_link(lambda: 1)).unwrap()
        with pytest.raises(Exit):
            await Agent.get(agent, work)
        await settle()
        assert tasks.alive
        self_pid().mailbox.clear()


@endings
async def test_RG8_registries_outlive_an_odd_end(name: str, autojump_clock: MockClock) -> None:
    async def body() -> None:
        Registry.register("names", "me")
        Registry.register("groups", "all")
        await receive()
        raise Exit(ENDINGS[name]())

    async with open_runtime():
        (await Registry.start_link(name="names", keys="unique")).unwrap()
        (await Registry.start_link(name="groups", keys="duplicate", partitions=2)).unwrap()
        pid = spawn(body)
        await settle()
        pid.send("end")
        await settle()
        assert not pid.alive
        assert Registry.lookup("names", "me") == Registry.lookup("groups", "all") == []
        Registry.register("names", "me")
        assert Registry.lookup("names", "me") == [(self_pid(), None)]


@pytest.mark.parametrize("kind", ODD, ids=named)
async def test_X6_an_odd_signal_is_a_message_to_those_who_trap(kind: type, autojump_clock: MockClock) -> None:
    reason = kind()
    async with open_runtime():
        trap_exit()
        servers: list[Pid] = [
            (await Supervisor.start_link([])).unwrap(),
            (await DynamicSupervisor.start_link()).unwrap(),
            (await TaskSupervisor.start_link()).unwrap(),
            (await PartitionSupervisor.start_link(Ender, name="parts", partitions=1)).unwrap(),
            (await Registry.start_link(name="names", keys="unique")).unwrap(),
            (await Ender.start(trap=True)).unwrap(),
        ]

        async def signals() -> None:
            for server in servers:
                server.exit(reason)

        spawn(signals)
        await settle()
        heard = [server for server in servers[:-1] if not server.alive]
        assert heard == []
        servers[-1].exit("kill")


@pytest.mark.parametrize("kind", ODD, ids=named)
async def test_G37_TI1_odd_requests_timers_and_labels_are_nothing_special(
    kind: type, autojump_clock: MockClock
) -> None:
    async with open_runtime() as runtime:
        trap_exit()
        odd = kind()
        self_pid().label = odd
        server = (await Kit.start_link(call=lambda _, request, __: Reply(request), cast=lambda *_: None)).unwrap()
        server.label = odd
        assert await call(server, odd) is odd
        cast(server, odd)
        send_after(server, odd, 1)
        timer = send_after(self_pid(), odd, 0.5)
        assert tree(snapshot(runtime))
        assert await receive() is odd
        assert not timer.pending
        await end_after(2)
        assert server.alive
        plain = (await Kit.start_link()).unwrap()
        with pytest.raises(Exit):
            await call(plain, odd)
        assert type(await receive()) is Exited
        watch = monitor(server)
        link(server)
        server.exit("boom")
        assert [type(await receive()) for _ in range(2)] == [Exited, Down]
        assert not watch.active
        assert await end(server) == "boom"


async def end_after(seconds: float) -> None:
    """Let so much time pass."""
    send_after(self_pid(), "late", seconds)
    await receive(lambda message: message == "late")
