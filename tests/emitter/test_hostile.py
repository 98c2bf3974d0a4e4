"""A node on a real Redis, an emitter, and others who write to its channels: clients hear the emitter only, and once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis
import trio

from phxactor import Application, Channel, Endpoint, Socket, channel, mount, open_runtime
from phxactor.cluster import LocalNode, Redis, this_node
from phxactor.emitter import Emitter
from phxactor.envelope import Frame, Kind, Message, Seal, channel_of_all, channel_of_lane, channel_of_node, encode
from phxactor.testing import ClientChannel, connect
from tests.emitter.listener import SECRET, Listener
from tests.patience import PATIENCE

LANE = channel_of_lane("shop", "endpoint.pubsub:room:1")
NOW = 1_700_000_000_000


class Room(Channel):
    """Has nothing of its own."""


class UserSocket(Socket):
    channels = (channel("room:*", Room),)


@asynccontextmanager
async def joined(port: int) -> AsyncIterator[tuple[LocalNode, ClientChannel]]:
    """Run an endpoint that is a node, with a client in the room."""
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], secret_key_base=SECRET)
    application = Application(endpoints=[endpoint], cluster=Redis(f"redis://127.0.0.1:{port}", prefix="shop"))
    with trio.fail_after(PATIENCE):
        async with open_runtime():
            (await application.start_link(server=False)).unwrap()
            node = this_node()
            assert node is not None
            while node.health().state != "ready":  # noqa: ASYNC110 - nothing tells of it
                await trio.sleep(0.01)
            room = await (await connect(UserSocket, endpoint=endpoint)).join("room:1")
            await room.assert_joined()
            yield node, room


def refused(node: LocalNode) -> dict[str, int]:
    return dict(node.statistics().carriers["redis"].refused)


def sealed(secret: str | None, sent_at: int, channel_: bytes = LANE, payload: bytes = b'{"n":0}') -> bytes:
    message = encode(Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", payload))
    return Seal(secret).seal(channel_, Frame(bytes(range(16)), 1, 0, sent_at, message))


@pytest.mark.redis
async def test_CL33_what_is_sent_again_reaches_no_client(redis_port: int, listener: Listener) -> None:
    async with joined(redis_port) as (node, room):
        with Emitter(f"redis://127.0.0.1:{redis_port}", prefix="shop", secret=SECRET) as emitter:
            sent: list[bytes] = []
            for number in (1, 2):
                assert emitter.broadcast("room:1", "news", {"n": number}) == 2  # the node, and the listener
                while len(sent) < number:
                    where, data = listener.raw()
                    if where == LANE:
                        sent.append(data)
            with redis.Redis(port=redis_port) as client:
                for data in (*sent, sent[0]):
                    client.publish(LANE, data)
            emitter.broadcast("room:1", "news", {"n": 3})
        for number in (1, 2, 3):
            await room.assert_push("news", {"n": number}, within=PATIENCE)
        await room.refute_push("news")
        assert refused(node) == {"replayed": 3}


@pytest.mark.redis
async def test_CL31_CL32_what_others_write_is_counted_and_reaches_no_client(redis_port: int) -> None:
    async with joined(redis_port) as (node, room):
        elsewhere = channel_of_lane("shop", "endpoint.pubsub:room:2")
        hostile = [
            b"",
            b"\x01\x02",
            b"garbage",
            sealed(None, NOW),
            b'{"v":1,"topic":"room:1","event":"news","payload":{}}',
            sealed("the secret of somebody else", NOW),
            sealed(SECRET, NOW, elsewhere),
            sealed(SECRET, NOW),
            bytes(2_000_000),
        ]
        with redis.Redis(port=redis_port) as client:
            for where in (LANE, channel_of_all("shop"), channel_of_node("shop", node.id)):
                for made in hostile:
                    assert client.publish(where, made) == 1
        expected = {"length": 6, "version": 3, "secret": 6, "forged": 6 + 2, "old": 1, "size": 3}
        while sum(refused(node).values()) < sum(expected.values()):  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)
        assert refused(node) == expected  # what was sealed for the lane is forged on the two other channels
        with Emitter(f"redis://127.0.0.1:{redis_port}", prefix="shop", secret=SECRET) as emitter:
            emitter.broadcast("room:1", "news", {"n": 1})
        await room.assert_push("news", {"n": 1}, within=PATIENCE)
        await room.refute_push("news")
        assert node.health().state == "ready"


@pytest.mark.redis
async def test_a_payload_that_is_not_json_reaches_no_client(redis_port: int) -> None:
    """An emitter in another language may have the secret, and a fault."""
    async with joined(redis_port) as (node, room):
        with redis.Redis(port=redis_port) as client:
            client.publish(LANE, sealed(SECRET, time.time_ns() // 1_000_000, payload=b"{not JSON"))
        with Emitter(f"redis://127.0.0.1:{redis_port}", prefix="shop", secret=SECRET) as emitter:
            emitter.broadcast("room:1", "news", {"n": 1})
        await room.assert_push("news", {"n": 1}, within=PATIENCE)
        await room.refute_push("news")
        assert refused(node) == {"json": 1}
