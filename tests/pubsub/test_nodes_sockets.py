"""Broadcasts to channels on other nodes: encoded once by the sender, wrapped on arrival, and decoded for few."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Broadcast,
    from_thread,
)
from phxactor.envelope import Kind, Message, encode
from phxactor.pubsub import PubSub
from phxactor.runtime import Pid, self_pid
from phxactor.socket import TEXT, Broadcaster, Fastlane, SocketPush, V1JSONSerializer, V2JSONSerializer
from phxactor.testing import Nodes, SimulatedNode, cluster, settle
from tests.pubsub.nodes import do, subscribe, taken
from tests.sockets.serving import complaints

V1, V2 = V1JSONSerializer(), V2JSONSerializer()


PUBSUB = PubSub()


BROADCASTER = Broadcaster(PUBSUB)


def pubsubs(count: int) -> AbstractAsyncContextManager[Nodes]:
    """Open a cluster whose nodes run a PubSub."""
    return cluster(count, children=lambda: [PUBSUB])


class Counting:
    """A serializer of the program: it sees whole payloads."""

    def __init__(self) -> None:
        self.seen: list[Broadcast] = []
        self.decode = V2.decode
        self.encode = V2.encode

    def fastlane(self, broadcast: Broadcast) -> SocketPush:
        self.seen.append(broadcast)
        return V2.fastlane(broadcast)


@attrs.frozen
class Mailboxes:
    """Processes on one node with every kind of subscription to a topic."""

    v1: Pid
    v2: Pid
    own: Pid
    intercepts: Pid
    plain: Pid
    counting: Counting

    def taken(self) -> list[list[object]]:
        """Take all their messages: frames as their text."""
        pids = (self.v1, self.v2, self.own, self.intercepts, self.plain)
        found = [[_shown(message) for message in pid.mailbox] for pid in pids]
        for pid in pids:
            pid.mailbox.clear()
        return found


def _shown(message: object) -> object:
    if not isinstance(message, SocketPush):
        return message
    assert message.broadcast
    return message.data.decode() if message.opcode == TEXT else message.data


def subscribed(node: SimulatedNode) -> Mailboxes:
    counting = Counting()
    pids = [node.spawn(trio.sleep_forever) for _ in range(5)]
    none: frozenset[str] = frozenset()
    metadata = [
        Fastlane(V1, none),
        Fastlane(V2, none),
        Fastlane(counting, none),
        Fastlane(V2, frozenset({"news"})),
        None,
    ]
    for pid, one in zip(pids, metadata, strict=True):
        PUBSUB.subscribe("t", one, pid=pid)
    v1, v2, own, intercepts, plain = pids
    return Mailboxes(v1, v2, own, intercepts, plain, counting)


WAYS: dict[str, tuple[bool, bool]] = {
    "broadcast": (True, True),
    "broadcast_from": (True, True),
    "local_broadcast": (True, False),
    "local_broadcast_from": (True, False),
    "direct_broadcast": (False, True),
    "from_thread": (True, True),
}
"""The ways to broadcast: whether subscribers here get it, and those on the other node."""


async def say(way: str, to: SimulatedNode, payload: object) -> None:
    if way.endswith("broadcast_from"):
        getattr(BROADCASTER, way)(self_pid(), "t", "news", payload)
    elif way == "direct_broadcast":
        assert BROADCASTER.direct_broadcast(to.identity, "t", "news", payload)
    elif way == "from_thread":
        await trio.to_thread.run_sync(from_thread.broadcast, BROADCASTER, "t", "news", payload)
    else:
        getattr(BROADCASTER, way)("t", "news", payload)


@pytest.mark.parametrize("way", WAYS)
async def test_CL1_every_way_reaches_every_kind_of_subscriber(way: str, autojump_clock: MockClock) -> None:
    payload = {"b": [1, 2.5, None, True, "ä\u2028"], "a": {}}
    text = orjson.dumps(payload).decode()
    frames = [
        '{"topic":"t","event":"news","payload":' + text + ',"ref":null}',
        '[null,null,"t","news",' + text + "]",
        '[null,null,"t","news",' + text + "]",
        Broadcast("t", "news", payload),
        Broadcast("t", "news", payload),
    ]
    nothing: list[list[object]] = [[] for _ in frames]
    async with pubsubs(2) as (a, b):
        here, there = await do(a, subscribed, a), await do(b, subscribed, b)
        await settle()
        await a.run(say, way, b, payload)
        await settle()
        local, remote = WAYS[way]
        assert here.taken() == ([[frame] for frame in frames] if local else nothing)
        assert there.taken() == ([[frame] for frame in frames] if remote else nothing)
        assert len(there.counting.seen) == remote


@pytest.mark.parametrize("way", WAYS)
async def test_CL1_binary_payloads_cross_as_they_are(way: str, autojump_clock: MockClock) -> None:
    payload = bytes(range(256))
    frame = V2.fastlane(Broadcast("t", "news", payload)).data
    expected = [
        [],
        [frame],
        [frame],
        [Broadcast("t", "news", payload)],
        [Broadcast("t", "news", payload)],
    ]  # V1 has none
    async with pubsubs(2) as (a, b):
        here, there = await do(a, subscribed, a), await do(b, subscribed, b)
        await settle()
        await a.run(say, way, b, payload)
        await settle()
        local, remote = WAYS[way]
        assert here.taken() == (expected if local else [[]] * 5)
        assert there.taken() == (expected if remote else [[]] * 5)


async def test_CL8_a_payload_becomes_json_once_and_is_decoded_for_who_needs_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phxactor.socket import _encoded as module  # noqa: PLC0415

    calls: list[str] = []

    def counted(name: str) -> Any:  # noqa: ANN401
        function = getattr(orjson, name)

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            calls.append(name)
            return function(*args, **kwargs)

        return call

    for name in ("dumps", "loads"):
        monkeypatch.setattr(module, name, counted(name))
    lane = Fastlane(V2, frozenset({"mine"}))
    async with pubsubs(3) as (a, b, c):
        for one in (a, b, c):
            for _ in range(2):
                await do(one, partial(PUBSUB.subscribe, "t", lane, pid=one.runtime.main))
        await settle()
        await do(a, BROADCASTER.broadcast, "t", "news", {"n": 1})
        assert calls == ["dumps"]
        assert all(len({id(push) for push in pushes}) == 1 for pushes in taken(a, b, c))  # written once a node
        calls.clear()
        await do(a, BROADCASTER.broadcast, "t", "mine", {"n": 2})
        assert calls == ["dumps", "loads", "loads"]  # once for each of the others, not for each subscriber


async def test_what_cannot_be_written_hurts_nobody_and_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with pubsubs(2) as (a, b):
        here, there = await do(a, subscribed, a), await do(b, subscribed, b)
        await settle()
        for payload in (object(), {"a": {1, 2}}, "\ud800", 2**64):
            caplog.clear()
            await do(a, BROADCASTER.broadcast, "t", "news", payload)
            assert here.taken() == [[], [], [], *[[Broadcast("t", "news", payload)]] * 2]
            assert any("other nodes do not get it" in line.message for line in complaints(caplog))
            assert there.taken() == [[]] * 5
        caplog.clear()
        await do(a, BROADCASTER.broadcast, "\ud800", "news", 1)
        await do(a, BROADCASTER.broadcast, "t", "\ud800", 1)
        assert len([line for line in complaints(caplog) if "other nodes do not get it" in line.message]) == 2
        here.taken()
        assert there.taken() == [[]] * 5
        await do(a, BROADCASTER.broadcast, "t", "news", {1: 2})  # numbers as keys become text, as in Phoenix
        assert there.taken()[4] == [Broadcast("t", "news", {"1": 2})]
        with pytest.raises(TypeError, match="only a Broadcast"):
            await do(a, PUBSUB.broadcast, "nobody", "text", _dispatch())


def _dispatch() -> Any:  # noqa: ANN401
    from phxactor.socket._fastlane import dispatch  # noqa: PLC0415

    return dispatch


async def test_a_broadcast_that_is_too_large_raises_after_the_clients_here_have_it(autojump_clock: MockClock) -> None:
    async with pubsubs(2) as (a, b):
        here, there = await do(a, subscribed, a), await do(b, subscribed, b)
        await settle()
        for payload in ("x" * 1024 * 1024, b"x" * 1024 * 1024):
            with pytest.raises(ValueError, match="is too large for other nodes"):
                await do(a, BROADCASTER.broadcast, "t", "news", payload)
            assert here.taken()[4] == [Broadcast("t", "news", payload)]
            assert there.taken() == [[]] * 5


async def test_CL46_what_an_emitter_sends_is_checked(autojump_clock: MockClock) -> None:
    async with pubsubs(1) as (b,):
        there = await do(b, subscribed, b)
        await settle()
        for payload in (b"", b"{", b"1],[", b'{"a":1} ', b"\xff"):
            message = Message(Kind.BROADCAST, "pubsub", "t", "news", payload)
            b.local.received(b.carriers[0], bytes(16), encode(message))  # of a sender that is no node
        texts = there.taken()
        assert texts[1] == ['[null,null,"t","news",{"a":1} ]']
        assert texts[4] == [Broadcast("t", "news", {"a": 1})]
        assert b.local.statistics().carriers["simulated"].refused == {"json": 4}


async def test_a_serializer_that_raises_ends_no_carrier(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Counting):
        def fastlane(self, broadcast: Broadcast) -> SocketPush:
            raise RuntimeError("broken")

    async with pubsubs(2) as (a, b):
        await do(b, partial(PUBSUB.subscribe, "t", Fastlane(Broken(), frozenset()), pid=b.runtime.main))
        await subscribe(PUBSUB, "u", b)
        await do(a, BROADCASTER.broadcast, "t", "news", 1)
        await do(a, BROADCASTER.broadcast, "u", "news", 2)
        assert taken(b) == [[Broadcast("u", "news", 2)]]
        assert any(line.exc_info and "broken" in str(line.exc_info[1]) for line in caplog.records)
