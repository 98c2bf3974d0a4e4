"""What others say to a node: strangers who can write to its Redis, and nodes that have its secret and make mistakes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import trio
from trio.testing import MockClock

from phxactor import Application, Channel, Endpoint, LongPollOptions, Presence, Socket, channel, mount, open_runtime
from phxactor.cluster import Beat, LocalNode, Redis, events, this_node
from phxactor.envelope import (
    Frame,
    Kind,
    Message,
    Seal,
    channel_of_all,
    channel_of_lane,
    channel_of_node,
    encode,
    lane_of,
)
from phxactor.telemetry import Event
from phxactor.testing import settle
from tests.cluster.redis.fake_redis import FakeRedis

SECRET: Final = "a secret of the fuzzed cluster, which is long enough"
SEAL: Final = Seal(SECRET)
OPEN: Final = Seal(None)
SCOPE: Final = "endpoint.pubsub"
TOPIC: Final = "room:1"
PEER: Final = bytes(range(16))
"""A node that is up."""
STRANGER: Final = bytes(16)[:-1] + b"\x01"
"""A sender that is no node."""


class RoomPresence(Presence):
    """Who is there."""


class Room(Channel):
    """Whom broadcasts are for."""


class UserSocket(Socket):
    channels = (channel("room:*", Room),)


def node(data: bytes) -> None:
    """Take what comes by Redis: what is wrong is counted, nothing fails, and the node hears what comes after it."""
    trio.run(_serve, data, clock=MockClock(autojump_threshold=0))


async def _serve(data: bytes) -> None:
    redis = FakeRedis()
    failed: list[object] = []

    def note(_: Event, fields: Mapping[str, Any]) -> None:
        failed.append(fields["exception"])

    events.handler_failed.attach(note)
    try:
        async with open_runtime():
            endpoint = Endpoint(
                sockets=[mount("/socket", UserSocket, longpoll=LongPollOptions())], secret_key_base=SECRET
            )
            carrier = Redis("redis://127.0.0.1", open_stream=redis.open_stream)
            (
                await Application(children=[RoomPresence], endpoints=[endpoint], cluster=carrier).start_link(
                    server=False
                )
            ).unwrap()
            local = this_node()
            assert local is not None
            local.watch(SCOPE, TOPIC)
            await local.confirmed(SCOPE, TOPIC)
            _say(redis, PEER, 1, channel_of_all("phxactor"), _beat("peer"))
            for number, (what, said) in enumerate(_pieces(data), 2):
                _hear(redis, local, what, number, said)
            await settle()
            assert failed == []
            _say(redis, STRANGER[:-1] + b"\x02", 1, channel_of_all("phxactor"), _beat("the last"))
            await settle()
            assert "the last" in {one.name for one in local.nodes()}
            assert local.health().state == "ready"
    finally:
        events.handler_failed.detach(note)


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut the input: a byte that says what it is, two with its length, and what is said."""
    while len(data) > 3:
        end = 3 + int.from_bytes(data[1:3])
        yield data[0], data[3:end]
        data = data[end:]


def _hear(redis: FakeRedis, local: LocalNode, what: int, number: int, said: bytes) -> None:
    channels = (
        channel_of_lane("phxactor", lane_of(SCOPE, TOPIC)),
        channel_of_all("phxactor"),
        channel_of_node("phxactor", local.id),
    )
    channel_ = channels[what % 3]
    match what // 3 % 4:
        case 0:
            redis.publish(channel_, said)
        case 1:
            redis.publish(channel_, OPEN.seal(channel_, Frame(PEER, number, 0, 0, said)))
        case 2:
            _say(redis, STRANGER, number, channel_, said)
        case _:
            _say(redis, PEER, number, channel_, said)


def _say(redis: FakeRedis, sender: bytes, number: int, channel_: bytes, message: bytes) -> None:
    frame = Frame(sender, number, 0, time.time_ns() // 1_000_000, message)
    redis.publish(channel_, SEAL.seal(channel_, frame))


def _beat(name: str) -> bytes:
    return encode(Message(Kind.BEAT, "", "", "", Beat(name, 0).encode()))


def _piece(what: int, said: bytes) -> bytes:
    return bytes([what]) + len(said).to_bytes(2) + said


def _message(kind: int, payload: bytes, topic: str = TOPIC, event: str = "news") -> bytes:
    return encode(Message(kind, SCOPE, topic, event, payload))


NODES: Final = [
    _piece(9, _message(Kind.BROADCAST, b'{"a":1}')) + _piece(6, _message(Kind.BINARY, b"\x00\xff")),
    _piece(9, _message(Kind.DATA, b'{"a":1}')) + _piece(11, _message(Kind.RELAY, b"\x00" * 40)),
    _piece(9, _message(Kind.BROADCAST, b"no JSON")) + _piece(9, _message(Kind.BROADCAST, b"{}", event="disconnect")),
    _piece(10, encode(Message(Kind.BEAT, "", "", "", b'{"name":"peer","lost":3,"version":1}'))),
    _piece(10, encode(Message(Kind.GOODBYE, "", "", "", b""))) + _piece(9, _message(200, b"")),
    _piece(10, encode(Message(Kind.PRESENCE, "", "RoomPresence", "delta", b'{"a":1}'))),
    _piece(
        10,
        encode(
            Message(
                Kind.PRESENCE,
                "",
                "RoomPresence",
                "delta",
                b'{"v":1,"life":3,"after":0,"upto":2,"joins":[[1,"room:1","ann",{"phx_ref":"r"}]],"leaves":[],"more":false}',
            )
        ),
    )
    + _piece(10, encode(Message(Kind.PRESENCE, "", "RoomPresence", "ask", b'{"v":1,"life":null,"after":0}')))
    + _piece(10, encode(Message(Kind.PRESENCE, "", "RoomPresence", "bye", b'{"v":1,"life":3}'))),
    _piece(0, b"garbage") + _piece(1, b'{"v":1,"topic":"room:1","event":"e","payload":{}}') + _piece(3, b"\x01"),
]
