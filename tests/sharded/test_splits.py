"""Sharded servers where the network is split: who runs keys, and what is merged."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor import cast
from phxactor.runtime import Exit
from phxactor.sharded import Sharded
from phxactor.testing import cluster
from tests.sharded.rooms import KEYS, Room, ask, owners, reason_of, rooms, running

MAJORITY = Sharded("rooms", Room, on_split="majority")


async def test_NO24_the_small_side_of_a_split_runs_nothing(autojump_clock: MockClock) -> None:
    async with cluster(3, children=lambda: [MAJORITY]) as nodes:
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", "before"))
        nodes.network.isolate("c")
        await trio.sleep(30)
        with pytest.raises(Exit) as caught:
            await ask(nodes[2], KEYS[0], "items")
        assert reason_of(caught.value) == "noproc"
        assert all("c" not in where for where in running(nodes).values())
        for key in KEYS:
            await ask(nodes[0], key, ("add", "in a"))
        nodes.network.heal()
        await trio.sleep(30)
        for key in KEYS:
            assert (await ask(nodes[2], key, "items"))[-1] == "in a"
        assert all(len(where) == 1 for where in running(nodes).values())


async def test_ND63_where_a_pair_is_cut_each_node_is_of_one_view(autojump_clock: MockClock) -> None:
    async with cluster(3, children=rooms) as nodes:
        await trio.sleep(5)
        nodes.network.cut("a", "b")
        await trio.sleep(30)
        names = [{*await owners(node)} for node in nodes]
        groups = sorted(tuple(sorted(one)) for one in names)
        assert sum(len(group) for group in {*groups}) == 3, groups
        nodes.network.heal()
        await trio.sleep(30)
        found = [await owners(node) for node in nodes]
        assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a", "c"), ("b", "c")])
async def test_NO25_who_is_left_out_as_a_pair_is_cut_stops_before_others_go_on(
    one: str, other: str, autojump_clock: MockClock
) -> None:
    async with cluster(3, children=lambda: [MAJORITY]) as nodes:
        await trio.sleep(5)
        nodes.network.cut(one, other)
        for _ in range(150):
            for node in nodes:
                for key in KEYS:
                    await node.run(_casts, key)
            assert all(len(where) < 2 for where in running(nodes).values())
            await trio.sleep(0.1)
        assert len({where[0] for where in running(nodes).values()}) == 2


async def _casts(key: str) -> None:
    cast(MAJORITY[key], ("add", 1))
