"""What clients of one node notice of Redis: nothing, but what comes from other nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from phxactor import Application, Channel, Endpoint, Socket, channel, mount, on
from phxactor.cluster import Redis, this_node
from phxactor.runtime import open_runtime
from phxactor.testing import Client, connect
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import until


class RoomChannel(Channel):
    """Passes on what is said."""

    @on("say")
    async def say(self, payload: object) -> None:
        self.broadcast("said", payload)


class UserSocket(Socket):
    """Lets everybody in."""

    channels = (channel("room:*", RoomChannel),)


@asynccontextmanager
async def served(redis: FakeRedis) -> AsyncIterator[tuple[Client, Client]]:
    """Serve two clients from a node."""
    carrier = Redis("redis://cache", secret=None, open_stream=redis.open_stream)
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], secret_key_base="x" * 64)
    async with open_runtime():
        (await Application(endpoints=[endpoint], cluster=carrier).start_link(server=False)).unwrap()
        yield await connect(UserSocket, endpoint=endpoint), await connect(UserSocket, endpoint=endpoint)


async def talk(one: Client, other: Client, topic: str) -> float:
    """Join, say something and hear it; return the seconds that it took."""
    before = trio.current_time()
    speaker, hearer = await one.join(topic), await other.join(topic)
    speaker.push("say", {"text": topic})
    await hearer.assert_push("said", {"text": topic})
    return trio.current_time() - before


@pytest.mark.parametrize(
    "fault", ["down at the start", "mute at the start", "down", "half-open", "killed again and again"]
)
async def test_CL4_clients_of_one_node_notice_nothing(autojump_clock: MockClock, fault: str) -> None:
    redis = FakeRedis()
    redis.is_down = fault == "down at the start"
    if fault == "mute at the start":
        redis.mute()
    async with served(redis) as (ann, bob):
        node = this_node()
        assert node is not None
        if "start" not in fault:
            await until(lambda: node.health().state == "ready")
        assert await talk(ann, bob, "room:before") == 0
        match fault:
            case "down":
                redis.stop()
                await until(lambda: node.health().state == "degraded")
            case "half-open":
                redis.clients[0].is_half_open = True
                await until(lambda: node.health().state == "degraded")
        for number in range(20):
            if fault == "killed again and again":
                redis.kill()
            assert await talk(ann, bob, f"room:{number}") <= (1.0 if fault == "killed again and again" else 0.0)
            await trio.sleep(0.3)


async def test_CL15_a_first_join_waits_a_second_at_most_for_a_redis_that_stands_still(
    autojump_clock: MockClock,
) -> None:
    redis = FakeRedis()
    async with served(redis) as (ann, bob):
        node = this_node()
        assert node is not None
        await until(lambda: node.health().state == "ready")
        redis.mute()
        assert await talk(ann, bob, "room:1") == 2.0  # two joins
        await until(lambda: node.health().state == "degraded")
        assert await talk(ann, bob, "room:3") == 0.0
