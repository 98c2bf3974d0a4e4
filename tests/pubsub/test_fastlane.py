"""Broadcasts to channels: written once for each serializer, past the channels that do not intercept them."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor import Broadcast, Channel, channel, intercept
from phxactor.channels import Payload
from phxactor.pubsub import PubSub
from phxactor.runtime import open_runtime, self_pid
from phxactor.socket import Broadcaster, Fastlane, SocketPush, V1JSONSerializer, V2JSONSerializer
from phxactor.socket._fastlane import dispatch
from tests.sockets.serving import complaints
from tests.sockets.wires import wires


class Counting:
    """Counts the broadcasts that it writes."""

    def __init__(self) -> None:
        self.written = 0
        self._v2 = V2JSONSerializer()
        self.decode = self._v2.decode
        self.encode = self._v2.encode

    def fastlane(self, broadcast: Broadcast) -> SocketPush:
        self.written += 1
        return self._v2.fastlane(broadcast)


class Room(Channel):
    """Intercepts one event."""

    @intercept("secret")
    async def secret(self, payload: Payload) -> None:
        self.push("secret", "hidden")


async def test_a_broadcast_is_written_once_for_each_serializer(autojump_clock: MockClock) -> None:
    pubsub, counting = PubSub(), Counting()
    async with open_runtime():
        await pubsub.start_link()
        me = self_pid()
        for _ in range(5):
            pubsub.subscribe("t", Fastlane(counting, frozenset({"mine"})))
            pubsub.subscribe("t", Fastlane(V1JSONSerializer(), frozenset()))
        broadcaster = Broadcaster(pubsub)
        broadcaster.broadcast("t", "news", {"n": 1})
        assert counting.written == 1
        pushes = list(me.mailbox)
        assert len({id(push) for push in pushes if isinstance(push, SocketPush)}) == 6  # each V1 object writes its own
        me.mailbox.clear()
        broadcaster.broadcast("t", "mine", {})
        assert counting.written == 1
        assert [type(message) for message in me.mailbox].count(Broadcast) == 5
        me.mailbox.clear()
        broadcaster.broadcast_from(me, "t", "news", {})
        assert me.mailbox == []
        assert counting.written == 1


async def test_what_cannot_be_written_is_dropped_with_one_line(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with wires(channel("room:*", Room), count=3) as clients:
        for one in clients:
            one.join("room:1")
            await one.hear()
        broadcaster = clients[0].socket.endpoint
        broadcaster.broadcast("room:1", "news", object())
        broadcaster.broadcast("room:1", "news", "after")
        for one in clients:
            assert await one.hear() == [[None, None, "room:1", "news", "after"]]
    (line,) = complaints(caplog)
    assert "news" in line.message
    assert "room:1" in line.message


async def test_only_broadcasts_go_to_channels() -> None:
    async with open_runtime():
        pubsub = PubSub()
        await pubsub.start_link()
        pubsub.subscribe("t")
        with pytest.raises(TypeError, match="only a Broadcast can be broadcast"):
            pubsub.broadcast("t", "text", dispatch)


async def test_an_endpoint_subscribes_the_process_that_asks(autojump_clock: MockClock) -> None:
    async with open_runtime():
        broadcaster = Broadcaster(PubSub())
        await broadcaster.pubsub.start_link()
        broadcaster.subscribe("t")
        broadcaster.broadcast("t", "news", 1)
        broadcaster.local_broadcast("t", "news", 2)
        broadcaster.unsubscribe("t")
        broadcaster.broadcast("t", "news", 3)
        assert list(self_pid().mailbox) == [Broadcast("t", "news", 1), Broadcast("t", "news", 2)]
