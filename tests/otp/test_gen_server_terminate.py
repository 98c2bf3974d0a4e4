"""When `terminate` is called: the first half of section 5.4 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import IGNORE, Called, Error, Stop, call, cast, events, stop, system
from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    Pid,
    Reason,
    Shutdown,
    open_runtime,
    self_pid,
    trap_exit,
)
from phxactor.testing import settle
from tests.otp import Callback, Kit, end, end_of, raises, told


async def recorded(**callbacks: Any) -> tuple[Pid, list[Reason]]:  # noqa: ANN401 - what Kit takes
    """Start a server without a link; the list gets the reasons that `terminate` is called with."""
    reasons: list[Reason] = []
    return (await Kit.start(terminate=lambda _, reason: reasons.append(reason), **callbacks)).unwrap(), reasons


async def child(*, trap: bool, **callbacks: Any) -> tuple[Pid, Pid, list[Reason]]:  # noqa: ANN401 - the same
    """Start a parent and its child: parent, child, and the reasons that the child's `terminate` is called with."""
    reasons: list[Reason] = []
    children: list[Pid] = []

    async def start(_: Kit) -> None:
        started = await Kit.start_link(trap=trap, terminate=lambda _, reason: reasons.append(reason), **callbacks)
        children.append(started.unwrap())

    parent = (await Kit.start(init=start)).unwrap()
    return parent, children[0], reasons


async def test_G50_stop_calls_terminate_with_the_reason(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for reason in (NORMAL, Shutdown("closed"), "boom"):
            pid, reasons = await recorded(info=lambda *_, reason=reason: Stop(reason))
            pid.send("end")
            assert await end(pid) == reason
            assert reasons == [reason]


async def test_G51_terminate_sees_what_the_callback_did_before_it_raised(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("boom")
        seen: list[object] = []

        def info(server: Kit, _: object) -> None:
            server.callbacks["left"] = raises(failure)
            raise failure

        def terminate(server: Kit, reason: Reason) -> None:
            seen.extend(["left" in server.callbacks, reason])

        pid = (await Kit.start(info=info, terminate=terminate)).unwrap()
        pid.send("end")
        reason = await end(pid)
        assert isinstance(reason, Crash)
        assert reason.exception is failure
        assert seen == [True, reason]


@pytest.mark.parametrize("reason", [NORMAL, "enough"])
async def test_G52_a_callback_that_exits_calls_terminate(autojump_clock: MockClock, reason: Reason) -> None:
    async with open_runtime():
        pid, reasons = await recorded(info=raises(Exit(reason)))
        pid.send("end")
        assert await end(pid) == reason
        assert reasons == [reason]


async def test_G53_a_bad_return_value_calls_terminate(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for callback in ("call", "info"):
            pid, reasons = await recorded(**{callback: lambda *_: "junk"})
            if callback == "call":
                with pytest.raises(Exit):
                    await call(pid, "hello")
            else:
                pid.send("hello")
            assert await end(pid) == ("bad_return_value", "junk")
            assert reasons == [("bad_return_value", "junk")]


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, "boom", KILL])
async def test_G54_the_end_of_the_parent_calls_terminate_of_a_trapping_server(
    autojump_clock: MockClock, reason: Reason
) -> None:
    async with open_runtime():
        parent, pid, reasons = await child(trap=True)
        if reason == KILL:
            parent.exit(KILL)
        else:
            await stop(parent, reason)
        seen = KILLED if reason == KILL else reason
        assert await end(pid) == seen
        assert reasons == [seen]


async def test_G55_the_end_of_anybody_else_is_a_message(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []
        _, pid, reasons = await child(trap=True, info=lambda _, message: heard.append(message))
        pid.exit("boom")
        await settle()
        assert heard == [Exited(self_pid(), "boom")]
        assert reasons == []
        assert pid.alive


async def test_G56_no_terminate_for_an_exit_signal_that_is_not_trapped(autojump_clock: MockClock) -> None:
    async with open_runtime():
        parent, pid, reasons = await child(trap=False)
        await stop(parent, SHUTDOWN)
        assert await end(pid) == SHUTDOWN
        assert reasons == []


async def test_G57_no_terminate_for_a_kill(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid, reasons = await recorded(trap=True)
        pid.exit(KILL)
        assert await end(pid) == KILLED
        assert reasons == []


@pytest.mark.parametrize("function", [stop, system.terminate])
async def test_G58_stop_and_system_terminate_call_terminate(autojump_clock: MockClock, function: Callback) -> None:
    async with open_runtime():
        pid, reasons = await recorded()
        await function(pid, Shutdown("please"))
        assert await end(pid) == Shutdown("please")
        assert reasons == [Shutdown("please")]


async def test_G59_no_terminate_when_init_failed(autojump_clock: MockClock) -> None:
    async with open_runtime():
        called: list[Reason] = []
        for init in (raises(ValueError()), lambda _: Stop("no"), lambda _: IGNORE, lambda _: Error("no")):
            await Kit.start(init=init, terminate=lambda _, reason: called.append(reason))
        assert called == []


@pytest.mark.allow_leaks("it survives")
async def test_G60_a_server_that_does_not_trap_survives_its_parents_normal_end(autojump_clock: MockClock) -> None:
    async with open_runtime():
        parent, pid, reasons = await child(trap=False)
        await stop(parent)
        await settle()
        assert pid.alive
        assert reasons == []


async def test_G61_a_forged_end_of_the_parent_is_as_the_real_one(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for trap in (True, False):
            parent, pid, reasons = await child(trap=trap)
            pid.send(Exited(parent, "forged"))
            assert await end(pid) == "forged"
            assert reasons == ["forged"]
            parent.exit(KILL)


async def test_G62_what_terminate_returns_is_ignored(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start(terminate=lambda *_: Stop("other"))).unwrap()
        await stop(pid, "enough")
        assert pid.exit_reason == "enough"


async def test_G63_what_terminate_raises_replaces_the_reason(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("in terminate")
        for error, check in ((failure, failure), (Exit("other"), "other")):
            pid = (await Kit.start(info=lambda *_: Stop(NORMAL), terminate=raises(error))).unwrap()
            with told(events.terminated) as heard:
                pid.send("end")
                reason = await end(pid)
            assert (reason.exception if isinstance(reason, Crash) else reason) is check
            assert [fields["reason"] for _, fields in heard] == [reason]


async def test_G64_messages_that_are_left_are_never_handled(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []

        async def slow_end(_: Kit, __: object) -> Stop:
            await trio.sleep(1)
            return Stop("enough")

        pid = (await Kit.start(cast=slow_end, info=lambda _, message: heard.append(message))).unwrap()
        cast(pid, "end")
        pid.send("left")

        async def client() -> None:
            await call(pid, "left too")

        assert await end_of(client) == ("enough", Called("GenServer.call", pid, "left too", 5.0))
        assert heard == []


async def test_G65_the_parents_end_waits_its_turn_in_the_mailbox(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []

        async def slow(_: Kit, message: object) -> None:
            await trio.sleep(1)
            heard.append(message)

        parent, pid, reasons = await child(trap=True, info=slow)
        for number in range(3):
            pid.send(number)
        await stop(parent, SHUTDOWN)
        assert await end(pid) == SHUTDOWN
        assert heard == [0, 1, 2]
        assert reasons == [SHUTDOWN]


async def test_a_process_that_dies_in_a_callback_by_a_signal_does_not_terminate(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()

        async def wait(*_: object) -> None:
            await trio.sleep_forever()

        pid, reasons = await recorded(info=wait)
        pid.send("wait")
        await settle()
        pid.exit("boom")
        assert await end(pid) == "boom"
        assert reasons == []
