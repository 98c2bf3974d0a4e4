"""How a node leaves Redis, and what connections leave behind."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from phxactor.cluster import Redis
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import SECRET, Member, all_see_all, nodes, until
from tests.cycles import leaves_no_cycles


def carrier(redis: FakeRedis) -> Redis:
    return Redis("redis://h", open_stream=redis.open_stream, secret=SECRET)


async def test_what_was_said_before_the_end_is_written_and_then_goodbye(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a") as (a,):
        async with nodes(lambda: carrier(redis), "b") as (b,):
            await all_see_all([a, b])
            await a.watch("news")
            b.say("news", b"last words")
        await until(lambda: "down b left" in a.told)
        assert a.came == [b"last words"]


async def test_a_node_ends_within_a_second_beside_a_redis_that_stands_still(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a") as (a,):
        await until(lambda: a.is_ready)
        a.say("news", b"last words")
        redis.mute()
        before = trio.current_time()
    assert trio.current_time() - before <= 1.1


async def test_a_node_that_has_never_connected_ends_at_once(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    redis.is_down = True
    async with nodes(lambda: carrier(redis), "a"):
        await trio.sleep(1)
        before = trio.current_time()
    assert trio.current_time() == before


async def test_lost_and_refused_connections_leave_no_cycles(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a", "b") as members:
        await all_see_all(members)

        async def reconnect() -> None:
            redis.kill()
            await until(lambda: not any(one.is_ready for one in members))
            redis.password = b"hunter2"
            await trio.sleep(1)
            redis.password = None
            redis.is_down = True
            await trio.sleep(1)
            redis.is_down = False
            await until(lambda: all(one.is_ready for one in members))
            say(members)

        await leaves_no_cycles(reconnect)


def say(members: list[Member]) -> None:
    for one in members:
        one.say("news", b"1")
