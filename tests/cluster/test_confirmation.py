"""Waits for the confirmation of a topic (CL15): each ends once, by the confirmation, its time or a cancellation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.cluster import Cluster, LocalNode, this_node
from phxactor.cluster.events import watch_late
from phxactor.runtime import open_runtime
from tests.cluster.in_memory import InMemory

LANE = "pubsub:news"


@asynccontextmanager
async def unconfirmed() -> AsyncIterator[tuple[LocalNode, InMemory, list[object]]]:
    """Open a node that watches a topic without confirmation; gives it, its carrier, and the lanes that were late."""
    late: list[object] = []

    def tell(_: object, fields: Mapping[str, object]) -> None:
        late.append(fields["lane"])

    carrier = InMemory([])
    async with open_runtime():
        (await Cluster(carrier, name="this@web1").start_link()).unwrap()
        await wait_all_tasks_blocked()
        node = this_node()
        assert node is not None
        carrier.confirms = False
        node.watch("pubsub", "news")
        watch_late.attach(tell)
        try:
            yield node, carrier, late
        finally:
            watch_late.detach(tell)


async def test_a_wait_that_is_cancelled_holds_up_no_other(autojump_clock: MockClock) -> None:
    async with unconfirmed() as (node, carrier, late), trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(node.confirmed, "pubsub", "news")
        with trio.move_on_after(0.5) as limit:
            await node.confirmed("pubsub", "news")
        assert limit.cancelled_caught
        node.watched(carrier, [LANE])
        before = trio.current_time()
        await wait_all_tasks_blocked()
        assert (trio.current_time(), late) == (before, [])


async def test_each_wait_has_its_own_second(autojump_clock: MockClock) -> None:
    async with unconfirmed() as (node, _, late), trio.open_nursery() as nursery:
        nursery.start_soon(node.confirmed, "pubsub", "news")
        await trio.sleep(0.7)
        before = trio.current_time()
        await node.confirmed("pubsub", "news")
        assert trio.current_time() - before == pytest.approx(1.0)
        assert late == [LANE, LANE]


@pytest.mark.parametrize("first", ["confirmation", "time"])
async def test_a_confirmation_in_the_moment_in_which_the_time_is_over(autojump_clock: MockClock, first: str) -> None:
    async with unconfirmed() as (node, carrier, late):
        if first == "confirmation":
            node.runtime.timers.add(1.0, lambda _: node.watched(carrier, [LANE]), None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.confirmed, "pubsub", "news")
            nursery.start_soon(node.confirmed, "pubsub", "news")
            await wait_all_tasks_blocked()
            if first == "time":
                node.runtime.timers.add(1.0, lambda _: node.watched(carrier, [LANE]), None)
        assert late == ([] if first == "confirmation" else [LANE, LANE])
        assert node.is_confirmed("pubsub", "news")
