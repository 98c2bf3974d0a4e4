"""Processes of two nodes, over the simulated carrier: what the rules say that the oracle does not play."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor import ChildSpec, GenServer, NoReply, Reply, call, cast
from phxactor.cluster import Gap, NodeDown, NodeUp, monitor_nodes
from phxactor.distribution import CannotTravelError, RemoteError
from phxactor.runtime import (
    NOCONNECTION,
    Crash,
    Down,
    Exit,
    Exited,
    From,
    Pid,
    demonitor,
    link,
    monitor,
    receive,
    register,
    self_pid,
    send,
    trap_exit,
    unlink,
)
from phxactor.testing import SimulatedNode, cluster


class Echo(GenServer):
    """Answers with the request."""

    async def init(self) -> None:
        """Start with no cast."""
        self.casts: list[object] = []

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        """Answer, crash, or let another process answer."""
        match request:
            case "crash":
                raise ValueError("boom")
            case "casts":
                return Reply(self.casts)
            case "module":
                return Reply(trio)
            case ("pass on", Pid() as pid):
                send(pid, from_)
                return NoReply()
        return Reply(request)

    async def handle_cast(self, request: object) -> NoReply:
        """Keep it."""
        self.casts.append(request)
        return NoReply()


def children() -> list[ChildSpec]:
    """Have an Echo on each node."""
    return [Echo.child_spec(name="echo")]


def echo_of(node: SimulatedNode) -> tuple[str, object]:
    """Return the address of a node's Echo."""
    return ("echo", node.identity)


async def test_ND1_a_pid_that_comes_home_is_the_very_local_pid_also_a_dead_one(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):
        echo = echo_of(b)

        async def there_and_back() -> None:
            me = self_pid()
            (mine, dead), theirs = await call(echo, ((me, a.runtime.outside), {"again": me}))
            assert mine is me
            assert dead is a.runtime.outside
            assert theirs["again"] is me
            pid = a.spawn(trio.sleep_forever)
            pid.exit("boom")
            await a.runtime.ended(pid)
            assert await call(echo, [pid]) == [pid]

        await a.run(there_and_back)


async def test_ND1_a_remote_pid_is_one_object_as_long_as_anybody_holds_it(autojump_clock: MockClock) -> None:
    async with cluster(3, children=children) as (a, b, c):

        async def give(to: SimulatedNode) -> None:
            send(("taker", to.identity), [self_pid(), self_pid()])
            await trio.sleep_forever()

        async def take() -> None:
            register("taker")
            one, other = await receive(timeout=5)
            assert one is other
            assert (one.node, one.node.name) == (c.identity, "c")
            again = await call(("echo", b.identity), one)  # a process of a third node
            assert again is one

        c.spawn(give, a)
        await a.run(take)


async def test_ND81_a_crash_arrives_as_data(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):
        echo = echo_of(b)

        async def ask() -> None:
            with pytest.raises(Exit) as caught:
                await call(echo, "crash")
            reason = caught.value.reason
            assert isinstance(reason, tuple)
            assert isinstance(reason[0], Crash)
            error = reason[0].exception
            assert isinstance(error, RemoteError)
            assert (error.type_name, error.text) == ("ValueError", "boom")
            assert "handle_call" in error.traceback_text

        await a.run(ask)


async def test_what_cannot_travel_raises_in_the_sender_and_leaves_nothing(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as (a, b):
        echo = echo_of(b)

        async def ask() -> None:
            with pytest.raises(CannotTravelError, match="module"):
                send(echo, [trio])
            with pytest.raises(CannotTravelError, match="module"):
                cast(echo, {"it": trio})
            with pytest.raises(CannotTravelError, match=r"\[1\]"):
                await call(echo, [1, trio])
            assert not self_pid().monitors
            assert await call(echo, 1) == 1
            with pytest.raises(Exit, match="CannotTravelError"):  # the server's answer cannot travel: it crashes
                await call(echo, "module")

        await a.run(ask)


async def test_casts_and_a_call_come_in_the_order_in_which_they_were_sent(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children, delay=0.01) as (a, b):
        echo = echo_of(b)

        async def ask() -> None:
            await trio.sleep(1)  # the nodes hear of each other
            for number in range(300):
                cast(echo, number)
            assert await call(echo, "casts") == [*range(300)]

        await a.run(ask)


async def test_ND45_a_return_address_travels_and_another_node_answers(autojump_clock: MockClock) -> None:
    async with cluster(3, children=children) as (a, b, c):
        echo = echo_of(b)

        async def answer() -> None:
            register("answerer")
            from_ = await receive(timeout=5)
            from_.reply(("from c", self_pid()))
            await trio.sleep(0.5)
            from_.reply("again")

        async def ask() -> None:
            register("asker")
            answerer = await receive(timeout=5)
            got, pid = await call(echo, ("pass on", answerer))
            assert (got, pid.node) == ("from c", c.identity)
            await trio.sleep(1)
            with pytest.raises(TimeoutError):
                await receive(timeout=0)

        async def introduce() -> None:
            send(("asker", a.identity), c.runtime.names.whereis("answerer"))

        c.spawn(answer)
        asking = a.spawn(ask)
        await trio.sleep(0.1)
        c.spawn(introduce)
        assert await a.runtime.ended(asking) == "normal"


async def test_ND35_a_monitor_removed_at_once_tells_nothing_and_was_active_unless_of_a_name_nowhere(
    autojump_clock: MockClock,
) -> None:
    async with cluster(2, children=children) as (a, b):

        async def once(target: Pid | tuple[str, object]) -> bool:
            was_active = demonitor(monitor(target))
            with pytest.raises(TimeoutError):
                await receive(timeout=1)
            return was_active

        async def introduce() -> None:
            send(("asker", a.identity), self_pid())
            await receive()

        async def ask() -> list[bool]:
            register("asker")
            b.spawn(introduce)
            pid = await receive()
            there = [await once(pid), await once(echo_of(b)), await once(("nobody", b.identity))]
            await b.kill()
            return [*there, await once(pid), await once(echo_of(b))]

        await trio.sleep(1)
        assert await a.run(ask) == [True, True, True, True, False]


async def test_ND43_an_end_that_crosses_an_unlink_is_not_told(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children, delay=0.1) as (a, b):

        async def target() -> None:
            register("target")
            send(("linker", a.identity), self_pid())
            await receive()
            await trio.sleep(0.05)
            raise Exit("boom")

        async def linker() -> list[object]:
            trap_exit()
            register("linker")
            pid = await receive()
            link(pid)
            send(pid, "go on")
            await trio.sleep(0.1)
            unlink(pid)
            link(pid)  # of one that is dead by then, or nearly
            await trio.sleep(1)
            return [await receive(timeout=0)]

        async def both() -> list[object]:
            b.spawn(target)
            return await linker()

        await trio.sleep(1)
        assert [(type(one), getattr(one, "reason", None)) for one in await a.run(both)] == [(Exited, "noproc")]


async def test_NO2_a_gap_is_a_cut_and_the_node_stays_up(autojump_clock: MockClock) -> None:
    async with cluster(2, children=children) as nodes:
        a, b = nodes
        echo = echo_of(b)

        async def watch() -> None:
            monitor_nodes()
            ref = monitor(echo)
            await trio.sleep(1)
            nodes.network.cut("a", "b")
            cast(echo, "lost")
            await trio.sleep(0.5)
            nodes.network.heal()
            told = [await receive(timeout=3) for _ in range(3)]
            assert isinstance(told.pop(0), Gap)  # that of the carrier
            assert told[0] == Down(ref, echo, NOCONNECTION)
            assert isinstance(told[1], Gap)
            assert (told[1].node, told[1].carrier) == (b.identity, "signals")
            cast(echo, "not lost")
            assert await call(echo, "casts") == ["not lost"]
            assert a.local.nodes() == [b.identity]

        await a.run(watch)


async def test_ND52_ND53_nodedown_comes_after_all_signals_and_nodeup_before_the_first(
    autojump_clock: MockClock,
) -> None:
    async with cluster(2, children=children) as nodes:
        a, b = nodes
        echo = echo_of(b)
        told: list[object] = []

        async def watch() -> None:
            register("watcher")
            monitor_nodes(gaps=False)
            monitor(echo)
            while True:
                told.append(await receive())

        async def greet() -> None:
            monitor_nodes(gaps=False)
            while True:
                message = await receive()
                if isinstance(message, NodeUp):
                    send(("watcher", message.node), "hello")

        a.spawn(watch)
        b.spawn(greet)
        await trio.sleep(1)
        nodes.network.cut("a", "b")
        await trio.sleep(10)
        nodes.network.heal()
        await trio.sleep(3)
        down, node_down, node_up, hello = told
        assert isinstance(down, Down)
        assert down.reason == NOCONNECTION
        assert isinstance(node_down, NodeDown)
        assert isinstance(node_up, NodeUp)
        assert hello == "hello"
