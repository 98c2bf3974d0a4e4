"""What a node takes for an echo of its own: the proof that its connection carries (CL25)."""

from __future__ import annotations

import time

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import Redis
from phxactor.envelope import Frame, Kind, Message, Seal, encode
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import SECRET, nodes, until

ANOTHER = "another secret of some length"
ALL = b"phxactor:all"
BEAT = encode(Message(Kind.BEAT, "", "", "", b'{"name":"a","lost":0,"version":1}'))


def forged(sender: bytes, number: int, secret: str | None) -> bytes:
    """Return a beat in the name of a node, by somebody else."""
    return Seal(secret).seal(ALL, Frame(sender, number, number - 1, int(time.time() * 1000), BEAT))


@pytest.mark.parametrize("fault", ["forged", "secret", "replayed"])
async def test_CL25_a_message_in_a_nodes_own_name_is_no_echo_unless_it_is_its_own(
    autojump_clock: MockClock, fault: str
) -> None:
    redis = FakeRedis()
    async with nodes(lambda: Redis("redis://h", open_stream=redis.open_stream, secret=SECRET), "a") as (a,):
        await until(lambda: a.is_ready)
        await trio.sleep(3)
        (client,) = redis.clients
        own = [payload for channel, payload in redis.published if channel == ALL]
        client.is_stuck = True  # it still hears what others say
        for count in range(8):
            match fault:
                case "replayed":
                    redis.publish(ALL, own[count % len(own)])
                case "forged":
                    redis.publish(ALL, forged(a.node.id, 1000 + count, ANOTHER))
                case _:
                    redis.publish(ALL, forged(a.node.id, 1000 + count, None))
            await trio.sleep(0.8)
        assert a.counts() == {fault: 8}
        assert client not in redis.clients, "nothing of its own came back, so it has left this connection"
        await until(lambda: a.is_ready)


async def test_in_an_open_cluster_no_number_from_afar_stands_for_those_that_are_still_to_come(
    autojump_clock: MockClock,
) -> None:
    redis = FakeRedis()
    async with nodes(lambda: Redis("redis://h", open_stream=redis.open_stream, secret=None), "a") as (a,):
        await until(lambda: a.is_ready)
        redis.publish(ALL, forged(a.node.id, 2**60, None))
        await trio.sleep(20)
        assert a.is_ready
        assert redis.tries == 1
        assert a.counts() == {"replayed": 1}


async def test_CL25_a_node_that_was_stopped_itself_keeps_its_connection(autojump_clock: MockClock) -> None:
    """It could not read its echoes, and judges neither Redis nor others by that time."""
    redis = FakeRedis()
    async with nodes(lambda: Redis("redis://h", open_stream=redis.open_stream, secret=SECRET), "a") as (a,):
        await until(lambda: a.is_ready)
        await trio.sleep(2.5)
        tries = redis.tries
        autojump_clock.jump(7)
        await trio.sleep(3)
        assert (redis.tries, a.is_ready) == (tries, True)
