"""Starting processes elsewhere, what is refused, and what strangers send."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor import ChildSpec, GenServer, Ok, Reply, Supervisor, call
from phxactor.distribution import Startable, start_monitor_on, start_on
from phxactor.envelope import Kind, Message
from phxactor.otp import Child, Error, StartError
from phxactor.runtime import NOCONNECTION, Down, Exit, Exited, Pid, receive, self_pid, trap_exit
from phxactor.testing import cluster


class Room(GenServer):
    """Says its name."""

    async def init(self, name: str) -> None:
        """Keep it."""
        self.name = name

    async def handle_call(self, _request: object, _from: object) -> Reply:
        """Say it."""
        return Reply(self.name)


async def ends(reason: str) -> None:
    """End at once."""
    raise Exit(reason)


def children() -> list[Child]:
    return [Startable({"room": Room, "ends": ends}).child_spec()]


async def test_ND75_a_declared_process_starts_there_under_a_supervisor(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):

        async def start() -> Pid:
            room = await start_on(b.identity, "room", "lobby")
            assert room.node == b.identity
            assert await call(room, "name") == "lobby"
            with pytest.raises(StartError, match="not_startable"):
                await start_on(b.identity, "os.system", "true")
            with pytest.raises(StartError):
                await start_on(b.identity, "room")
            return room

        room = await a.run(start)  # the caller has ended: the room goes on
        assert b.runtime.processes[room.number].alive


@pytest.mark.parametrize("own", [False, True])
async def test_ND71_the_true_reason_comes_of_one_that_ends_at_once(autojump_clock: MockClock, *, own: bool) -> None:
    async with cluster(2, children=children) as (a, b):
        node = a.identity if own else b.identity

        async def start() -> None:
            trap_exit()
            pid = await start_on(node, "ends", "boom", link=True)
            assert await receive(timeout=1) == Exited(pid, "boom")
            pid, ref = await start_monitor_on(node, "ends", "bang")
            assert await receive(timeout=1) == Down(ref, pid, "bang")
            assert not self_pid().monitors

        await a.run(start)


async def test_ND70_a_start_on_a_node_that_is_gone_says_nodedown(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):
        await b.kill()

        async def start() -> None:
            for starting in (start_on, start_monitor_on):
                with pytest.raises(Exit) as caught:
                    await starting(b.identity, "room", "lobby")
                assert isinstance(caught.value.reason, tuple)
                assert caught.value.reason[0] == ("nodedown", b.identity)
            assert not self_pid().monitors

        await a.run(start)


async def test_NO15_ND77_a_supervisor_refuses_a_process_of_another_node(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):

        async def supervise() -> None:
            trap_exit()

            async def elsewhere() -> Ok[Pid]:
                return Ok(await start_on(b.identity, "room", "lobby"))

            started = await Supervisor.start_link(
                [ChildSpec(id="there", start=(elsewhere, (), {}))], strategy="one_for_one"
            )
            assert isinstance(started, Error)
            assert "remote_child" in repr(started.reason)

        await a.run(supervise)


async def test_garbage_is_counted_or_told_and_never_raises(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):
        for payload in (b"", b"x", b"\xff" * 40, bytes([1, 4]) + bytes(16), bytes([1, 9]) + bytes(60)):
            a.local.send(b.local.id, Message(Kind.SIGNALS, "", "", "", payload))
        await trio.sleep(3)

        async def ask() -> str:
            return str(await call(await start_on(b.identity, "room", "still there"), "name"))

        assert await a.run(ask) == "still there"
        (one,) = b.local.statistics().carriers.values()
        assert sum(one.refused.values()) == 3


async def test_NO4_a_node_that_does_not_read_is_cut_and_no_sender_waits(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children, inbox=100_000) as (a, b):

        async def flood() -> None:
            room, ref = await start_monitor_on(b.identity, "room", "lobby")
            await b.stop()
            for _ in range(300):
                room.send("x" * 1000)
                await trio.lowlevel.checkpoint()
            assert await receive(timeout=1) == Down(ref, room, NOCONNECTION)
            b.go_on()
            await trio.sleep(10)
            assert await call(room, "name") == "lobby"

        await a.run(flood)
