"""What the page and the snapshot show of sharded servers: owners, keys, views, splits and keys on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from cattrs.preconf.orjson import make_converter
from trio.testing import MockClock

from phxactor.cluster import Node
from phxactor.observer import Shared, Snapshot, snapshot, table, tree
from phxactor.observer._shards import Row, rows, shared, state_of
from phxactor.runtime import self_pid
from phxactor.sharded import Sharded, ShardedStatistics, sharded_statistics
from phxactor.testing import SimulatedNode, cluster
from tests.observer.pages import WITHIN, page
from tests.sharded.rooms import KEYS, ROOMS, Room, ask, owners
from tests.sharded.rooms import rooms as children

MAJORITY = Sharded("rooms", Room, on_split="majority")


class Slow(Room):
    """Takes a while to give its state away."""

    async def hand_over(self) -> list[object]:
        await trio.sleep(2)
        return self.items


SLOW = Sharded("rooms", Slow)


async def shown(node: SimulatedNode) -> Shared:
    async def look() -> tuple[Shared, ...]:
        return snapshot().sharded

    (one,) = await node.run(look)
    return one


async def of_page(node: SimulatedNode) -> Sequence[Row]:
    async def look() -> Sequence[Row]:
        return rows(self_pid().runtime)

    return await node.run(look)


async def test_each_node_knows_the_owners_and_its_own_keys(autojump_clock: MockClock) -> None:
    async with cluster(3, children=children) as nodes:
        await trio.sleep(5)
        held = await owners(nodes[0])
        for node in nodes:
            one = await shown(node)
            assert (one.name, one.state, one.keys) == ("rooms", "runs", held.count(node.name))
            assert sorted(one.owners) == ["a", "b", "c"]
            assert one.view == (await shown(nodes[0])).view
            assert one.view is not None
            mine, *others = await of_page(node)
            assert (mine[1], mine[3:]) == (node.name, (True, held.count(node.name), one.view, "runs"))
            assert {row[1] for row in others} == {"a", "b", "c"} - {node.name}
            assert all(row[3:] == (False, None, one.view, None) for row in others)


async def test_the_small_side_of_a_split_is_suspended(autojump_clock: MockClock) -> None:
    async with cluster(3, children=lambda: [MAJORITY]) as nodes:
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", 1), MAJORITY)
        nodes.network.isolate("c")
        await trio.sleep(60)
        assert [(await shown(node)).state for node in nodes] == ["runs", "runs", "suspended"]
        assert (await shown(nodes[2])).keys == 0


async def test_keys_on_their_way_are_counted_on_both_sides(autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [SLOW]) as nodes:
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", 1), SLOW)
        keys = (await shown(nodes[1])).keys
        seen: set[str] = set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(nodes[1].leave)
            for _ in range(30):
                await trio.sleep(0.1)
                seen |= {one.state for node in nodes for one in shared(node.runtime)}
        assert f"hands over: {keys} go, 0 come" in seen
        assert f"hands over: 0 go, {keys} come" in seen
        assert (await shown(nodes[0])).state == "runs"
        assert (await shown(nodes[0])).keys == len(KEYS)


async def test_the_snapshot_draws_them_and_travels(autojump_clock: MockClock) -> None:
    async def look() -> Snapshot:
        return snapshot()

    async with cluster(1, children=children) as nodes:
        await trio.sleep(5)
        await ask(nodes[0], "room:1", ("add", 1))
        seen = await nodes[0].run(look)
        line = f"sharded rooms · runs · 1 key here · owned by a · view {seen.sharded[0].view}"
        assert tree(seen).splitlines()[-1] == line
        assert table(seen, width=200).splitlines()[-1] == line
        converter = make_converter()
        assert converter.loads(converter.dumps(seen), Snapshot) == seen


async def test_the_panel_has_them_without_a_cluster_too(autojump_clock: MockClock) -> None:
    async with page() as program:
        (await ROOMS.start_link()).unwrap()
        await trio.sleep(5)
        ROOMS["room:1"].send("hello")
        nodes = await program.open("nodes")
        (row,) = (await nodes.assert_push("nodes", dict, within=WITHIN))["sharded"]
        assert row[0] == "rooms"
        assert row[3:5] == [True, 1]
        assert row[6] == "runs"
        assert [one.name for one in sharded_statistics()] == ["rooms"]


ME, OTHER = Node(b"1" * 16, "a"), Node(b"2" * 16, "b")


def seen(view: int | None = 1, owners: Sequence[Node] = (ME,), **more: Any) -> ShardedStatistics:  # noqa: ANN401
    values = {"keys": 0, "leaving": 0, "coming": 0, "waits": False, "suspended": False, **more}
    return ShardedStatistics("rooms", ME, view, tuple(owners), **values)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (seen(None, (), waits=True), "waits for a view"),
        (seen(waits=True), "waits for members"),
        (seen(leaving=2, waits=True), "hands over: 2 go, 0 come"),
        (seen(coming=1), "hands over: 0 go, 1 come"),
        (seen(owners=(OTHER,)), "owns no keys"),
        (seen(leaving=1, coming=1, waits=True, suspended=True), "suspended"),
        (seen(owners=(ME, OTHER)), "runs"),
    ],
)
def test_the_state_is_said_in_words(one: ShardedStatistics, expected: str) -> None:
    assert state_of(one) == expected
