"""Workers: nodes in one program, over real socket pairs."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.cluster.workers.mesh import mesh, until

pytestmark = pytest.mark.socket


async def test_a_broadcast_reaches_the_nodes_that_watch_its_topic_and_no_others(autojump_clock: MockClock) -> None:
    async with mesh(4) as (one, two, three, four):
        for member in (two, three):
            member.node.watch("pubsub", "news")
            await member.node.confirmed("pubsub", "news")
        for number in range(100):
            one.say("news", b"%d" % number)
        two.say("news", b"from two")
        await until(lambda: len(two.got) == 100 and len(three.got) == 101)
        assert two.payloads() == [b"%d" % number for number in range(100)]
        assert one.got == four.got == []
        assert sorted(name for name, _ in one.came_and_went()) == [two.name, three.name, four.name]
