"""System requests, and watching a server: section 12 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import (
    DONE,
    Called,
    ChildSpec,
    Continue,
    Continued,
    DebugEvent,
    DynamicSupervisor,
    GenServer,
    In,
    NoAnswer,
    NoReply,
    Out,
    Reply,
    Supervisor,
    Timeout,
    call,
    cast,
    events,
    get_label,
    set_label,
    stop,
    supervisor_events,
    system,
)
from phxactor.runtime import (
    KILL,
    NOPROC,
    NORMAL,
    Exit,
    From,
    Pid,
    open_runtime,
    register,
    self_pid,
    spawn,
    unlink,
)
from phxactor.runtime import events as runtime_events
from phxactor.telemetry import Event
from tests.otp import Kit, end, mail, settled, told


class Counter(GenServer):
    """Counts."""

    async def init(self, count: int) -> None:
        self.count = count

    async def handle_call(self, request: object, from_: From) -> Reply:
        return Reply(self.count)

    async def handle_cast(self, request: object) -> NoReply | None:
        assert isinstance(request, int)
        self.count += request
        return NoReply(Continue("added")) if request > 100 else None

    async def handle_continue(self, argument: object) -> None:
        self.count = 0


async def counter(count: int = 0) -> Pid:
    return (await Counter.start_link(count)).unwrap()


async def test_Y1_requests_wait_their_turn_in_the_mailbox(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter()
        cast(pid, 1)
        cast(pid, 2)
        assert await system.get_state(pid) == {"count": 3}


async def test_Y1_requests_to_nobody_and_to_no_server(autojump_clock: MockClock) -> None:
    async with open_runtime():
        dead = await counter()
        await stop(dead)
        no_server = spawn(trio.sleep_forever)
        for pid, why in ((dead, NOPROC), (no_server, "timeout"), (self_pid(), "calling_self")):
            with pytest.raises(Exit) as caught:
                await system.get_state(pid)
            assert isinstance(caught.value.reason, tuple)
            reason, called = caught.value.reason
            assert reason == why
            assert isinstance(called, Called)
            assert (called.function, called.timeout) == ("system.get_state", 5)
        assert trio.current_time() == pytest.approx(5)
        assert mail() == []


async def test_Y2_get_and_replace_state(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter(1)
        state = await system.get_state(pid)
        assert state == {"count": 1}
        ran_in: list[Pid] = []

        def double(state: Any) -> object:  # noqa: ANN401 - any state
            ran_in.append(self_pid())
            return {"count": state["count"] * 2}

        assert await system.replace_state(pid, double) == {"count": 2}
        assert ran_in == [pid]
        assert await call(pid, "what") == 2


async def test_Y2_a_function_that_raises_changes_nothing(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter(1)
        with pytest.raises(system.RequestError) as caught:
            await system.replace_state(pid, lambda state: state["nothing"])  # type: ignore[index]
        assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(system.RequestError):
            await system.replace_state(pid, lambda _: "no attributes")
        assert await call(pid, "what") == 1


async def test_Y3_a_suspended_server_takes_system_messages_only(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await counter(0)
        await system.suspend(pid)
        cast(pid, 1)
        cast(pid, 2)
        with pytest.raises(Exit, match="timeout"):
            await call(pid, "what", 1)
        assert await system.get_state(pid) == {"count": 0}
        await system.suspend(pid)
        await system.resume(pid)
        await system.resume(pid)
        assert await call(pid, "what") == 3
        assert mail() == []


async def test_Y3_the_parents_end_overtakes_the_queue_of_a_suspended_server(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []
        children: list[Pid] = []

        async def start(_: Kit) -> None:
            started = await Kit.start_link(
                trap=True,
                info=lambda _, message: heard.append(message),
                terminate=lambda _, reason: heard.append(("terminate", reason)),
            )
            children.append(started.unwrap())

        parent = (await Kit.start(init=start)).unwrap()
        (pid,) = children
        await system.suspend(pid)
        pid.send("queued")
        pid.exit("a stranger's")
        await stop(parent, "enough")
        assert await end(pid) == "enough"
        assert heard == [("terminate", "enough")]


@pytest.mark.parametrize(("timeout", "due"), [(Timeout(3), 13), (Timeout(3, "tick"), 10)])
async def test_Y4_a_timeout_does_not_fire_while_suspended(
    autojump_clock: MockClock, timeout: Timeout, due: float
) -> None:
    async with open_runtime():
        heard: list[float] = []
        pid = (await Kit.start_link(init=lambda _: timeout, info=lambda *_: heard.append(trio.current_time()))).unwrap()
        await trio.sleep(1)
        await system.suspend(pid)
        await trio.sleep(9)
        assert heard == []
        await system.resume(pid)
        await trio.sleep(10)
        assert heard == [pytest.approx(due)]


async def test_Y5_get_status(autojump_clock: MockClock) -> None:
    async with open_runtime():
        linked = (await Counter.start_link(1, name="counter")).unwrap()
        status = await system.get_status(linked)
        assert (status.pid, status.module, status.name) == (linked, Counter, "counter")
        assert (status.suspended, status.parent, status.dictionary, status.debug) == (False, self_pid(), {}, ())
        assert status.status.state == {"count": 1}
        alone = (await Counter.start(1)).unwrap()
        await system.suspend(alone)
        await system.log(alone)
        await system.statistics(alone, on=True)
        status = await system.get_status(alone)
        assert (status.suspended, status.parent, status.debug) == (True, alone, ("log", "statistics"))


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


async def test_Y8_terminate_answers_before_the_end(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def slow(*_: object) -> None:
            await trio.sleep(3)

        pid = (await Kit.start(terminate=slow)).unwrap()
        await system.terminate(pid, "enough")
        assert trio.current_time() == 0
        assert pid.alive
        assert await end(pid) == "enough"
        assert trio.current_time() == pytest.approx(3)


async def test_Y9_a_suspended_supervisor_restarts_nobody(autojump_clock: MockClock) -> None:
    async with open_runtime():
        supervisor = (await Supervisor.start_link([(Counter, 1)])).unwrap()
        assert await system.get_state(supervisor) == Supervisor.statistics(supervisor)
        await system.suspend(supervisor)
        (child,) = (pid for pid in supervisor.links or () if pid is not self_pid())
        child.exit(KILL)
        await trio.sleep(1)
        assert set(supervisor.links or ()) == {self_pid()}
        await system.resume(supervisor)
        (info,) = await Supervisor.which_children(supervisor)
        assert isinstance(info.pid, Pid)
        assert info.pid is not child


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


async def test_Y11_a_busy_supervisor_can_be_looked_at(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def slow(_: Kit) -> None:
            await trio.sleep(100)

        pool = (await DynamicSupervisor.start_link()).unwrap()
        spec = ChildSpec(id="slow", start=(Kit.start_link, (), {"init": slow}))
        spawn(DynamicSupervisor.start_child, pool, spec)
        await settled()
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
