"""The rules of processes as small programs with an oracle: each must hold in all orders, and whatever is killed.

The rules have their ids in docs/otp-semantics.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio
from trio.lowlevel import checkpoint

from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    NameTakenError,
    NoProcessError,
    Pid,
    cancel_timer,
    demonitor,
    link,
    monitor,
    receive,
    register,
    self_pid,
    send_after,
    set_port,
    spawn,
    spawn_link,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from phxactor.testing import settle

Program = Callable[[], Awaitable[object]]


_spared: list[bool] = []
"""Holds something from the moment on that the program looks at what has become of everything."""


def may_be_killed(_: Pid) -> bool:
    """Return whether the program is not at its end yet."""
    return not _spared


async def calm() -> None:
    """Wait until all have come to rest, and nobody is killed any more."""
    _spared.append(True)
    await settle()


async def rest() -> None:
    """Wait until all have come to rest; then nothing may be left in this process but what `main` had before."""
    await calm()
    me = self_pid()
    assert not me.monitors, me.monitors
    assert not me.links, me.links
    assert not me.mailbox, list(me.mailbox)


# ------------------------------------------------------------------------------------------ links and monitors


async def links_end_together() -> None:
    """X1, X3: three linked in a row end together, with the reason of the first, or as killed."""
    ends = []

    async def body(other: Pid | None) -> None:
        if other is not None:
            try:
                link(other)
            except NoProcessError:
                raise Exit("noproc") from None
        await receive()
        raise Exit("boom")

    first = spawn(body, None)
    second = spawn(body, first)
    third = spawn(body, second)
    ends = [monitor(pid) for pid in (first, second, third)]
    await settle()
    for pid in [second] if all(pid.alive for pid in (first, second, third)) else [first, second, third]:
        pid.send("end")  # to all, if one was killed before it was linked
    downs = [await receive() for _ in ends]
    assert {down.ref for down in downs} == set(ends)
    assert not any(pid.alive for pid in (first, second, third))
    await rest()


async def one_down_for_each_monitor() -> None:
    """M1, M2, M8, M9: one `Down` for each monitor, and none after a demonitor with flush."""

    async def short() -> None:
        await checkpoint()
        raise Exit("why")

    pid = spawn(short)
    kept, dropped = monitor(pid), monitor(pid)
    await checkpoint()
    demonitor(dropped, flush=True)
    late = monitor(pid)
    downs = [await receive(), await receive()]
    assert {down.ref for down in downs} == {kept, late}
    assert {down.reason for down in downs} <= {"why", "killed", "noproc"}
    await rest()


async def unlinked_is_unlinked() -> None:
    """X15: after `unlink` with flush no exit signal comes, whenever the other has ended."""
    trap_exit()

    async def short() -> None:
        await checkpoint()
        raise Exit("boom")

    pid = spawn_link(short)
    await checkpoint()
    unlink(pid, flush=True)
    await rest()


async def one_exit_signal_for_each_link() -> None:
    """X12, X13: who traps exits gets one signal for each link, also for one that has ended."""
    trap_exit()

    async def short() -> None:
        await checkpoint()
        raise Exit("boom")

    pid = spawn(short)
    await checkpoint()
    link(pid)
    ended = await receive()
    assert isinstance(ended, Exited)
    assert ended.reason in {"boom", "noproc", "killed"}
    await rest()


# ----------------------------------------------------------------------------------------------- names, timers


async def a_name_has_one_owner() -> None:
    """N: one of two processes gets the name, and it is free after their ends."""
    won = []

    async def taker() -> None:
        try:
            register("name")
        except NameTakenError:
            return
        won.append(self_pid())
        await checkpoint()
        assert whereis("name") is self_pid()
        unregister("name")
        assert whereis("name") is not self_pid()

    watches = {monitor(spawn(taker)), monitor(spawn(taker))}
    for _ in range(2):
        down = await receive()
        assert down.reason in {"normal", "killed"}, down.reason
        watches.discard(down.ref)
    assert not watches
    assert whereis("name") is None
    await rest()


async def a_timer_fires_or_is_cancelled() -> None:
    """Either `cancel_timer` tells the time that was left, or the message comes."""
    timer = send_after(self_pid(), "tick", 1.0)

    async def sleeper() -> None:
        await trio.sleep(1.0)

    watch = monitor(spawn(sleeper))
    await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    left = cancel_timer(timer)
    await settle()
    came = self_pid().statistics().length
    assert (left is None) == bool(came), (left, came)


# ------------------------------------------------------------------------------------------------------- ports


async def a_port_keeps_the_order_of_each_sender() -> None:
    """O1: whether messages wait for the port or run in it, those of one sender keep their order."""
    main = self_pid()
    seen: dict[str, list[int]] = {"a": [], "b": []}

    def port(message: tuple[str, int]) -> None:
        name, number = message
        seen[name].append(number)
        if number == 0:
            main.send(name)

    async def ported() -> None:
        await checkpoint()
        set_port(port)  # type: ignore[arg-type]
        await trio.sleep_forever()

    pid = spawn(ported)

    async def sender(name: str) -> None:
        for number in range(2):
            pid.send((name, number))
            await checkpoint()

    watches = {monitor(spawn(sender, name)) for name in "ab"}
    while watches:
        watches.discard((await receive(lambda message: isinstance(message, Down))).ref)
    await settle()
    assert all(numbers == list(range(len(numbers))) for numbers in seen.values()), seen


def fresh(program: Program) -> Program:
    """Return a program that begins with nobody spared, in each play."""

    async def main() -> None:
        _spared.clear()
        await program()

    main.__name__ = getattr(program, "__name__", "restarts")
    return main


RULES: Final[list[Program]] = [
    links_end_together,
    one_down_for_each_monitor,
    unlinked_is_unlinked,
    one_exit_signal_for_each_link,
    a_name_has_one_owner,
    a_timer_fires_or_is_cancelled,
    a_port_keeps_the_order_of_each_sender,
]
