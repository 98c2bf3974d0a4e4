"""What holds for messages between nodes, whatever befalls them: drawn outages, losses, delays and orders of steps."""

from __future__ import annotations

from collections import Counter

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.cluster import Gap, Node, NodeDown, NodeUp
from phxactor.envelope import Frame, Kind, Message, Seal, channel_of_lane
from phxactor.runtime import receive
from phxactor.testing import Nodes, Simulated, SimulatedNode, strategies
from phxactor.testing._network import Wire
from phxactor.testing.outages import Outage, Pass, calm
from phxactor.testing.schedule import Schedule
from tests.cluster.bare import bare
from tests.cycles import leaves_no_cycles

NAMES = ("a", "b", "c")
TOPICS = ("x", "y")
SECRET = "the secret of all these nodes"
LIFE = 16


class Ear:
    """What one node hears during one life."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.id = node.identity.id
        self.came: list[tuple[bytes, str, int]] = []
        """The sender's id, the topic and the number of each message."""
        self.told: list[NodeUp | NodeDown | Gap] = []
        node.local.handle(Kind.BINARY, self._take)
        node.local.monitor(node.spawn(self._listen))
        for topic in TOPICS:
            node.local.watch("s", topic)

    def _take(self, _: Node | None, message: Message) -> None:
        self.came.append((message.payload[:LIFE], message.topic, int.from_bytes(message.payload[LIFE:])))

    async def _listen(self) -> None:
        while True:
            message = await receive()
            assert isinstance(message, NodeUp | NodeDown | Gap)
            self.told.append(message)


class Talk:
    """Nodes that say numbers on two topics, and what each hears."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.said: Counter[bytes] = Counter()
        """How many numbers each life of a node has said."""
        self.ears: dict[bytes, Ear] = {}
        self.listen()
        self.first = frozenset(self.ears)
        """The nodes that saw one another before anything was lost."""

    def listen(self) -> None:
        """Listen at each node that has begun a new life."""
        for node in self.nodes:
            if node.runs and node.identity.id not in self.ears:
                self.ears[node.identity.id] = Ear(node)

    def say(self) -> None:
        """Have each node that runs, and is not stopped, say a number on each topic."""
        for node in self.nodes:
            if node.runs and not node.is_stopped:
                life = node.identity.id
                for topic in TOPICS:
                    self.said[life] += 1
                    payload = life + self.said[life].to_bytes(4)
                    node.local.publish(Message(Kind.BINARY, "s", topic, "said", payload))

    async def play(self, outages: list[Outage]) -> None:
        """Talk while the outages happen, and for a while after them."""
        self.say()
        for one in outages:
            if isinstance(one, Pass):
                for _ in range(4):
                    await trio.sleep(one.seconds / 4)
                    self.say()
            else:
                await one.play(self.nodes)
            self.listen()
            self.say()
        await calm(self.nodes)
        self.say()
        await trio.sleep(2)

    def check(self) -> None:
        """Assert what must hold."""
        for ear in self.ears.values():
            assert ear.id not in {sender for sender, _, _ in ear.came}, "a node hears itself"
            for sender in self.said:
                for topic in TOPICS:
                    numbers = [n for life, of, n in ear.came if (life, of) == (sender, topic)]
                    assert numbers == sorted(set(numbers)), "in order, and at most once"
        alive = [node for node in self.nodes if node.runs]
        for node in alive:
            ear = self.ears[node.identity.id]
            others = [one for one in alive if one is not node]
            assert set(node.local.nodes()) == {one.identity for one in others}, "all see one another again"
            for other in others:
                self._check_gaps(ear, other)

    def _check_gaps(self, ear: Ear, other: SimulatedNode) -> None:
        one, to = other.carriers[0], ear.node.carriers[0]
        assert isinstance(one, Simulated)
        assert isinstance(to, Simulated)
        gaps = [told for told in ear.told if isinstance(told, Gap) and told.node == other.identity]
        holes = self.nodes.network.wire(one, to).holes
        ups = [told for told in ear.told if isinstance(told, NodeUp) and told.node == other.identity]
        downs = [told for told in ear.told if isinstance(told, NodeDown) and told.node == other.identity]
        assert len(ups) - len(downs) in (0, 1)
        if not downs and {ear.id, other.identity.id} <= self.first:
            assert len(gaps) == holes, f"each loss is told once: {ear.told}"
        else:  # what is lost while a node is not up is told as one gap when it is
            assert min(holes, 1) <= len(gaps) <= holes, f"no loss is silent: {ear.told}"


@given(
    outages=strategies.outages(NAMES),
    schedule=strategies.schedule(timeouts=0),
    loss=st.sampled_from([0.0, 0.1, 0.5]),
    uneven=st.booleans(),
)
@settings(max_examples=20)
def test_order_holds_and_each_loss_is_told_once(
    outages: list[Outage],
    schedule: Schedule,
    loss: float,
    uneven: bool,
) -> None:
    async def main() -> None:
        async with bare(len(NAMES), delay=0.01, uneven=uneven, inbox=3_000, secret=SECRET, schedule=schedule) as nodes:
            await trio.sleep(2)
            nodes.network.loss = loss
            talk = Talk(nodes)
            await talk.play(outages)
            talk.check()

    schedule.run(main)


@given(seed=st.integers(0, 1000), data=st.data())
@settings(max_examples=30)
def test_CL31_CL32_CL33_junk_forged_and_replayed_messages_are_counted_and_nothing_else(
    seed: int, data: st.DataObject
) -> None:
    heard: list[tuple[bytes, bytes]] = []
    junk = st.binary(max_size=200).map(lambda junk: (channel_of_lane("simulated", "s:x"), junk))

    async def main() -> None:
        async with bare(2, secret=SECRET, seed=seed) as nodes:
            b = nodes[1]
            talk = Talk(nodes)
            await trio.sleep(1)
            nodes.network.tap = lambda _one, other, channel, frame: (
                heard.append((channel, frame)) if other is b.carriers[0] else None
            )
            talk.say()
            await trio.sleep(2)
            target = b.carriers[0]
            assert isinstance(target, Simulated)
            before = list(talk.ears[b.identity.id].came)
            bad = data.draw(st.lists(st.one_of(junk, st.sampled_from(heard), _forged(heard)), max_size=20))
            for channel, frame in bad:
                wire = Wire()
                wire.waiting = len(frame)
                target.arrived(wire, channel, frame)
            await trio.sleep(2)
            counts = b.local.statistics().carriers["simulated"]
            assert sum(counts.refused.values()) == len(bad)
            assert talk.ears[b.identity.id].came == before
            talk.say()
            await trio.sleep(2)
            assert len(talk.ears[b.identity.id].came) == 4
            talk.check()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def _forged(heard: list[tuple[bytes, bytes]]) -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Draw frames that somebody changed, took to another channel, or sealed with another secret."""
    true = st.sampled_from(heard)
    changed = st.builds(lambda one, at: (one[0], _flipped(one[1], at)), true, st.integers(0, 10_000))
    moved = true.map(lambda one: (one[0] + b"x", one[1]))
    other = Seal("another secret, of a stranger").seal
    channel = channel_of_lane("simulated", "s:x")
    sealed = st.just((channel, other(channel, Frame(bytes(LIFE), 2**60, 0, 0, b"\1\3\0\0\0\0\0"))))
    return st.one_of(changed, moved, sealed)


def _flipped(frame: bytes, at: int) -> bytes:
    at %= len(frame)
    return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]


async def test_a_cluster_leaves_no_cycles(autojump_clock: MockClock) -> None:
    async def life() -> None:
        async with bare(2, delay=0.01) as nodes:
            talk = Talk(nodes)
            await talk.play([Pass(1.0)])
            await nodes[1].kill()
            await trio.sleep(1)
            await nodes.restart(nodes[1])
            await trio.sleep(1)

    await leaves_no_cycles(life)
