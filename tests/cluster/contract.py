"""The test that each carrier passes: subclass `CarrierContract`, and say how its nodes are made.

    class TestMine(CarrierContract):
        @asynccontextmanager
        async def nodes(self, count, max_message_bytes):
            async with cluster(count, carriers=lambda name: Mine()) as nodes:
                yield nodes

A carrier whose nodes do not find one another by themselves overrides `connect` too. A carrier over a real server
overrides the fixture `clock`, to return None; any other subclasses `StoppedNodesContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import Gap, Node, NodeDown, NodeUp
from phxactor.envelope import Kind, Message
from phxactor.otp import Supervisor
from phxactor.runtime import KILL, Pid, receive
from phxactor.testing import SimulatedNode

LIMIT = 64 * 1024
"""The size of a message at most in these tests, in bytes."""
PATIENCE = 60.0
"""Seconds for which a test waits for what must come."""


class Party:
    """One node of a test, what it is told and what it receives."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.told: list[NodeUp | NodeDown | Gap] = []
        self.came: list[tuple[str | None, Message]] = []
        for kind in (Kind.BROADCAST, Kind.BINARY, Kind.RELAY):
            node.local.handle(kind, self._take)
        node.local.monitor(node.spawn(self._listen))

    def _take(self, sender: Node | None, message: Message) -> None:
        self.came.append((None if sender is None else sender.name, message))

    async def _listen(self) -> None:
        while True:
            message = await receive()
            assert isinstance(message, NodeUp | NodeDown | Gap)
            self.told.append(message)

    async def watch(self, *topics: str) -> None:
        """Watch topics until that is confirmed."""
        for topic in topics:
            self.node.local.watch("pubsub", topic)
        for topic in topics:
            await self.node.local.confirmed("pubsub", topic)
            assert self.node.local.is_confirmed("pubsub", topic)

    def say(self, topic: str, event: str, payload: bytes = b"") -> None:
        """Publish to the others that watch a topic."""
        self.node.local.publish(Message(Kind.BROADCAST, "pubsub", topic, event, payload))

    def events(self, sender: str | None = None) -> list[str]:
        """Return the events of the messages that came, of one sender or of all."""
        return [message.event for name, message in self.came if sender in (None, name)]

    def gaps(self) -> list[str]:
        """Return of whom messages were lost."""
        return ["all" if one.node is None else one.node.name for one in self.told if isinstance(one, Gap)]

    def sees(self) -> set[str]:
        """Return the names of the other nodes that are up."""
        return {one.name for one in self.node.local.nodes()}


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)


class CarrierContract(ABC):
    """What each carrier promises."""

    @abstractmethod
    def nodes(self, count: int, max_message_bytes: int) -> AbstractAsyncContextManager[Sequence[SimulatedNode]]:
        """Run nodes, of which none need see another yet."""

    async def connect(self, nodes: Sequence[SimulatedNode]) -> None:  # noqa: B027 - most need nothing
        """Have the nodes find one another, if they do not by themselves."""

    @pytest.fixture
    def clock(self) -> MockClock | None:
        """Give tests virtual time."""
        return MockClock(autojump_threshold=0)

    @asynccontextmanager
    async def parties(self, count: int) -> AsyncIterator[list[Party]]:
        """Run nodes that all see one another."""
        async with self.nodes(count, LIMIT) as nodes:
            parties = [Party(node) for node in nodes]
            await self.connect(nodes)
            await until(lambda: all(len(one.sees()) == count - 1 for one in parties))
            await until(lambda: all(one.node.local.health().state == "ready" for one in parties))
            yield parties

    async def test_nodes_see_one_another_and_not_themselves(self, clock: MockClock | None) -> None:
        async with self.parties(3) as (a, b, c):
            assert (a.sees(), b.sees(), c.sees()) == ({"b", "c"}, {"a", "c"}, {"a", "b"})
            assert b.node.identity in a.node.local.nodes()

    async def test_what_is_published_comes_in_order_and_once_to_others_that_watch(
        self, clock: MockClock | None
    ) -> None:
        async with self.parties(3) as (a, b, c):
            await a.watch("x")
            await b.watch("x")
            numbers = [str(n) for n in range(1000)]
            for start in range(0, 1000, 100):
                for number in numbers[start : start + 100]:
                    a.say("x", number)
                await trio.sleep(0.01)
            await until(lambda: len(b.came) >= 1000)
            await trio.sleep(0.1)
            assert b.events("a") == numbers
            assert a.came == c.came == []
            assert a.gaps() == b.gaps() == c.gaps() == []

    async def test_order_holds_for_each_of_several_senders_and_topics(self, clock: MockClock | None) -> None:
        async with self.parties(3) as (a, b, c):
            await c.watch("x", "y")
            for number in range(100):
                a.say("x", f"x{number}")
                b.say("y", f"y{number}")
                a.say("y", f"z{number}")
            await until(lambda: len(c.came) >= 300)
            assert c.events("b") == [f"y{n}" for n in range(100)]
            of_a = c.events("a")
            assert [one for one in of_a if one[0] == "x"] == [f"x{n}" for n in range(100)]
            assert [one for one in of_a if one[0] == "z"] == [f"z{n}" for n in range(100)]

    async def test_nothing_is_missed_from_the_confirmation_on(self, clock: MockClock | None) -> None:
        async with self.parties(2) as (a, b):
            topics = [f"t{n}" for n in range(200)]
            for topic in topics:
                await b.watch(topic)
                a.say(topic, topic)
            await until(lambda: len(b.came) >= 200)
            assert b.events() == topics

    async def test_nothing_comes_after_the_grace_and_again_after_a_new_watch(self, clock: MockClock | None) -> None:
        async with self.parties(2) as (a, b):
            await b.watch("x", "y")
            b.node.local.unwatch("pubsub", "x")
            a.say("x", "in the grace")
            await until(lambda: len(b.came) == 1)
            await trio.sleep(6)
            a.say("x", "too late")
            a.say("y", "so that the one before has gone")
            await until(lambda: len(b.came) == 2)
            await b.watch("x")
            a.say("x", "again")
            await until(lambda: len(b.came) >= 3)
            await trio.sleep(0.1)
            assert b.events() == ["in the grace", "so that the one before has gone", "again"]
            assert b.gaps() == []

    async def test_what_is_for_all_comes_to_all_and_what_is_for_one_to_one(self, clock: MockClock | None) -> None:
        async with self.parties(3) as (a, b, c):
            for number in range(50):
                a.node.local.publish_to_all(Message(Kind.BINARY, "", "", f"all{number}", b""))
                assert a.node.local.send(c.node.identity.id, Message(Kind.RELAY, "", "", f"one{number}", b""))
            await until(lambda: len(b.came) >= 50 and len(c.came) >= 100)
            await trio.sleep(0.1)
            assert b.events() == [f"all{n}" for n in range(50)]
            assert [one for one in c.events() if one.startswith("one")] == [f"one{n}" for n in range(50)]
            assert [one for one in c.events() if one.startswith("all")] == [f"all{n}" for n in range(50)]
            assert a.came == []

    async def test_large_and_small_messages_come_whole_and_in_order(self, clock: MockClock | None) -> None:
        async with self.parties(2) as (a, b):
            await b.watch("x")
            room = LIMIT - len(a.node.local.encode(Message(Kind.BROADCAST, "pubsub", "x", "00", b"")))
            sizes = [0, 1, room, 10, room - 1, 4096, room, 0, room, 1]
            for number, size in enumerate(sizes):
                a.say("x", f"{number:02}", bytes([number]) * size)
            await until(lambda: len(b.came) >= len(sizes))
            assert [message.payload for _, message in b.came] == [bytes([n]) * size for n, size in enumerate(sizes)]
            with pytest.raises(ValueError, match="at most"):
                a.say("x", "00", bytes(room + 1))

    @pytest.mark.parametrize("topic", ["", "ä/ö:🙂", "a b\r\n*?[", "x" * 60_000])
    async def test_any_text_is_a_topic(self, clock: MockClock | None, topic: str) -> None:
        async with self.parties(2) as (a, b):
            await b.watch(topic)
            a.say(topic, "said")
            a.say(topic + "x", "not this")
            await until(lambda: b.came)
            assert b.events() == ["said"]

    async def test_a_node_that_leaves_says_so(self, clock: MockClock | None) -> None:
        async with self.parties(3) as (a, b, c):
            left = c.node.identity
            await c.node.leave()
            await until(lambda: a.sees() == {"b"} and b.sees() == {"a"})
            await until(lambda: any(isinstance(one, NodeDown) for one in a.told))
            assert [one for one in a.told if isinstance(one, NodeDown)] == [NodeDown(left, "left")]
            assert a.node.local.send(left.id, Message(Kind.RELAY, "", "", "late", b"")) is False
            assert a.gaps() == b.gaps() == []

    async def test_a_carrier_that_crashes_comes_back_with_all_that_is_watched(self, clock: MockClock | None) -> None:
        async with self.parties(2) as (a, b):
            await b.watch("x", "y")
            children = await b.node.run(Supervisor.which_children, "cluster")
            assert isinstance(children[0].pid, Pid)
            children[0].pid.exit(KILL)
            await until(lambda: not b.sees() or any(isinstance(one, NodeDown) for one in b.told))
            await self.connect([a.node, b.node])
            await until(lambda: b.node.local.health().state == "ready" and a.sees() and b.sees())
            for topic in ("x", "y"):
                await b.watch(topic)
                a.say(topic, topic)
            await until(lambda: b.events()[-2:] == ["x", "y"])

    async def test_counts(self, clock: MockClock | None) -> None:
        async with self.parties(2) as (a, b):
            await b.watch("x")
            before = b.node.local.statistics().carriers
            a.say("x", "said", bytes(100))
            await until(lambda: b.came)
            (name,) = before
            size = len(a.node.local.encode(Message(Kind.BROADCAST, "pubsub", "x", "said", bytes(100))))
            after = b.node.local.statistics().carriers[name]
            assert after.received - before[name].received == 1
            assert after.received_bytes - before[name].received_bytes == size
            sent = a.node.local.statistics().carriers[name]
            assert (sent.sent, sent.sent_bytes, sent.dropped) == (1, size, 0)
            assert dict(after.refused) == {}


class StoppedNodesContract(CarrierContract):
    """What carriers promise of nodes that are stopped, in virtual time: it takes long, and no server stands between."""

    async def test_a_node_that_is_stopped_for_20_s_goes_on(self, clock: MockClock | None) -> None:
        async with self.parties(3) as (a, b, c):
            await b.watch("x")
            await c.watch("x")
            await b.node.stop()
            stopped = trio.current_time()
            await trio.sleep(20)
            assert [one for one in c.told if isinstance(one, NodeDown)] == [NodeDown(b.node.identity, "silent")]
            a.say("x", "meanwhile")
            b.node.go_on()
            await until(lambda: a.sees() == {"b", "c"} == {"b", *c.sees()} - {"a"} | {"c"})
            a.say("x", "after")
            await until(lambda: "after" in b.events())
            assert b.events() in (["after"], ["meanwhile", "after"])
            assert not [one for one in b.told if isinstance(one, NodeDown)], "a node that was stopped judges nobody"
            assert len(b.gaps()) == len(set(b.gaps()))
            assert all(one.since <= stopped for one in b.told if isinstance(one, Gap)), "what it missed is that old"

    async def test_nodes_that_are_all_stopped_at_once_judge_nobody(self, clock: MockClock | None) -> None:
        async with self.parties(2) as (a, b):
            await b.watch("x")
            await trio.sleep(1.5)
            for one in (a, b):
                await one.node.stop()
            await trio.sleep(20)
            for one in (a, b):
                one.node.go_on()
            await trio.sleep(3)
            a.say("x", "after")
            await until(lambda: b.came)
            assert [one for one in (*a.told, *b.told) if isinstance(one, NodeDown)] == []

    async def test_a_node_that_does_not_read_costs_a_bounded_number_of_bytes(self, clock: MockClock | None) -> None:
        async with self.parties(3) as (a, b, c):
            await b.watch("x")
            await c.watch("x")
            await b.node.stop()
            payload = bytes(60_000)
            for number in range(400):
                a.say("x", str(number), payload)
                await trio.sleep(0.001)
            await until(lambda: c.events("a")[-1:] == ["399"])
            assert c.events("a") == [str(n) for n in range(400)], "others do not suffer from it"
            b.node.go_on()
            await trio.sleep(3)
            a.say("x", "after")
            await until(lambda: "after" in b.events())
            came = [int(one) for one in b.events("a") if one != "after"]
            assert came == sorted(set(came))
            assert len(came) == 400 or b.gaps() == ["a"], "what was lost is told, once"
