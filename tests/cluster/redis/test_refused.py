"""A message that Redis refuses: what its sender says of it, and what others are told."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from phxactor.cluster import Redis
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import SECRET, all_see_all, nodes, until


async def test_a_message_that_redis_refuses_is_one_gap_though_beat_and_number_show_it(
    autojump_clock: MockClock,
) -> None:
    redis = FakeRedis()
    async with nodes(lambda: Redis("redis://h", open_stream=redis.open_stream, secret=SECRET), "a", "b") as (a, b):
        await all_see_all([a, b])
        await b.watch("news")
        a.say("news", b"1")
        await until(lambda: b.came == [b"1"])
        redis.denied = {b"PUBLISH"}
        a.say("news", b"refused")
        await until(lambda: a.dropped() == 1)
        redis.denied = set()
        await until(b.gaps)
        a.say("news", b"2")
        await trio.sleep(2)
        assert (b.came, b.gaps()) == ([b"1", b"2"], ["gap a"])
