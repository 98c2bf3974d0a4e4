"""One server in the whole cluster, and keys that start elsewhere at once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor import Supervisor, call
from phxactor.runtime import KILL, Exit, NoProcessError, open_runtime
from phxactor.sharded import Sharded, Singleton
from phxactor.testing import Nodes, SimulatedNode, cluster
from tests.sharded.rooms import STARTED, Room

TICKER = Singleton("ticker", Room)
MAJORITY = Singleton("ticker", Room, on_split="majority")
EAGER = Sharded("rooms", Room, eager=True)


async def where(node: SimulatedNode, singleton: Singleton = TICKER) -> str:
    async def asks() -> object:
        return await call(singleton.address, "where")

    return str(await node.run(asks))


def runs(nodes: Nodes) -> list[str]:
    """List the nodes that run a server."""
    return [
        node.name
        for node in nodes
        if node.runs
        for pid in node.runtime.processes.values()
        if pid.initial_call == "Room.init"
    ]


async def test_it_runs_once_without_a_message(autojump_clock: MockClock) -> None:
    async with cluster(3, children=lambda: [TICKER]) as nodes:
        await trio.sleep(5)
        (one,) = runs(nodes)
        assert [await where(node) for node in nodes] == [one] * 3


async def test_it_runs_on_one_node_without_a_cluster(autojump_clock: MockClock) -> None:
    async with open_runtime():
        with pytest.raises(NoProcessError):
            _ = TICKER.address
        (await Supervisor.start_link([TICKER])).unwrap()
        assert await call(TICKER.address, ("add", 1)) == 1


async def test_it_starts_again_after_its_end(autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [TICKER]) as nodes:
        await trio.sleep(5)
        STARTED.clear()

        async def kills() -> None:
            (await call(TICKER.address, "pid")).exit(KILL)

        await nodes[0].run(kills)
        await trio.sleep(5)
        assert len(STARTED) == 1
        assert len(runs(nodes)) == 1


@pytest.mark.parametrize("how", ["leave", "kill"])
async def test_another_node_starts_it_when_its_node_goes(how: str, autojump_clock: MockClock) -> None:
    async with cluster(3, children=lambda: [TICKER]) as nodes:
        await trio.sleep(5)
        node = nodes.named(runs(nodes)[0])
        await (node.leave() if how == "leave" else node.kill())
        await trio.sleep(5)
        (one,) = runs(nodes)
        assert one != node.name


async def test_NO24_in_a_split_it_runs_on_the_large_side_only(autojump_clock: MockClock) -> None:
    async with cluster(3, children=lambda: [MAJORITY]) as nodes:
        await trio.sleep(5)
        one = runs(nodes)[0]
        nodes.network.isolate(one)
        seen: set[int] = set()
        for _ in range(300):
            await trio.sleep(0.1)
            seen.add(len(runs(nodes)))
        (other,) = runs(nodes)
        assert other != one
        assert seen <= {0, 1}
        with pytest.raises(Exit):
            await where(nodes.named(one), MAJORITY)
        nodes.network.heal()
        await trio.sleep(30)
        assert len(runs(nodes)) == 1


async def test_eager_keys_of_a_lost_node_start_elsewhere_at_once(autojump_clock: MockClock) -> None:
    async with cluster(3, children=lambda: [EAGER]) as nodes:
        await trio.sleep(5)

        async def fills() -> None:
            for number in range(30):
                await call(EAGER[f"room:{number}"], ("add", number))

        await nodes[0].run(fills)
        await trio.sleep(1)
        assert {*runs(nodes)} == {"a", "b", "c"}
        await nodes[2].kill()
        await trio.sleep(2)
        assert len(runs(nodes)) == 30
        assert {*runs(nodes)} == {"a", "b"}


async def test_eager_keys_of_a_node_that_has_left_are_handed_over(autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [EAGER]) as nodes:
        await trio.sleep(5)

        async def fills() -> None:
            for number in range(10):
                await call(EAGER[f"room:{number}"], ("add", number))

        await nodes[0].run(fills)
        await nodes[1].leave()
        await trio.sleep(2)

        async def items() -> list[object]:
            return [await call(EAGER[f"room:{number}"], "items") for number in range(10)]

        assert await nodes[0].run(items) == [[number] for number in range(10)]
