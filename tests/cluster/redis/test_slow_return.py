"""A node whose return to Redis takes long, since it has many lanes: what it and others are told of that time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import Redis, events
from phxactor.cluster.carriers.redis import _subscriptions
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import SECRET, Member, all_see_all, nodes, until
from tests.runtime.actors import emitted

LANES = 8


def carrier(redis: FakeRedis, max_waiting_bytes: int = 1024 * 1024) -> Redis:
    return Redis("redis://h", open_stream=redis.open_stream, secret=SECRET, max_waiting_bytes=max_waiting_bytes)


async def chatter(member: Member) -> None:
    """Say something on each lane, again and again."""
    number = 0
    while True:
        for lane in range(LANES):
            number += 1
            member.say(f"room:{lane}", b"%d" % number)
        await trio.sleep(0.1)


async def test_nobody_is_silent_and_each_gap_is_told_once(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_subscriptions, "PIECE", 1)
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a", "b") as (a, b), trio.open_nursery() as nursery:
        await a.watch(*(f"room:{lane}" for lane in range(LANES)))
        b.node.watch("pubsub", "room:0")
        await all_see_all([a, b])
        for one in (a, b):
            nursery.start_soon(chatter, one)
        await trio.sleep(2)
        redis.seconds = 0.9
        for one in (a, b):
            one.told.clear()
        next(one for one in redis.clients if b"phxactor:t:pubsub:room:7" in one.channels).close()
        await trio.sleep(0.1)
        a.came.clear()
        await until(lambda: a.is_ready)
        assert a.came == [], "more may be lost until all lanes are subscribed"
        redis.seconds = 0.0
        await trio.sleep(3)
        nursery.cancel_scope.cancel()
        assert (a.told, b.told) == (["gap b"], ["gap a"])
        assert a.came


async def test_what_is_missed_counts_from_the_first_of_two_ends(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_subscriptions, "PIECE", 1)
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a", "b") as (a, b):
        await a.watch(*(f"room:{lane}" for lane in range(LANES)))
        await all_see_all([a, b])
        own = b"phxactor:n:%b" % a.node.id.hex().encode()
        redis.seconds = 0.9
        for _ in range(2):
            next(one for one in redis.clients if own in one.channels).close()
            await trio.sleep(3)
            assert not a.is_ready, "it is about to subscribe its lanes"
        redis.seconds = 0.0
        with emitted(events.gap) as told:
            await until(lambda: a.is_ready)
            await trio.sleep(2)
        (at_a,) = (one["seconds"] for one in told if str(one["node"]) == "b")
        assert isinstance(at_a, float)
        assert at_a > 6


async def test_a_message_above_the_bytes_that_may_wait_is_dropped(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis, 1000), "a", "b") as (a, b):
        await all_see_all([a, b])
        await b.watch("news")
        a.say("news", bytes(2000))
        assert a.dropped() == 1
        await until(lambda: b.told == ["up a", "gap a"])
        assert b.came == []


async def test_after_a_return_the_first_pause_is_a_short_one(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a") as (a,):
        await until(lambda: a.is_ready)
        redis.stop()
        await trio.sleep(30)
        redis.is_down = False
        await until(lambda: a.is_ready)
        await trio.sleep(1)
        redis.kill()
        before = trio.current_time()
        await until(lambda: not a.is_ready)
        await until(lambda: a.is_ready)
        assert trio.current_time() - before < 0.2
