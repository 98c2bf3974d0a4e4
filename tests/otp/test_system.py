"""System requests: section 12 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Called, Supervisor, Timeout, call, cast, stop, system
from phxactor.runtime import KILL, NOPROC, Exit, Pid, open_runtime, self_pid, spawn
from tests.otp import Kit, end, mail
from tests.otp.counter import Counter, counter


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
            await system.replace_state(pid, lambda state: state["nothing"])
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
