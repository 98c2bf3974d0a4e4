"""Clients on streams that no listener has accepted: in memory, the same protocol from the first byte to the last."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from phxactor import Channel, Endpoint, LongPollOptions, Ok, Socket, WebSocketOptions, channel, get, mount, on
from phxactor.http import PeerData, Request, Response
from phxactor.otp import Error
from phxactor.runtime import open_runtime
from tests.conformance.client import Client, Closed, Rejected
from tests.conformance.zoo import EchoSocket
from tests.longpoll.polling import Client as Poller
from tests.longpoll.polling import reply
from tests.sockets.serving import Server, complaints, eventually, in_time, serving

pytestmark = pytest.mark.socket  # the endpoint listens, too

JOINED = {"status": "ok", "response": {}}
UNMATCHED = {"status": "error", "response": {"reason": "unmatched topic"}}


class Room(Channel):
    """Echoes."""

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)


class UserSocket(Socket):
    """With a room for all, and some that only a WebSocket can join."""

    channels = (channel("fast:*", Room, transports=["websocket"]), channel("room", Room))
    info: Any = None

    async def connect(self, params: Any, connect_info: Any) -> Error | None:  # noqa: ANN401
        UserSocket.info = connect_info
        return Error("nobody") if params.get("user") == "nobody" else None


async def hello(request: Request) -> Response:
    return Response.text("hello")


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    websocket = WebSocketOptions(check_origin=False, connect_info=["peer_data"])
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=attrs.evolve(websocket, **options), longpoll=True),
            mount("/echo", EchoSocket, websocket=websocket),
        ],
        routes=[get("/hello", hello)],
    )


async def attach(server: Server, *, lockstep: bool = False, peer: PeerData | None = None) -> trio.abc.Stream:
    """Make a pair of streams, and have one end served."""
    ours, theirs = lockstep_stream_pair() if lockstep else memory_stream_pair()
    (
        await (server.endpoint.serve_stream(theirs) if peer is None else server.endpoint.serve_stream(theirs, peer))
    ).unwrap()
    return ours


async def connect(server: Server, path: str = "/socket/websocket?vsn=2.0.0", **options: Any) -> Client:  # noqa: ANN401
    return await Client.over(await attach(server, **options), f"ws://app.test{path}")


async def join(client: Client, topic: str) -> object:
    answer: Any = await client.ask(["1", "1", topic, "phx_join", {}])
    return answer[4]


@pytest.mark.parametrize("lockstep", [False, True])
async def test_a_channel_in_memory(lockstep: bool) -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        async with await connect(server, lockstep=lockstep, peer=PeerData("192.0.2.1", 7)) as client:
            assert await join(client, "room") == JOINED
            for number in range(100):
                server.endpoint.broadcast("room", "news", ["x" * number])
            for number in range(100):
                assert await client.json() == [None, None, "room", "news", ["x" * number]]
            large = "x" * 200_000
            assert await client.ask(["1", "2", "room", "echo", large]) == [
                "1", "2", "room", "phx_reply", {"status": "ok", "response": large}
            ]  # fmt: skip
            await client.close()
            assert (await client.until_closed())[1] == Closed(1000)
        await eventually(lambda: server.processes() == before)
    assert UserSocket.info == {"peer_data": {"address": "192.0.2.1", "port": 7}}


async def test_a_raw_socket_in_memory() -> None:
    async with serving(endpoint()) as server, await connect(server, "/echo/websocket") as client:
        for message in ("text", b"\x00binary", "x" * 100_000):
            await client.send(message)
            assert await client.next() == message


async def test_http_in_memory() -> None:
    async with serving(endpoint()) as server:
        stream = await attach(server)
        for _ in range(2):
            await stream.send_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
            assert bytes(await in_time(stream.receive_some())).endswith(b"\r\n\r\nhello")
        await stream.send_all(b"nonsense\r\n\r\n")
        assert b" 400 " in bytes(await in_time(stream.receive_some()))


async def test_who_is_refused_in_memory() -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        with pytest.raises(Rejected, match="403"):
            await connect(server, "/socket/websocket?vsn=2.0.0&user=nobody")
        await eventually(lambda: server.processes() == before)


async def test_one_that_is_cut_off_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        for at_once in (True, False):
            client = await connect(server)
            assert await join(client, "room") == JOINED
            if at_once:
                server.endpoint.broadcast("room", "news", "x" * 100_000)
            await trio.aclose_forcefully(client.stream)
            await eventually(lambda: server.processes() == before)
        assert server.endpoint.pubsub.statistics().topics == 0
    assert complaints(caplog, logging.ERROR) == []


async def test_the_end_of_the_server_in_memory() -> None:
    async with serving(endpoint()) as server:
        client = await connect(server)
        assert await join(client, "room") == JOINED
    assert (await client.until_closed())[1] == Closed(1012)


# --------------------------------------------------------------------------------------- mounts and their options


async def test_a_route_for_one_transport() -> None:
    async with serving(endpoint()) as server:
        async with await connect(server) as client:
            assert await join(client, "fast:1") == JOINED
            assert await join(client, "room") == JOINED
        poller = Poller(server.endpoint)
        await poller.open()
        await poller.publish_lines(["1", "1", "fast:1", "phx_join", {}], ["2", "2", "room", "phx_join", {}])
        messages = await poller.messages()
        if len(messages) < 2:
            messages += await poller.messages()
        assert [None, "1", "fast:1", "phx_reply", UNMATCHED] in messages
        assert reply("2", "2", "room") in messages


async def test_one_class_at_several_paths_with_options_of_their_own() -> None:
    few = WebSocketOptions(path="/ws/v1", check_origin=False, max_channels=1, connect_info=["user_agent"])
    many = WebSocketOptions(path="/ws/v2", check_origin=["//example.com"], max_channels=2)
    polled = LongPollOptions(path="/poll")
    served = Endpoint(
        sockets=[
            mount("/api/few", UserSocket, websocket=few),
            mount("/api", UserSocket, websocket=many, longpoll=polled),
            mount("/polled", UserSocket, websocket=False, longpoll=True),
        ]
    )
    async with serving(served) as server:
        too_many = {"status": "error", "response": {"reason": "too many channels joined"}}
        for path, results in (("/api/few/ws/v1", [JOINED, too_many]), ("/api/ws/v2", [JOINED, JOINED])):
            async with await connect(server, f"{path}?vsn=2.0.0") as client:
                assert [await join(client, topic) for topic in ("room", "fast:1")] == results
                assert (UserSocket.info == {}) is (path == "/api/ws/v2")
        with pytest.raises(Rejected, match="403"):
            await Client.over(await attach(server), "ws://app.test/api/ws/v2", origin="http://example.org")
        for path in ("/api/poll", "/polled/longpoll"):
            await Poller(server.endpoint, path=path).open()
        for path in ("/api/few/websocket", "/api/websocket", "/polled/websocket"):
            with pytest.raises(Rejected, match="404"):
                await connect(server, path)


async def test_without_a_server_clients_come_by_streams_only() -> None:
    without = endpoint()
    async with open_runtime() as runtime:
        (await without.start_link(server=False)).unwrap()
        assert without.address is None
        async with await connect(Server(without, runtime)) as client:
            assert await join(client, "room") == JOINED
