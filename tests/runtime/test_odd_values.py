"""No message and no reason hurts anybody by its own code: sending never fails (N1), and an end is always told (TM1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    Crash,
    Down,
    Exit,
    Exited,
    Pid,
    format_reason,
    link,
    monitor,
    open_runtime,
    reason_of_failure,
    receive,
    ref_of,
    self_pid,
    set_port,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
)
from phxactor.testing import settle
from tests.runtime.odd import ODD, Oddity, named

odd = pytest.mark.parametrize("kind", ODD, ids=named)


@odd
async def test_N1_an_odd_message_reaches_whoever_waits_for_any(kind: type, autojump_clock: MockClock) -> None:
    message = kind()
    async with open_runtime():
        taken: list[object] = []

        async def waits() -> None:
            taken.append(await receive())

        async def waits_for_a_time() -> None:
            taken.append(await receive(timeout=5))

        async def waits_for_a_match() -> None:
            taken.append(await receive(lambda one: type(one) is kind))

        async def has_a_port() -> None:
            set_port(taken.append)
            await trio.sleep_forever()

        pids = [spawn(body) for body in (waits, waits_for_a_time, waits_for_a_match, has_a_port)]
        await settle()
        for pid in pids:
            pid.send(message)
        await settle()
        assert len(taken) == 4
        assert all(one is message for one in taken)


@odd
async def test_N2_an_odd_message_is_nothing_to_whoever_waits_for_a_ref(kind: type, autojump_clock: MockClock) -> None:
    async with open_runtime():
        me = self_pid()
        pid = spawn(trio.sleep_forever)
        watch = monitor(pid)
        me.send(kind())

        async def later() -> None:
            me.send(kind())
            pid.exit(KILL)

        spawn(later)
        assert await me.receive_ref(watch, 0, None) == Down(watch, pid, "killed")
        assert [type(message) for message in me.mailbox] == [kind, kind]
        assert ref_of(me.mailbox[0]) is None


@odd
async def test_X1_X3_M1_TM1_an_odd_reason_is_told_like_any_other(kind: type, autojump_clock: MockClock) -> None:
    reason = kind()
    async with open_runtime() as runtime:
        trap_exit()

        async def body() -> None:
            await receive()
            raise Exit(reason)

        async def ends_with(pid: Pid) -> None:
            link(pid)
            await trio.sleep_forever()

        pid = spawn_link(body)
        watch = monitor(pid)
        other, other_watch = spawn_monitor(ends_with, pid)
        await settle()
        pid.send("end")
        exited, down, next_down = [await receive() for _ in range(3)]
        assert isinstance(exited, Exited)
        assert exited.reason is reason
        assert isinstance(down, Down)
        assert (down.ref, down.reason is reason) == (watch, True)
        assert isinstance(next_down, Down)
        assert (next_down.ref, next_down.reason is reason) == (other_watch, True)
        assert other.exit_reason is reason
        assert runtime.statistics().processes == 1


@odd
async def test_X4_X6_an_odd_reason_in_a_signal_is_like_any_other(kind: type, autojump_clock: MockClock) -> None:
    reason = kind()
    async with open_runtime():
        me = self_pid()

        async def traps() -> None:
            trap_exit()
            me.send(await receive())

        pid, trapping = spawn(trio.sleep_forever), spawn(traps)
        await settle()
        pid.exit(reason)
        trapping.exit(reason)
        heard = await receive()
        assert isinstance(heard, Exited)
        assert heard.reason is reason
        await settle()
        assert pid.exit_reason is reason


@odd
async def test_P8_an_odd_reason_in_a_signal_to_oneself(kind: type, autojump_clock: MockClock) -> None:
    reason = kind()

    async def body() -> None:
        self_pid().exit(reason)

    async with open_runtime():
        pid, _ = spawn_monitor(body)
        down = await receive()
        assert isinstance(down, Down)
        assert down.reason is reason
        assert pid.exit_reason is reason


@odd
def test_an_odd_reason_can_be_shown(kind: type) -> None:
    assert format_reason(kind())
    assert format_reason((kind(), "boom"))


class OddError(Exception):
    """An exception that cannot be asked what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise Oddity("it is odd")

    def __str__(self) -> str:
        raise Oddity("it is odd")

    __repr__ = __str__


class Unmade(Exit):
    """An exit whose class has forgotten to call `Exit.__init__`."""

    def __init__(self) -> None:
        pass


class Unsaid(Exit):
    """An exit that does not want to tell its reason."""

    @property
    def reason(self) -> object:
        raise Oddity("it is odd")

    @reason.setter
    def reason(self, _: object) -> None:
        pass


ERRORS: Final[dict[str, Callable[[], BaseException]]] = {
    "odd": OddError,
    "in a group": lambda: ExceptionGroup("both", [OddError(), OddError()]),
    "an exit without a reason": Unmade,
    "an exit that hides its reason": lambda: Unsaid("boom"),
    "exits in a group": lambda: BaseExceptionGroup("both", [Unmade(), Unsaid("boom")]),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_TM1_an_odd_exception_ends_its_process_only(name: str, autojump_clock: MockClock) -> None:
    error = ERRORS[name]

    async def body() -> None:
        raise error()

    def fail(_: object) -> None:
        raise error()

    async def port() -> None:
        set_port(fail)
        await trio.sleep_forever()

    async with open_runtime():
        pid, _ = spawn_monitor(body)
        down = await receive()
        assert isinstance(down, Down)
        assert isinstance(down.reason, Crash)
        pid = spawn(port)
        await settle()
        pid.send("hello")
        await settle()
        assert isinstance(pid.exit_reason, Crash)
        assert isinstance(reason_of_failure(error())[0], Crash)
