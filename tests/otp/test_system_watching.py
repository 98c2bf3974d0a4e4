"""Watching a server work, and looking at it from outside: section 12 of the specification."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import (
    DONE,
    ChildSpec,
    Continued,
    DebugEvent,
    DynamicSupervisor,
    GenServer,
    In,
    NoAnswer,
    Out,
    Supervisor,
    Timeout,
    call,
    cast,
    events,
    get_label,
    set_label,
    supervisor_events,
    system,
)
from phxactor.runtime import NORMAL, Exit, Pid, open_runtime, register, self_pid, spawn, unlink
from phxactor.runtime import events as runtime_events
from phxactor.telemetry import Event
from phxactor.testing import settle
from tests.otp import Kit, end, told
from tests.otp.counter import Counter, counter


async def test_Y6_debug_functions_see_what_a_server_does(autojump_clock: MockClock) -> None:
    async with open_runtime():
        seen: list[DebugEvent] = []
        pid = await counter(1)
        await system.install(pid, seen.append)
        await system.install(pid, seen.append)
        cast(pid, 1)
        await call(pid, "what")
        cast(pid, 200)
        await call(pid, "what")
        await system.remove(pid, seen.append)
        cast(pid, 1)
        assert await system.get_state(pid) == {"count": 1}
        one, ask, two, again = (event for event in seen if isinstance(event, In))
        assert seen == [
            one,
            NoAnswer({"count": 2}),
            ask,
            Out(2, self_pid(), {"count": 2}),
            two,
            NoAnswer({"count": 202}),
            Continued("added"),
            again,
            Out(0, self_pid(), {"count": 0}),
        ]


@pytest.mark.parametrize("how", ["done", "raise"])
async def test_Y6_a_debug_function_that_is_done_or_raises_is_removed(autojump_clock: MockClock, how: str) -> None:
    async with open_runtime():
        seen: list[DebugEvent] = []

        def once(event: DebugEvent) -> object:
            seen.append(event)
            if how == "raise":
                raise ValueError
            return DONE

        pid = await counter()
        await system.install(pid, once, key="once")
        assert (await system.get_status(pid)).debug == ("install",)
        cast(pid, 1)
        cast(pid, 1)
        assert await system.get_state(pid) == {"count": 2}
        assert len(seen) == 1
        assert (await system.get_status(pid)).debug == ()


async def test_Y6_log_keeps_the_last_events(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter()
        await system.log(pid, 3)
        for number in range(5):
            cast(pid, number)
        log = await system.get_log(pid)
        assert [type(event) for event in log] == [NoAnswer, In, NoAnswer]
        assert log[-1] == NoAnswer({"count": 10})
        assert (await system.get_status(pid)).status.log == log
        await system.log(pid, 0)
        assert await system.get_log(pid) == ()


async def test_Y6_trace_tells_telemetry(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter()
        await system.trace(pid)
        with told(events.traced) as heard:
            await call(pid, "what")
            await system.trace(pid, on=False)
            await call(pid, "what")
        assert [type(fields["event"]) for _, fields in heard] == [In, Out]
        assert {fields["pid"] for _, fields in heard} == {pid}


async def test_Y6_a_server_whose_state_cannot_be_had_goes_on(autojump_clock: MockClock) -> None:
    class Secretive(Counter):
        def system_get_state(self) -> object:
            raise PermissionError

    async with open_runtime():
        pid = (await Secretive.start_link(1)).unwrap()
        await system.log(pid)
        assert await call(pid, "what") == 1
        answer = (await system.get_log(pid))[-1]
        assert isinstance(answer, Out)
        assert isinstance(answer.state, PermissionError)
        with pytest.raises(system.RequestError):
            await system.get_state(pid)


async def test_Y7_statistics(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter()
        assert await system.statistics(pid) is None
        await trio.sleep(1)
        await system.statistics(pid, on=True)
        await trio.sleep(2)
        cast(pid, 200)
        await call(pid, "what")
        counted = await system.statistics(pid)
        assert counted is not None
        assert (counted.start_time, counted.current_time) == (1, 3)
        assert (counted.work, counted.messages_in, counted.messages_out) == (3, 2, 1)
        assert await system.statistics(pid, on=False) is None


async def test_Y10_which_children_and_links_show_two_trees(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def unsupervised(_: Kit) -> None:
            await Kit.start_link()

        spec = ChildSpec(id="kit", start=(Kit.start_link, (), {"init": unsupervised}))
        supervisor = (await Supervisor.start_link([spec])).unwrap()
        ((identity, pid),) = ((child.id, child.pid) for child in await Supervisor.which_children(supervisor))
        assert isinstance(pid, Pid)
        assert identity == "kit"
        (hidden,) = (other for other in pid.links or () if other is not supervisor)
        assert hidden.ancestors[:2] == (pid, supervisor)


@pytest.mark.allow_leaks("a supervisor that is busy for ever")
async def test_Y11_a_busy_supervisor_can_be_looked_at(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def slow(_: Kit) -> None:
            await trio.sleep(100)

        pool = (await DynamicSupervisor.start_link()).unwrap()
        spec = ChildSpec(id="slow", start=(Kit.start_link, (), {"init": slow}))
        spawn(DynamicSupervisor.start_child, pool, spec)
        await settle()
        with pytest.raises(Exit, match="timeout"):
            await DynamicSupervisor.which_children(pool, timeout=1)
        assert DynamicSupervisor.statistics(pool).children == ()
        assert pool.statistics().length == 1


async def test_Y12_looking_at_a_process_is_no_message(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[float] = []
        pid = (
            await Kit.start_link(init=lambda _: Timeout(3), info=lambda *_: heard.append(trio.current_time()))
        ).unwrap()
        await system.statistics(pid, on=True)
        for _ in range(3):
            await trio.sleep(0.9)
            assert pid.statistics().receiving
            assert pid.initial_call == "Kit.init"
        await trio.sleep(3)
        assert heard == [3]
        counted = await system.statistics(pid)
        assert counted is not None
        assert counted.messages_in == 1


async def test_Y13_what_a_viewer_wants_to_know_is_told(autojump_clock: MockClock) -> None:
    wanted: tuple[Event, ...] = (
        runtime_events.spawned,
        runtime_events.named,
        runtime_events.linked,
        runtime_events.unlinked,
        runtime_events.exited,
        supervisor_events.child_started,
        supervisor_events.child_terminated,
        supervisor_events.start_error,
        supervisor_events.gave_up,
        events.labelled,
    )
    async with open_runtime():
        with told(*wanted) as heard:
            register("viewed")
            set_label("labelled")
            supervisor = (await DynamicSupervisor.start_link(max_restarts=0)).unwrap()
            await DynamicSupervisor.start_child(supervisor, (Failing, "init"))
            await DynamicSupervisor.start_child(supervisor, (Failing, "later"))
            unlink(supervisor)
            assert await end(supervisor) == "shutdown"
        assert {event for event, _ in heard} == set(wanted)
        assert get_label(self_pid()) == "labelled"


class Failing(GenServer):
    """Fails in `init`, or a second later."""

    async def init(self, when: str) -> Timeout:
        if when == "init":
            raise Exit(NORMAL)
        return Timeout(1)

    async def handle_info(self, message: object) -> None:
        raise ValueError(message)
