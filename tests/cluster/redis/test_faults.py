"""What a Redis that fails does to nodes: in virtual time, on a Redis without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import Redis
from phxactor.cluster.carriers.redis._subscriptions import PIECE
from tests.cluster.redis.fake_redis import FakeClient, FakeRedis
from tests.cluster.redis.nodes import SECRET, Member, all_see_all, nodes, until

ALL = b"phxactor:all"
BACK = 5.0
"""Seconds after Redis within which messages go from node to node again."""


@asynccontextmanager
async def three(
    redis: FakeRedis, url: str = "redis://h", max_waiting_bytes: int = 1024 * 1024
) -> AsyncIterator[list[Member]]:
    """Start three nodes that all watch "news"."""

    def make() -> Redis:
        return Redis(url, open_stream=redis.open_stream, secret=SECRET, max_waiting_bytes=max_waiting_bytes)

    async with nodes(make, "a", "b", "c") as members:
        for one in members:
            one.node.watch("pubsub", "news")
        if not redis.is_down and not redis.is_mute and redis.password is None:
            await all_see_all(members)
            forget(members)
        yield members


def forget(members: list[Member]) -> None:
    for one in members:
        one.told.clear()
        one.came.clear()


def client_of(redis: FakeRedis, member: Member) -> FakeClient:
    return next(one for one in redis.clients if b"phxactor:n:%b" % member.node.id.hex().encode() in one.channels)


async def talk(members: list[Member]) -> None:
    """Have each node say something, and wait until all others have it."""
    for one in members:
        one.say("news", one.node.identity.name.encode())
    names = {one.node.identity.name.encode() for one in members}
    await until(lambda: all(names - {one.node.identity.name.encode()} <= set(one.came) for one in members))


async def back(members: list[Member], within: float = BACK) -> None:
    """Wait until all nodes are back, see one another and hear one another."""
    before = trio.current_time()
    await trio.sleep(0.02)
    with trio.fail_after(within):
        await all_see_all(members)
        await talk(members)
    assert trio.current_time() - before <= within
    await trio.sleep(1.5)  # beats that tell of gaps


async def test_CL24_redis_is_killed_and_comes_back_and_each_gap_is_told_once(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a, b, c = members
        redis.stop()
        await trio.sleep(0.5)
        assert [one.node.health().state for one in members] == ["degraded"] * 3
        for one in members:
            one.say("news", b"lost")
        await trio.sleep(2)
        redis.is_down = False
        await back(members)
        assert [sorted(one.gaps()) for one in members] == [["gap b", "gap c"], ["gap a", "gap c"], ["gap a", "gap b"]]
        assert [one.dropped() for one in members] == [1, 1, 1]
        assert b"lost" not in a.came + b.came + c.came
        await trio.sleep(10)
        assert all(len(one.gaps()) == 2 for one in members)


async def test_what_is_lost_while_lanes_are_subscribed_again_is_no_second_gap(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    redis.seconds = 0.05
    async with three(redis) as members:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chatter, members[0])
            for number in range(20_000):
                members[0].node.watch("pubsub", f"room:{number}")
            await trio.sleep(3)
            client_of(redis, members[0]).close()
            await back(members, 10)
            nursery.cancel_scope.cancel()
        assert [one.gaps() for one in members[1:]] == [["gap a"], ["gap a"]]


async def chatter(member: Member) -> None:
    while True:
        member.say("news", b"chatter")
        await trio.sleep(0.01)


async def test_a_long_outage_ends_in_downs_ups_and_one_gap_for_each(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.stop()
        await trio.sleep(60)
        assert sorted(members[0].told) == ["down b silent", "down c silent"]
        assert redis.tries < 3 * 120  # at least half a second apart
        redis.is_down = False
        await back(members)
        assert sorted(members[0].told) == ["down b silent", "down c silent", "gap b", "gap c", "up b", "up c"]


@pytest.mark.parametrize("apart", [0.05, 0.5, 1.5])
async def test_the_connection_of_one_node_is_killed_twice(autojump_clock: MockClock, apart: float) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a, b, c = members
        for _ in range(2):
            await until(lambda: a.is_ready)
            client_of(redis, a).close()
            b.say("news", b"lost for a")
            a.say("news", b"lost for others")
            await trio.sleep(apart)
        await back(members)
        # Within a second they are one gap; after it the first was told before the second began.
        assert sorted(a.told) == (["gap b", "gap c"] if apart < 1 else ["gap b", "gap b", "gap c", "gap c"])
        assert set(b.told) == {"gap a"}
        assert len(b.told) == len(c.told) <= 2


async def test_a_node_that_lost_nothing_of_its_own_makes_no_gap_for_others(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a, b, c = members
        client_of(redis, a).close()
        await back(members)
        assert (sorted(a.told), b.told, c.told) == (["gap b", "gap c"], [], [])


@pytest.mark.parametrize("seconds", [3, 12])
async def test_redis_stands_still_for_a_while(autojump_clock: MockClock, seconds: float) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.mute()
        for _ in range(2):
            await trio.sleep(seconds / 2)
            for one in members:
                one.say("news", b"meanwhile")
        redis.unmute()
        await trio.sleep(0.1)
        redis.read_left()
        await back(members)
        for one in members:
            gaps = one.gaps()
            assert len(set(gaps)) == len(gaps) == (0 if seconds < 5 else 2)


async def test_what_ended_connections_had_written_comes_late_and_makes_no_second_gap(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.mute()
        for _ in range(12):
            await trio.sleep(1)
            for one in members:
                one.say("news", b"meanwhile")
        late = next(one for one in redis.clients if not one.has_left)
        late.is_stuck = True
        redis.unmute()
        await trio.sleep(0.1)
        redis.read_left()
        await trio.sleep(0.1)
        late.is_stuck = False
        late.go_on()
        await back(members)
        for one in members:
            gaps = one.gaps()
            assert len(set(gaps)) == len(gaps) == 2


async def test_CL25_a_half_open_connection_is_found_and_left(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a, b, _ = members
        client_of(redis, a).is_half_open = True
        b.say("news", b"lost for a")
        a.say("news", b"lost for others")
        await trio.sleep(6.5)
        assert a.node.health().state == "ready"
        await back(members)
        assert sorted(one for one in a.told if "gap" in one) == ["gap b", "gap c"]
        assert b.gaps() == ["gap a"]


async def test_CL22_a_message_over_the_limit_of_redis_closes_connections_and_they_come_back(
    autojump_clock: MockClock,
) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        for client in redis.clients:
            client.most = 1024 * 1024
        redis.publish(ALL, bytes(4 * 1024 * 1024))
        await trio.sleep(0.01)
        assert not redis.clients
        await back(members)
        assert [len(one.told) for one in members] == [2, 2, 2]


async def test_a_message_over_our_limit_is_read_and_dropped(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.publish(ALL, bytes(4 * 1024 * 1024))
        await back(members)
        assert [one.told for one in members] == [[], [], []]
        assert [one.counts() for one in members] == [{"size": 1}] * 3


async def test_a_message_that_no_reader_may_hold_closes_the_connection(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.publish(ALL, bytes(16 * 1024 * 1024))
        await trio.sleep(0.01)
        assert {one.node.health().state for one in members} == {"degraded"}
        await back(members)


async def test_a_password_appears_and_goes(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.password = b"hunter2"
        redis.kill()
        await trio.sleep(20)
        (away,) = members[0].node.health().away
        assert away.why == "Redis wants a password"
        redis.password = None
        await back(members)


async def test_a_wrong_password_is_told_without_it(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    redis.password = b"hunter2"
    async with three(redis, "redis://alice:wrong@h") as members:
        await trio.sleep(20)
        (away,) = members[0].node.health().away
        assert away.why == "Redis does not accept the user and password"
        redis.password = b"wrong"
        await back(members)


@pytest.mark.parametrize("kind", ["down", "mute"])
async def test_CL24_redis_is_away_at_the_start(autojump_clock: MockClock, kind: str) -> None:
    redis = FakeRedis()
    if kind == "down":
        redis.is_down = True
    else:
        redis.mute()
    async with three(redis) as members:
        a = members[0]
        before = trio.current_time()
        a.node.watch("pubsub", "first")
        await a.node.confirmed("pubsub", "first")
        assert trio.current_time() == before
        a.say("news", b"lost")
        await trio.sleep(30)
        assert a.node.health().state == "degraded"
        redis.is_down = False
        redis.unmute()
        await back(members)
        assert a.gaps() == []
        assert client_of(redis, a).channels >= {b"phxactor:t:pubsub:first"}


async def test_a_replica_is_no_place_to_publish(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        redis.role = b"replica"
        redis.kill()
        await trio.sleep(10)
        (away,) = members[0].node.health().away
        assert "replica" in away.why
        redis.role = b"master"
        await back(members)


async def test_what_the_acl_denies_is_told_without_the_user(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a, b, c = members
        redis.denied = {b"PUBLISH"}
        a.say("news", b"denied")
        await trio.sleep(2)
        assert a.dropped() == 1
        redis.denied = {b"SUBSCRIBE"}
        redis.kill()
        await trio.sleep(2)
        (away,) = a.node.health().away
        assert away.why == "Redis does not allow it to this user (ACL)"
        redis.denied = set()
        await back(members)
        assert (sorted(b.gaps()), sorted(c.gaps())) == (["gap a", "gap c"], ["gap a", "gap b"])


async def test_CL26_what_waits_is_bounded_and_what_is_dropped_is_a_gap(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis, max_waiting_bytes=100_000) as members:
        a, b, c = members
        redis.mute()
        for _ in range(100):
            a.say("news", bytes(10_000))
        await trio.sleep(1)
        assert a.dropped() > 80
        redis.unmute()
        await trio.sleep(2)
        assert len(b.came) == len(c.came) == 100 - a.dropped()
        assert b.told == c.told == ["gap a"]
        await talk(members)


async def test_20_000_topics_are_subscribed_in_pieces(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a = members[0]
        for number in range(20_000):
            a.node.watch("pubsub", f"room:{number}")
        await a.node.confirmed("pubsub", "room:19999")
        assert len(client_of(redis, a).channels) == 20_003
        client_of(redis, a).close()
        await until(lambda: not a.is_ready)
        a.node.watch("pubsub", "room:new")
        await until(lambda: a.is_ready)
        again = client_of(redis, a)
        assert len(again.channels) == 20_004
        assert again.commands.count(b"SUBSCRIBE") <= 2 + 20_003 // PIECE + 1


async def test_the_process_of_the_connection_crashes_and_starts_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis = FakeRedis()
    async with three(redis) as members:
        a = members[0]
        (process,) = [
            pid for pid in a.node.runtime.processes.values() if "Redis" in repr(pid) and "Supervisor" not in repr(pid)
        ]
        process.exit("kill")
        await trio.sleep(0.5)
        await back(members)
        assert "down b lost" in a.told
        assert "up b" in a.told
