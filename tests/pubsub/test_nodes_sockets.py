"""Broadcasts to channels on other nodes: encoded once by the sender, wrapped on arrival, and decoded for few."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import (
    Broadcast,
    Channel,
    Endpoint,
    Error,
    GenServer,
    Ok,
    RawSocket,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    from_thread,
    intercept,
    mount,
    on,
)
from phxactor.channels import Payload
from phxactor.envelope import Kind, Message, encode
from phxactor.pubsub import PubSub
from phxactor.runtime import NORMAL, Down, Pid, monitor, self_pid
from phxactor.socket import TEXT, Broadcaster, Fastlane, SocketPush, V1JSONSerializer, V2JSONSerializer
from phxactor.testing import Client, ClientChannel, Nodes, SimulatedNode, cluster, connect, settle
from phxactor.transport import CloseCode
from tests.conformance.client import Client as WebSocketClient
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


# ------------------------------------------------------------------------------------------------------ real clients


class Room(Channel):
    """A room that intercepts one event, and broadcasts what its client says."""

    @on("say")
    async def say(self, payload: Payload) -> Ok[None]:
        self.broadcast("said", payload)
        return Ok()

    @on("say_to_others")
    async def say_to_others(self, payload: Payload) -> Ok[None]:
        self.broadcast_from("said", payload)
        return Ok()

    @intercept("secret")
    async def secret(self, payload: Payload) -> None:
        self.push("secret", {"seen": payload})


class Counter(GenServer):
    """A custom channel that subscribes itself."""

    async def init(self, arguments: Any) -> None:  # noqa: ANN401
        _, from_, self.socket = arguments
        monitor(self.socket.transport_pid)
        self.socket.pubsub_server.subscribe(self.socket.topic)
        await self.socket.pubsub_server.confirmed(self.socket.topic)
        from_.reply(Ok())

    async def handle_info(self, message: object) -> Stop | None:
        if isinstance(message, Broadcast):
            self.socket.push("counted", {"payload": message.payload})
        return Stop(NORMAL) if isinstance(message, Down) else None


class UserSocket(Socket):
    channels = (channel("room:*", Room), channel("counter:*", Counter))

    async def connect(self, params: Any) -> Ok[None]:  # noqa: ANN401
        self.user = params.get("user", "ann")
        return Ok()

    def identify(self) -> str | None:
        return f"users:{self.user}"


ENDPOINT = Endpoint(sockets=[mount("/socket", UserSocket, longpoll=True)])


def served(count: int) -> AbstractAsyncContextManager[Nodes]:
    """Open a cluster whose nodes serve the endpoint."""
    return cluster(count, children=lambda: [ENDPOINT.child_spec(server=False)])


async def enter(topic: str, user: str = "ann", transport: Any = "websocket") -> tuple[Client, ClientChannel]:  # noqa: ANN401
    client = await connect(UserSocket, {"user": user}, endpoint=ENDPOINT, transport=transport)
    return client, await client.join(topic)


@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
async def test_channels_of_two_nodes_chat(transport: str, autojump_clock: MockClock) -> None:
    async with served(2) as (a, b):
        _, ann = await a.run(enter, "room:1", "ann", transport)
        _, bob = await b.run(enter, "room:1", "bob", transport)

        async def chat() -> None:
            await ann.assert_reply(ann.push("say", {"n": 1}))
            await ann.assert_reply(ann.push("say_to_others", {"n": 2}))
            await ann.assert_push("said", {"n": 1})
            await ann.refute_push("said")

        async def listen() -> None:
            await bob.assert_push("said", {"n": 1})
            await bob.assert_push("said", {"n": 2})
            await bob.refute_push("said")

        await a.run(chat)
        await b.run(listen)
        await do(a, ENDPOINT.broadcast, "room:1", "secret", {"n": 3})
        await b.run(bob.assert_push, "secret", {"seen": {"n": 3}})


async def test_a_custom_channel_hears_other_nodes(autojump_clock: MockClock) -> None:
    async with served(2) as (a, b):
        _, counter = await b.run(enter, "counter:1")
        await do(a, ENDPOINT.broadcast, "counter:1", "more", {"by": [1, 2]})
        await b.run(counter.assert_push, "counted", {"payload": {"by": [1, 2]}})


async def test_a_raw_socket_hears_other_nodes(autojump_clock: MockClock) -> None:
    class Listener(RawSocket):
        async def init(self) -> None:
            self.endpoint.subscribe("alarms")

        async def handle_info(self, message: object) -> str | None:
            return orjson.dumps([message.event, message.payload]).decode() if isinstance(message, Broadcast) else None

    endpoint = Endpoint(sockets=[mount("/raw", Listener, websocket=WebSocketOptions(check_origin=False))])

    async def attach() -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        (await endpoint.serve_stream(theirs)).unwrap()
        return ours

    async with cluster(2, children=lambda: [endpoint.child_spec(server=False)]) as (a, b):
        client = await WebSocketClient.over(await b.run(attach), "ws://app.test/raw/websocket")
        await settle()
        await do(a, endpoint.broadcast, "alarms", "fire", {"floor": 2})
        await do(a, endpoint.broadcast, "alarms", "out", None)
        assert [await client.next(), await client.next()] == ['["fire",{"floor":2}]', '["out",null]']
        await client.stream.aclose()


async def test_a_test_subscribed_to_broadcasts_hears_other_nodes(autojump_clock: MockClock) -> None:
    async with served(2) as (a, b):
        client, room = await b.run(enter, "room:1")
        await do(b, client.subscribe, "room:1")
        await settle()
        await do(a, ENDPOINT.broadcast, "room:1", "news", {"n": 1})
        await b.run(room.assert_broadcast, "news", {"n": 1})


@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
async def test_disconnect_by_id_ends_the_connections_of_all_nodes(transport: str, autojump_clock: MockClock) -> None:
    async with served(2) as (a, b):
        ann_here, _ = await a.run(enter, "room:1", "ann", transport)
        ann_there, _ = await b.run(enter, "room:1", "ann", transport)
        bob, _ = await b.run(enter, "room:1", "bob", transport)
        await do(a, ENDPOINT.broadcast, "users:ann", "disconnect", {})
        await a.run(ann_here.assert_closed, CloseCode.GOING_AWAY)
        await b.run(ann_there.assert_closed, CloseCode.GOING_AWAY)
        assert bob.connected


async def test_a_client_is_connected_once_other_nodes_can_disconnect_it(autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [ENDPOINT.child_spec(server=False)], delay=0.125) as (a, b):
        await trio.sleep(10)
        began = trio.current_time()
        client = await b.run(partial(connect, UserSocket, {"user": "ann"}, endpoint=ENDPOINT))
        assert trio.current_time() - began == pytest.approx(0.25)
        again = await b.run(partial(connect, UserSocket, {"user": "ann"}, endpoint=ENDPOINT))
        assert trio.current_time() - began == pytest.approx(0.25)
        await do(a, ENDPOINT.broadcast, "users:ann", "disconnect", {})
        for one in (client, again):
            await b.run(partial(one.assert_closed, CloseCode.GOING_AWAY, within=1))


async def test_a_disconnect_while_other_nodes_are_told_of_the_id_is_not_lost(autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [ENDPOINT.child_spec(server=False)], delay=0.125) as (_, b):
        await trio.sleep(10)
        clients: list[Client] = []

        async def enter() -> None:
            clients.append(await connect(UserSocket, {"user": "ann"}, endpoint=ENDPOINT))

        b.spawn(enter)
        await trio.sleep(0.1)
        assert not clients
        await do(b, ENDPOINT.broadcast, "users:ann", "disconnect", {})
        await trio.sleep(1)
        assert [one.connected for one in clients] == [False]


async def test_endpoints_that_share_a_pubsub_hear_one_another_on_all_nodes(autojump_clock: MockClock) -> None:
    news = PubSub("shared")
    one = Endpoint(name="one", pubsub=news, sockets=[mount("/socket", UserSocket)])
    two = Endpoint(name="two", pubsub=news, sockets=[mount("/socket", UserSocket)])
    async with cluster(2, children=lambda: [news, one.child_spec(server=False), two.child_spec(server=False)]) as (
        a,
        b,
    ):
        rooms = []
        for endpoint in (one, two):
            client = await b.run(partial(connect, UserSocket, endpoint=endpoint))
            rooms.append(await b.run(client.join, "room:1"))
        await do(a, one.broadcast, "room:1", "news", {})
        for room in rooms:
            await b.run(room.assert_push, "news", {})
            await b.run(room.refute_push, "news")


# ------------------------------------------------------------------------------------- a first join on a topic waits


async def test_CL15_a_first_join_waits_until_other_nodes_bring_the_topic(autojump_clock: MockClock) -> None:
    joined: list[float] = []

    class Late(Channel):
        async def join(self, topic: str, payload: Payload) -> None:
            joined.append(trio.current_time())

    class LateSocket(Socket):
        channels = (channel("room:*", Late),)

    endpoint = Endpoint(sockets=[mount("/socket", LateSocket)])
    async with cluster(2, children=lambda: [endpoint.child_spec(server=False)], delay=0.125) as (a, b):
        await trio.sleep(10)

        async def enter(topic: str) -> ClientChannel:
            return await (await connect(LateSocket, endpoint=endpoint)).join(topic)

        began = trio.current_time()
        room = await b.run(enter, "room:1")
        assert joined == [pytest.approx(began + 0.25)]  # its `join` sees what came before, the broadcasts all after
        await do(a, endpoint.broadcast, "room:1", "news", {})
        await b.run(partial(room.assert_push, "news", {}, within=1))
        began = trio.current_time()
        await b.run(enter, "room:1")  # watched already
        assert joined[1:] == [pytest.approx(began)]
        b.local.away(b.carriers[0], "gone")
        await b.run(enter, "room:2")  # nobody can confirm
        assert joined[2:] == [pytest.approx(began)]


async def test_a_refused_join_leaves_no_interest(autojump_clock: MockClock) -> None:
    class Full(Channel):
        async def join(self, topic: str, payload: Payload) -> Error:
            return Error({"reason": "full"})

    class DoorSocket(Socket):
        channels = (channel("full", Full),)

    endpoint = Endpoint(sockets=[mount("/socket", DoorSocket)])
    async with cluster(1, children=lambda: [endpoint.child_spec(server=False)]) as (a,):
        client = await a.run(partial(connect, DoorSocket, endpoint=endpoint))
        await do(a, client.begin_join, "full")
        await settle()
        assert a.local.lanes() == ["endpoint.pubsub:full"]  # for a grace
        await trio.sleep(6)
        assert a.local.lanes() == []


async def test_a_subscriber_that_joins_while_a_broadcast_is_on_its_way(autojump_clock: MockClock) -> None:
    async with served(2) as (a, b):
        _, first = await b.run(enter, "room:1", "ann")
        await do(a, ENDPOINT.broadcast, "room:1", "news", {"n": 1})
        _, second = await b.run(enter, "room:1", "bob")
        await do(a, ENDPOINT.broadcast, "room:1", "news", {"n": 2})
        for n in (1, 2):
            await b.run(first.assert_push, "news", {"n": n})
        await b.run(second.assert_push, "news", {"n": 2})
        await b.run(second.refute_push, "news")


async def test_CL5_what_one_node_broadcasts_arrives_in_order(autojump_clock: MockClock) -> None:
    async with served(2) as (a, b):
        _, room = await b.run(enter, "room:1")

        def many() -> None:
            for n in range(100):
                ENDPOINT.broadcast("room:1", "news", {"n": n})

        await do(a, many)

        async def received() -> list[object]:
            return [message.payload for message in await room.receive_all() if getattr(message, "event", "") == "news"]

        assert await b.run(received) == [{"n": n} for n in range(100)]
