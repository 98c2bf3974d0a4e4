"""The simulated cluster: nodes, faults, time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import Gap, Node, NodeDown, NodeUp
from phxactor.envelope import Kind, Message, encode
from phxactor.runtime import Exit, receive
from phxactor.testing import Network, Nodes, Simulated, SimulatedNode
from phxactor.testing.schedule import Schedule
from tests.cluster.bare import bare


class Ear:
    """What one node is told and receives."""

    def __init__(self, node: SimulatedNode) -> None:
        self.told: list[NodeUp | NodeDown | Gap] = []
        self.came: list[tuple[str | None, str]] = []
        node.local.handle(Kind.BROADCAST, self._take)
        node.local.monitor(node.spawn(self._listen))

    def _take(self, sender: Node | None, message: Message) -> None:
        self.came.append((None if sender is None else sender.name, message.event))

    async def _listen(self) -> None:
        while True:
            message = await receive()
            assert isinstance(message, NodeUp | NodeDown | Gap)
            self.told.append(message)

    def said(self) -> list[str]:
        """Return what was told, in short."""
        return [f"{type(one).__name__} {one.node}" for one in self.told]


def say(node: SimulatedNode, event: str, topic: str = "news") -> None:
    node.local.publish(Message(Kind.BROADCAST, "pubsub", topic, event, b"{}"))


async def listening(nodes: Nodes) -> list[Ear]:
    ears = [Ear(node) for node in nodes]
    for node in nodes:
        node.local.watch("pubsub", "news")
        await node.local.confirmed("pubsub", "news")
    return ears


async def test_nodes_see_each_other_and_hear_what_they_watch(autojump_clock: MockClock) -> None:
    async with bare(3) as nodes:
        a, b, _ = nodes
        ears = await listening(nodes)
        seen = [sorted(one.name for one in node.local.nodes()) for node in nodes]
        assert seen == [["b", "c"], ["a", "c"], ["a", "b"]]
        for number in range(3):
            say(a, str(number))
        await trio.sleep(1)
        assert [ear.came for ear in ears] == [
            [],
            [("a", "0"), ("a", "1"), ("a", "2")],
            [("a", "0"), ("a", "1"), ("a", "2")],
        ]
        say(b, "nobody", "other")
        await trio.sleep(1)
        assert nodes[0].local.statistics().carriers["simulated"].received == 0


async def test_a_pair_that_cannot_hear_each_other(autojump_clock: MockClock) -> None:
    async with bare(3) as nodes:
        ears = await listening(nodes)
        nodes.network.cut("a", "b")
        say(nodes[0], "lost on b")
        await trio.sleep(10)
        assert [ear.said() for ear in ears] == [["NodeDown b"], ["NodeDown a"], []]
        nodes.network.heal()
        await trio.sleep(2)
        assert [ear.said() for ear in ears] == [
            ["NodeDown b", "NodeUp b", "Gap b"],
            ["NodeDown a", "NodeUp a", "Gap a"],
            [],
        ]
        assert ears[2].came == [("a", "lost on b")]


async def test_a_node_stopped_for_20_s_goes_on_and_judges_nobody(autojump_clock: MockClock) -> None:
    async with bare(3) as nodes:
        ears = await listening(nodes)
        await nodes[1].stop()
        say(nodes[0], "waits")
        await trio.sleep(20)
        assert [ear.said() for ear in ears] == [["NodeDown b"], [], ["NodeDown b"]]
        assert ears[1].came == []
        nodes[1].go_on()
        await trio.sleep(5)
        assert [ear.said() for ear in ears] == [["NodeDown b", "NodeUp b"], [], ["NodeDown b", "NodeUp b"]]
        assert ears[1].came == [("a", "waits")]


async def test_a_killed_node_is_down_at_once_and_comes_back_as_another(autojump_clock: MockClock) -> None:
    async with bare(2) as nodes:
        ears = await listening(nodes)
        before = nodes[1].identity
        start = trio.current_time()
        await nodes[1].kill()
        await trio.sleep(0.1)
        assert ears[0].said() == ["NodeDown b"]
        assert trio.current_time() - start < 1
        await nodes.restart(nodes[1])
        await trio.sleep(1)
        assert ears[0].said() == ["NodeDown b", "NodeUp b"]
        assert nodes[1].identity != before
        assert nodes[1].local.lanes() == []


async def test_a_node_that_loses_its_power_is_silent(autojump_clock: MockClock) -> None:
    async with bare(2) as nodes:
        ears = await listening(nodes)
        await nodes[1].kill(silent=True)
        await trio.sleep(4)
        assert ears[0].said() == []
        await trio.sleep(3)
        assert [(type(one), getattr(one, "reason", None)) for one in ears[0].told] == [(NodeDown, "silent")]


async def test_a_node_that_leaves_says_goodbye(autojump_clock: MockClock) -> None:
    async with bare(2) as nodes:
        ears = await listening(nodes)
        left = nodes[1].identity
        await nodes[1].leave()
        await trio.sleep(1)
        assert ears[0].told == [NodeDown(left, "left")]


async def test_what_runs_in_a_killed_node_ends(autojump_clock: MockClock) -> None:
    async with bare(1) as nodes, trio.open_nursery() as nursery:

        async def waits() -> None:
            with pytest.raises(Exit, match="killed"):
                await nodes[0].run(trio.sleep_forever)

        nursery.start_soon(waits)
        await trio.sleep(1)
        await nodes[0].kill()


async def test_what_does_not_fit_into_the_inbox_of_a_stopped_node_is_one_gap(autojump_clock: MockClock) -> None:
    async with bare(2, inbox=20_000) as nodes:
        ears = await listening(nodes)
        await nodes[1].stop()
        for number in range(500):
            say(nodes[0], str(number))
        nodes[1].go_on()
        await trio.sleep(1.5)
        say(nodes[0], "after")
        await trio.sleep(1)
        assert ears[1].said() == ["Gap a"]
        dropped = nodes[0].local.statistics().carriers["simulated"].dropped
        assert dropped > 0
        assert [event for _, event in ears[1].came] == [*map(str, range(500 - dropped)), "after"]


async def test_a_node_with_another_secret_is_not_heard_and_hears_nobody(autojump_clock: MockClock) -> None:
    def make(name: str) -> Simulated:
        return Simulated(network, "a secret of twenty bytes" if name != "c" else "another one of twenty bytes")

    network = Network()
    async with bare(3, carriers=make, network=network) as nodes:
        ears = await listening(nodes)
        for node in nodes:
            say(node, node.name)
        await trio.sleep(10)
        assert [[one.name for one in node.local.nodes()] for node in nodes] == [["b"], ["a"], []]
        assert [ear.came for ear in ears] == [[("b", "b")], [("a", "a")], []]
        assert [list(node.local.statistics().carriers["simulated"].refused) for node in nodes] == [["forged"]] * 3


async def test_CL64_a_node_of_another_version_is_counted_and_no_more(autojump_clock: MockClock) -> None:
    async with bare(2) as nodes:
        ears = await listening(nodes)
        (carrier,) = nodes[0].carriers
        assert isinstance(carrier, Simulated)
        news = Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}")
        carrier.publish("pubsub:news", b"\x02" + encode(news)[1:])
        carrier.publish("pubsub:news", encode(news._replace(kind=200)))
        carrier.publish_to_all(b"\x02" + encode(news)[1:])
        say(nodes[0], "known")
        await trio.sleep(1)
        assert ears[1].came == [("a", "known")]
        assert nodes[1].local.statistics().carriers["simulated"].refused == {"version": 2, "kind": 1}
        assert ears[1].told == []


async def test_all_nodes_are_killed_at_once_and_come_back(autojump_clock: MockClock) -> None:
    async with bare(4) as nodes:
        for silent in (False, True):
            for node in nodes:
                await node.kill(silent=silent)
            for node in nodes:
                await nodes.restart(node)
            await trio.sleep(2)
            ears = await listening(nodes)
            say(nodes[0], "again")
            await trio.sleep(1)
            assert [ear.came for ear in ears] == [[], *[[("a", "again")]] * 3]
            assert [len(node.local.nodes()) for node in nodes] == [3] * 4


async def test_a_node_that_is_stopped_in_the_middle_of_its_work_goes_on_where_it_was(autojump_clock: MockClock) -> None:
    async def work() -> None:
        for step in range(10):
            done.append((step, trio.current_time() - start))
            await trio.sleep(1)

    done: list[tuple[int, float]] = []
    async with bare(2) as nodes:
        start = trio.current_time()
        nodes[0].spawn(work)
        await trio.sleep(2.5)
        await nodes[0].stop()
        await nodes[0].stop()
        await trio.sleep(5)
        assert [step for step, _ in done] == [0, 1, 2]
        nodes[0].go_on()
        nodes[0].go_on()
        await trio.sleep(2.6)
        assert done == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 7.5), (4, 8.5), (5, 9.5)]


async def test_the_same_seed_loses_the_same_messages(autojump_clock: MockClock) -> None:
    async def heard(seed: int) -> list[str]:
        async with bare(2, seed=seed) as nodes:
            ears = await listening(nodes)
            nodes.network.loss = 0.5
            for number in range(40):
                say(nodes[0], str(number))
            await trio.sleep(0.5)
            return [event for _, event in ears[1].came]

    assert await heard(1) == await heard(1)
    assert await heard(1) != await heard(2)


def test_a_lost_message_and_a_cut_are_lines_of_the_trace() -> None:
    async def main(schedule: Schedule) -> None:
        async with bare(2, loss=0.3, schedule=schedule) as nodes:
            nodes.network.cut("a", "b")
            await trio.sleep(1)
            nodes.network.heal()
            await trio.sleep(5)

    schedule = Schedule(3)
    schedule.run(main, schedule)
    trace = str(schedule.trace)
    for line in ("(a and b cannot hear each other)", "(all can hear one another)", "(a message from a to b is lost)"):
        assert line in trace
    acting = {one.text.partition(" ")[0] for one in schedule.trace.happenings if "Simulated" in one.text}
    assert acting >= {"a", "b"}, "each process is shown with its node"
    again = Schedule(schedule.deviations)
    again.run(main, again)
    assert [one.text for one in again.trace.of("remark")] == [one.text for one in schedule.trace.of("remark")]


async def test_a_failure_in_the_block_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="boom"):
        async with bare(2):
            raise ValueError("boom")
