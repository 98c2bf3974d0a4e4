"""Casts, messages, time-outs, continues: section 5.3 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import (
    HIBERNATE,
    Called,
    Continue,
    GenServer,
    NoReply,
    PartitionSupervisor,
    Registry,
    Reply,
    StartError,
    Stop,
    Timeout,
    call,
    cast,
    events,
    system,
)
from phxactor.runtime import KILL, NORMAL, Crash, Exit, From, Pid, open_runtime, self_pid
from phxactor.testing import settle
from tests.otp import Kit, end, told


class Broken:
    """A name whose keeper is gone."""

    def register(self, pid: Pid) -> None:
        raise LookupError

    def unregister(self, pid: Pid) -> None:
        raise LookupError

    def whereis(self) -> Pid | None:
        raise LookupError


async def clock(
    started: object = None,
    **callbacks: Any,  # noqa: ANN401 - what Kit takes
) -> tuple[Pid, list[tuple[float, object]]]:
    """Start a server that notes the messages that it gets, with the time."""
    heard: list[tuple[float, object]] = []

    def info(_: Kit, message: object) -> None:
        heard.append((round(trio.current_time(), 3), message))

    callbacks.setdefault("init", lambda _: started)
    pid = (await Kit.start_link(info=info, **callbacks)).unwrap()
    return pid, heard


async def test_G35_cast_never_raises(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []
        pid = (await Kit.start(cast=lambda _, request: heard.append(request))).unwrap()
        cast(pid, "hello")
        await settle()
        assert heard == ["hello"]
        pid.exit(KILL)
        await end(pid)
        for server in (
            pid,
            "nobody",
            Broken(),
            PartitionSupervisor.via("nobody", "key"),
            Registry.via("nobody", "key"),
        ):
            cast(server, "hello")


async def test_G36_what_no_callback_handles_ends_the_server(autojump_clock: MockClock) -> None:
    class Match(GenServer):
        async def handle_call(self, request: object, from_: From) -> Reply | None:
            match request:
                case "known":
                    return Reply()
            return None

    async with open_runtime():
        for kind in (GenServer, Match):
            pid = (await kind.start()).unwrap()
            with pytest.raises(Exit) as caught:
                await call(pid, "unknown")
            reason = await end(pid)
            assert isinstance(reason, Crash)
            assert isinstance(reason.exception, RuntimeError)
            assert kind.__name__ in str(reason.exception)
            assert caught.value.reason == (reason, Called("GenServer.call", pid, "unknown", 5.0))
        pid = (await GenServer.start()).unwrap()
        cast(pid, "unknown")
        reason = await end(pid)
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, RuntimeError)


async def test_G37_an_unhandled_message_is_told_and_dropped(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await GenServer.start_link()).unwrap()
        with told(events.unexpected) as heard:
            pid.send("what?")
            await settle()
        assert [(fields["pid"], fields["message"]) for _, fields in heard] == [(pid, "what?")]
        assert pid.alive


@pytest.mark.parametrize("callback", ["cast", "info", "then"])
async def test_G38_a_reply_where_nobody_asked_is_a_bad_return_value(autojump_clock: MockClock, callback: str) -> None:
    async with open_runtime():
        callbacks: dict[str, Any] = {callback: lambda *_: Reply("to whom?")}
        started = Continue() if callback == "then" else None
        pid = (await Kit.start(init=lambda _: started, **callbacks)).unwrap()
        if callback == "cast":
            cast(pid, "hello")
        else:
            pid.send("hello")
        assert await end(pid) == ("bad_return_value", Reply("to whom?"))


@pytest.mark.parametrize("callback", ["init", "call", "cast", "info", "then"])
async def test_G39_a_timeout_is_a_message_when_none_has_come(autojump_clock: MockClock, callback: str) -> None:
    async with open_runtime():
        then = Timeout(3)
        of: dict[str, dict[str, Any]] = {
            "call": {"call": lambda *_: Reply("yes", then)},
            "cast": {"cast": lambda *_: NoReply(then)},
            "info": {"cast": lambda *_: self_pid().send("more")},
            "then": {"then": lambda *_: NoReply(then)},
        }
        callbacks = of.get(callback, {})
        heard: list[object] = []

        def info(_: Kit, message: object) -> object:
            heard.append((trio.current_time(), message))
            return NoReply(then) if message == "more" else None

        started = {"init": then, "then": Continue()}.get(callback)
        pid = (await Kit.start_link(init=lambda _: started, info=info, **callbacks)).unwrap()
        if callback == "call":
            assert await call(pid, "hello") == "yes"
        elif callback in ("cast", "info"):
            cast(pid, "hello")
        await trio.sleep(10)
        assert (3, "timeout") in heard


async def test_G40_any_message_cancels_the_timeout_for_good(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid, heard = await clock(Timeout(3))
        await trio.sleep(2)
        pid.send("hello")
        await trio.sleep(10)
        assert heard == [(2, "hello")]
        assert len(runtime.timers) == 0


async def test_G41_a_timeout_of_zero_gives_way_to_what_waits(autojump_clock: MockClock) -> None:
    async with open_runtime():

        def init(_: Kit) -> Timeout:
            self_pid().send("waiting")
            return Timeout(0)

        _, heard = await clock(init=init)
        await trio.sleep(1)
        assert heard == [(0, "waiting")]
        _, heard = await clock(Timeout(0))
        await trio.sleep(1)
        assert heard == [(1, "timeout")]


async def test_G42_a_system_message_starts_the_timeout_over(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid, heard = await clock(Timeout(3))
        await trio.sleep(2)
        await system.get_state(pid)
        await trio.sleep(10)
        assert heard == [(5, "timeout")]
        await system.get_state(pid)
        await trio.sleep(10)
        assert len(heard) == 1


async def test_G43_a_timeout_cannot_be_told_from_a_message_timeout(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid, heard = await clock(Timeout(3))
        pid.send("timeout")
        await trio.sleep(10)
        assert heard == [(0, "timeout")]


async def test_G44_hibernating_changes_nothing(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid, heard = await clock(HIBERNATE, call=lambda _, request, __: Reply(request, HIBERNATE))
        assert await call(pid, "hello") == "hello"
        pid.send("message")
        await trio.sleep(10)
        assert heard == [(0, "message")]


async def test_G45_a_timeout_with_a_message_of_its_own(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid, heard = await clock(Timeout(3, ("tick", 1)))
        await trio.sleep(2)
        await system.get_state(pid)
        await trio.sleep(10)
        assert heard == [(3, ("tick", 1))]

        pid, heard = await clock(Timeout(3, "tick"))
        pid.send("hello")
        await trio.sleep(10)
        assert [message for _, message in heard] == ["hello"]

        def init(_: Kit) -> Timeout:
            self_pid().send("waiting")
            return Timeout(0, "tick")

        _, heard = await clock(init=init)
        await settle()
        assert [message for _, message in heard] == ["tick", "waiting"]


async def test_G45_a_server_that_always_wants_to_go_on_lets_others_run(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (
            await Kit.start(init=lambda _: Timeout(0, "again"), info=lambda *_: NoReply(Timeout(0, "again")))
        ).unwrap()
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        pid.exit(KILL)
        await end(pid)


async def test_a_server_that_always_continues_lets_others_run(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start(init=lambda _: Continue(), then=lambda *_: NoReply(Continue()))).unwrap()
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        pid.exit(KILL)
        await end(pid)


async def test_a_continue_may_stop(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start(init=lambda _: Continue(), then=lambda *_: Stop(NORMAL))).unwrap()
        assert await end(pid) == NORMAL
        with pytest.raises(StartError, match="refused"):
            (await Kit.start(init=lambda _: Stop("refused"))).unwrap()
