"""A process that has ended itself, and caught that, does nothing more (P8, TM3)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    Down,
    Exit,
    Exited,
    Pid,
    cleanup,
    link,
    monitor,
    open_runtime,
    receive,
    register,
    self_pid,
    send,
    send_after,
    set_port,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
    whereis,
)
from phxactor.runtime._pid import silenced
from phxactor.testing import settle
from tests.runtime.actors import actors, reason

SENDS: Final[dict[str, Callable[[Pid, Pid], object]]] = {
    "Pid.send": lambda friend, _: friend.send("from the dead"),
    "send": lambda friend, _: send(friend, "from the dead"),
    "send to a port": lambda _, port: port.send("from the dead"),
    "exit": lambda friend, _: friend.exit("boom"),
    "exit to a port": lambda _, port: port.exit("boom"),
    "kill": lambda friend, _: friend.exit(KILL),
}
OTHERS: Final[dict[str, Callable[[Pid, Pid], object]]] = {
    "spawn": lambda *_: spawn(trio.sleep_forever),
    "spawn_link": lambda *_: spawn_link(trio.sleep_forever),
    "spawn_monitor": lambda *_: spawn_monitor(trio.sleep_forever),
    "link": lambda friend, _: link(friend),
    "monitor": lambda friend, _: monitor(friend),
    "monitor a name": lambda *_: monitor("friend"),
    "register": lambda *_: register("late"),
    "trap_exit": lambda *_: trap_exit(),
    "set_port": lambda *_: set_port(lambda _: None),
    "send_after": lambda friend, _: send_after(friend, "from the dead", 0),
    "send_after to a name": lambda *_: send_after("friend", "from the dead", 0),
    "exit": lambda *_: self_pid().exit("again"),
}


@pytest.mark.parametrize("sent", ["boom", "normal", KILL])
@pytest.mark.parametrize("name", SENDS)
async def test_P8_TM3_what_it_sends_goes_nowhere(name: str, sent: str) -> None:
    async with open_runtime():
        (friend,) = await actors(1)
        taken: list[object] = []
        port = spawn(_port, taken)
        await settle()

        async def body() -> None:
            try:
                self_pid().exit(sent)
            except Exit:
                SENDS[name](friend.pid, port)
            SENDS[name](friend.pid, port)

        pid, watch = spawn_monitor(body)
        why = "killed" if sent == KILL else sent
        assert await receive() == Down(watch, pid, why)
        await settle()
        assert (friend.mail, taken) == ([], [])
        assert friend.pid.alive
        assert port.alive
        friend.pid.send("from the living")
        port.send("from the living")
        await settle()
        assert (friend.mail, taken) == (["from the living"], ["from the living"])


@pytest.mark.parametrize("name", OTHERS)
async def test_P8_TM4_whatever_else_it_does_raises_its_end_again(name: str) -> None:
    raised: list[object] = []

    async with open_runtime() as runtime:
        (friend,) = await actors(1)
        await friend.do(register, "friend")
        before = runtime.statistics()

        async def body() -> None:
            with suppress(Exit):
                self_pid().exit("boom")
            try:
                OTHERS[name](friend.pid, friend.pid)
            except Exit as error:
                raised.append(error.reason)

        pid = spawn(body)
        await settle()
        assert reason(pid) == "boom"
        assert raised == ["boom"]
        assert whereis("late") is None
        assert runtime.statistics() == before
        assert not friend.pid.links
        assert friend.mail == []


async def test_P8_its_end_is_told_and_only_what_it_had_sent_before_has_come() -> None:
    async with open_runtime():
        trap_exit()
        me = self_pid()

        async def body() -> None:
            me.send("before")
            try:
                self_pid().exit("boom")
            except Exit:
                me.send("after")
            me.send("after")

        pid = spawn_link(body)
        watch = monitor(pid)
        assert [await receive() for _ in range(3)] == ["before", Exited(pid, "boom"), Down(watch, pid, "boom")]
        await settle()
        assert me.mailbox == []


async def test_P8_others_send_all_the_while(autojump_clock: MockClock) -> None:
    """It takes its time, in a shield; nobody else is held to be it, not even what it has spawned."""
    async with open_runtime():
        me = self_pid()

        async def child() -> None:
            await trio.sleep(1)
            me.send("a child's")

        async def body() -> None:
            spawn(child)
            try:
                self_pid().exit("boom")
            finally:
                with cleanup(2):
                    me.send("its own")
                    await trio.sleep(2)

        pid = spawn(body)
        await settle()
        assert silenced == {pid}
        me.send("main's")
        await trio.sleep(1.5)
        pid.send("to it")
        await trio.sleep(1)
        assert reason(pid) == "boom"
        assert [await receive() for _ in range(2)] == ["main's", "a child's"]
        assert me.mailbox == []
        assert silenced == set()


async def test_P8_a_task_of_it_is_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        me = self_pid()

        async def later() -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                me.send("a task's")

        async def body() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(later)
                await trio.sleep(0.5)
                with suppress(Exit):
                    self_pid().exit("boom")

        pid, watch = spawn_monitor(body)
        assert await receive() == Down(watch, pid, "boom")
        assert me.mailbox == []


async def _port(taken: list[object]) -> None:
    set_port(taken.append)
    await trio.sleep_forever()
