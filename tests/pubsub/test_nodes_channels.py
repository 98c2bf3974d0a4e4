"""Channels, raw sockets and endpoints on several nodes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

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
    intercept,
    mount,
    on,
)
from phxactor.channels import Payload
from phxactor.pubsub import PubSub
from phxactor.runtime import NORMAL, Down, monitor
from phxactor.testing import Client, ClientChannel, Nodes, cluster, connect, settle
from phxactor.transport import CloseCode
from tests.conformance.client import Client as WebSocketClient
from tests.pubsub.nodes import do


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
