"""Traces from node to node: what is said before a broadcast, and what is made of it."""

from __future__ import annotations

from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import open_runtime, self_pid
from phxactor.cluster import Cluster
from phxactor.envelope import Kind, Message, decode, encode
from phxactor.testing import connect
from tests.cost.nodes import OTHER, Nowhere
from tests.opentelemetry.program import CHILDREN, NEWS, UserSocket, endpoint
from tests.opentelemetry.recorded import Recorded, id_of, recording, trace_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT: Final = f"00-{TRACE}-{SPAN}-01".encode()


class Told(Nowhere):
    """A carrier that keeps what it is given."""

    def __init__(self) -> None:
        self.published: list[Message] = []

    def publish(self, lane: str, message: bytes) -> None:
        self.published.append(decode(message))

    def arrives(self, kind: int, scope: str, topic: str, event: str, payload: bytes) -> None:
        """Have a message of the other node come."""
        self.node.received(self, OTHER.id, encode(Message(kind, scope, topic, event, payload)))


async def test_a_traced_broadcast_is_told_before_it_goes(autojump_clock: MockClock) -> None:
    carrier = Told()
    with recording() as found:
        async with open_runtime():
            (await Cluster(carrier).start_link()).unwrap()
            room = await (await connect(UserSocket, endpoint=endpoint)).join("room:1")
            await room.assert_reply(room.push("shout", {}), "ok", within=1)
    told, sent = carrier.published
    assert (told.kind, told.scope, told.topic, told.event) == (Kind.TRACE, sent.scope, "room:1", "shout")
    assert sent == Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "shout", b"{}")
    span = found.one("send endpoint.pubsub")
    assert told.payload == f"00-{trace_of(span):032x}-{id_of(span):016x}-01".encode()


async def test_a_broadcast_that_is_not_traced_is_as_it_always_was(autojump_clock: MockClock) -> None:
    carrier = Told()
    with recording(sample=0):
        async with open_runtime():
            (await Cluster(carrier).start_link()).unwrap()
            room = await (await connect(UserSocket, endpoint=endpoint)).join("room:1")
            await room.assert_reply(room.push("shout", {}), "ok", within=1)
    assert [message.kind for message in carrier.published] == [Kind.BROADCAST]


async def heard(*, told: bool, payload: bytes = PARENT) -> Recorded:
    carrier = Told()
    with recording(sample=0) as found:
        async with open_runtime():
            (await Cluster(carrier).start_link()).unwrap()
            room = await (await connect(UserSocket, endpoint=endpoint)).join("room:1")
            await room.assert_joined()
            scope = endpoint.pubsub.name
            if told:
                carrier.arrives(Kind.TRACE, scope, "room:1", "shout", payload)
            carrier.arrives(Kind.BROADCAST, scope, "room:1", "shout", b'{"a":1}')
            await room.assert_push("shout", {"a": 1}, within=1)
            carrier.arrives(Kind.BROADCAST, scope, "room:1", "shout", b'{"a":2}')
            await room.assert_push("shout", {"a": 2}, within=1)
    return found


async def test_a_broadcast_of_another_node_goes_on_with_its_trace(autojump_clock: MockClock) -> None:
    found = await heard(told=True)
    received = found.one("receive endpoint.pubsub")
    assert f"{trace_of(received):032x}" == TRACE
    assert received.parent is not None
    assert f"{received.parent.span_id:016x}" == SPAN
    process = found.one("process room:*")  # of the first broadcast: nobody has told of the second
    assert [link.context.span_id for link in process.links] == [id_of(received)]


@pytest.mark.parametrize("payload", [b"", b"\xff" * 500, PARENT[:-1], PARENT[:-2] + b"00"])
async def test_what_is_no_context_is_ignored(payload: bytes, autojump_clock: MockClock) -> None:
    assert (await heard(told=True, payload=payload)).all() == []


async def test_nothing_is_traced_that_no_node_has_told_of(autojump_clock: MockClock) -> None:
    assert (await heard(told=False)).all() == []


async def test_a_node_that_does_not_trace_takes_no_notice(autojump_clock: MockClock) -> None:
    carrier = Told()
    async with open_runtime():
        (await Cluster(carrier).start_link()).unwrap()
        await CHILDREN[0].start_link()  # type: ignore[attr-defined]
        NEWS.subscribe("all")
        carrier.arrives(Kind.TRACE, "news", "all", "", PARENT)
        carrier.arrives(Kind.DATA, "news", "all", "", b'"rain"')
        await trio.sleep(1)
        assert not carrier.node.statistics().carriers["nowhere"].refused
        assert list(self_pid().mailbox) == ["rain"]
