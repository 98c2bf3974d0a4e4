"""An endpoint: what it serves on one port, whom it tells, and what comes back of its tree when a part of it dies."""

from __future__ import annotations

import logging
import socket
from typing import ClassVar

import pytest
import trio
from websockets.exceptions import InvalidMessage

from phxactor import (
    Broadcast,
    Channel,
    Endpoint,
    Ok,
    RawSocket,
    Request,
    Response,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    get,
    mount,
    on,
    receive,
    self_pid,
)
from phxactor.channels import Payload
from phxactor.http import Route
from phxactor.otp import Error
from phxactor.runtime import KILL, Pid, Reason, open_runtime, trap_exit
from tests.conformance.client import Client, Closed
from tests.patience import PATIENCE
from tests.sockets.serving import Server, complaints, eventually, in_time, mounted, serving

pytestmark = pytest.mark.socket

JOIN = ["1", "1", "room:1", "phx_join", {}]
JOINED = ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {}}]


class Room(Channel):
    """Says something to all but the client who wants that."""

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("tell_others")
    async def tell_others(self, payload: Payload) -> None:
        self.socket.endpoint.broadcast_from(self_pid(), self.topic, "told", payload)


class UserSocket(Socket):
    """The id is what the client says."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Payload) -> None:
        self.assign(user=params.get("user"))

    def identify(self) -> str | None:
        user = self.assigns.user
        return None if user is None else f"user:{user}"


# --------------------------------------------------------------------------------------------------- broadcasts


async def test_who_is_told() -> None:
    async with (
        serving(mounted(UserSocket)) as server,
        await server.connect() as one,
        await server.connect() as other,
    ):
        for client in (one, other):
            assert await client.ask(JOIN) == JOINED
        server.endpoint.subscribe("room:1")
        server.endpoint.broadcast("room:1", "news", {"n": 1})
        server.endpoint.local_broadcast("room:1", "news", {"n": 2})
        server.endpoint.broadcast_from(self_pid(), "room:1", "news", {"n": 3})
        server.endpoint.broadcast("room:2", "news", {"n": 4})
        for client in (one, other):
            for number in (1, 2, 3):
                assert await client.json() == [None, None, "room:1", "news", {"n": number}]
        assert [await in_time(receive()) for _ in range(2)] == [
            Broadcast("room:1", "news", {"n": number}) for number in (1, 2)
        ]
        await one.send(["1", "2", "room:1", "tell_others", "x"])
        assert await other.json() == [None, None, "room:1", "told", "x"]
        assert await in_time(receive()) == Broadcast("room:1", "told", "x")
        assert await one.quiet(0.02) == []
        server.endpoint.unsubscribe("room:1")
        server.endpoint.broadcast("room:1", "news", {})
        assert not self_pid().mailbox


async def test_a_disconnect_is_for_all_connections_of_an_id() -> None:
    async with serving(mounted(UserSocket)) as server:
        clients = [await server.connect(f"/socket/websocket?vsn=2.0.0&user={user}") for user in ("a", "a", "b")]
        await eventually(lambda: server.endpoint.pubsub.statistics().subscribers == 3)
        server.endpoint.broadcast("user:a", "news", {})
        server.endpoint.broadcast("user:a", "disconnect", {})
        for client in clients[:2]:
            assert (await client.until_closed()) == ([], Closed(1001))
        assert await clients[2].ask(JOIN) == JOINED
        for client in clients:
            await client.__aexit__(None, None, None)


async def test_a_disconnect_while_the_handshake_is_under_way_is_not_missed() -> None:
    class Hurried(UserSocket):
        def identify(self) -> str | None:
            # The last moment at which nobody knows the id.
            self.transport_pid.runtime.run_soon(lambda: self.endpoint.broadcast("user:a", "disconnect", {}))
            return super().identify()

    path = "/socket/websocket?vsn=2.0.0&user=a"
    async with serving(mounted(Hurried)) as server, await server.connect(path) as client:
        assert (await client.until_closed())[1] == Closed(1001)


# --------------------------------------------------------------------------------------------------- plain HTTP


async def hello(request: Request) -> Response:
    return Response.text(f"hello {request.params.get('name')}")


async def fails(request: Request) -> Response:
    raise RuntimeError("on purpose")


async def test_plain_requests_beside_sockets(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint(
        sockets=[mount("/socket", UserSocket)], routes=[get("/hello", hello), Route("PUT", "/fails", fails)]
    )
    async with serving(endpoint) as server:
        status, answer = await server.request(b"GET /hello?name=you HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert status == 200
        assert answer.endswith(b"\r\n\r\nhello you")
        assert (await server.request(b"GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))[0] == 404
        assert complaints(caplog) == []
        status, answer = await server.request(b"PUT /fails HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert status == 500
        assert b"on purpose" not in answer
        (line,) = complaints(caplog)
        assert line.message == "PUT /fails failed"
        assert line.exc_info is not None


async def test_a_connection_may_ask_and_then_become_a_websocket() -> None:
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], routes=[get("/hello", hello)])
    async with serving(endpoint) as server, await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        await stream.send_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"200" in await in_time(stream.receive_some())
        await stream.send_all(
            b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        )
        assert b" 101 " in await in_time(stream.receive_some())


# ------------------------------------------------------------------------------------------------------ options


class Raw(RawSocket):
    """Answers nothing."""


@pytest.mark.parametrize(
    ("path", "handler", "websocket", "said"),
    [
        ("socket", UserSocket, True, "like '/socket'"),
        ("/socket/", UserSocket, True, "like '/socket'"),
        ("/", UserSocket, True, "like '/socket'"),
        (UserSocket, "/socket", True, r"mount takes a path and a socket class, such as mount\('/socket', UserSocket\)"),
        ("/socket/:room", UserSocket, True, "has no names"),
        ("/{room}/socket", UserSocket, True, "has no names"),
        ("/socket", Room, True, "subclass of Socket or RawSocket"),
        ("/socket", "UserSocket", True, "subclass of Socket or RawSocket"),
        ("/socket", UserSocket, "yes", "True, False or WebSocketOptions"),
        ("/socket", UserSocket, {"timeout": 5}, "True, False or WebSocketOptions"),
    ],
)
def test_what_cannot_be_mounted(path: str, handler: object, websocket: object, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        mount(path, handler, websocket=websocket)  # type: ignore[arg-type]


def test_two_sockets_at_one_path() -> None:
    with pytest.raises(ValueError, match="two sockets are mounted at /socket/websocket"):
        Endpoint(sockets=[mount("/socket", UserSocket), mount("/socket", Raw)])
    with pytest.raises(ValueError, match="two sockets are mounted at /a/b/websocket"):
        Endpoint(
            sockets=[
                mount("/a/b", UserSocket),
                mount("/a", Raw, websocket=WebSocketOptions(path="/b/websocket")),
            ]
        )


async def test_one_class_at_several_paths() -> None:
    several = [mount(path, UserSocket) for path in ("/one", "/two/three")]
    async with serving(Endpoint(sockets=several)) as server:
        for path in ("/one/websocket", "/two/three/websocket"):
            async with await server.connect(f"{path}?vsn=2.0.0") as client:
                assert await client.ask(JOIN) == JOINED


async def test_an_address_that_is_taken_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with open_runtime():
            trap_exit()
            started = await mounted(UserSocket).start_link(port=port)
            assert isinstance(started, Error)
            assert f"127.0.0.1:{port}" in repr(started.reason)
            assert "in use" in repr(started.reason)


async def test_two_endpoints_in_one_program() -> None:
    one = Endpoint(sockets=[mount("/socket", UserSocket)], name="one")
    other = Endpoint(sockets=[mount("/socket", UserSocket)], name="other")
    async with serving(one) as server:
        (await other.start_link(port=0)).unwrap()
        second = Server(other, server.runtime)
        async with await server.connect() as first_client, await second.connect() as second_client:
            for client in (first_client, second_client):
                assert await client.ask(JOIN) == JOINED
            one.broadcast("room:1", "news", {})  # each has a PubSub of its own
            assert await first_client.json() == [None, None, "room:1", "news", {}]
            assert await second_client.quiet(0.02) == []


# --------------------------------------------------------------------------------------------------------- tree


def process(server: Server, call: str) -> Pid:
    return next(pid for pid in server.runtime.processes.values() if pid.initial_call == call)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("part", ["PubSubServer.init", "Flusher", "Reader", "Listener"])
async def test_a_part_that_dies_comes_back_and_serves(part: str, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], port=free_port())
    async with open_runtime() as runtime:
        (await endpoint.start_link()).unwrap()
        server = Server(endpoint, runtime)
        processes = server.processes()
        async with await server.connect() as client:
            assert await client.ask(JOIN) == JOINED
            process(server, part).exit(KILL)
            if part == "Listener":  # connections do not depend on it
                assert await client.ask(["1", "2", "room:1", "echo", 1]) == [
                    "1", "2", "room:1", "phx_reply", {"status": "ok", "response": 1}
                ]  # fmt: skip
            else:
                assert (await client.until_closed())[1].code in (1006, 1011, 1012)
        await eventually(lambda: server.processes() == processes)
        async with await again(server) as client:
            assert await client.ask(JOIN) == JOINED
            server.endpoint.broadcast("room:1", "news", {})
            assert await client.json() == [None, None, "room:1", "news", {}]


async def test_any_port_stays_the_same_when_the_listener_starts_again() -> None:
    """Clients come back to it."""
    async with serving(mounted(UserSocket)) as server:
        port = server.port
        for _ in range(2):
            process(server, "Listener").exit(KILL)
            async with await again(server) as client:
                assert await client.ask(JOIN) == JOINED
            assert server.port == port


async def test_any_port_is_another_when_somebody_has_taken_it() -> None:
    endpoint = mounted(UserSocket)
    async with serving(endpoint) as server:
        port = server.port
    with socket.create_server(("127.0.0.1", port)):
        async with serving(endpoint) as server, await server.connect() as client:
            assert server.port != port
            assert await client.ask(JOIN) == JOINED


async def again(server: Server) -> Client:
    """Connect, as soon as somebody listens."""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                return await server.connect()
            except (OSError, InvalidMessage):  # it came while the part before the listener was starting again
                await trio.sleep(0.01)


async def test_a_supervisor_of_channels_that_dies_takes_its_channels_only(caplog: pytest.LogCaptureFixture) -> None:
    class Alone(UserSocket, partitions=1):
        """With one supervisor for all channels."""

    async with serving(mounted(Alone)) as server, await server.connect() as client:
        assert await client.ask(JOIN) == JOINED
        (room,) = (pid for pid in server.runtime.processes.values() if pid.initial_call == "Room")
        supervisor = room.parent
        assert supervisor is not None
        supervisor.exit(KILL)
        assert await client.json() == ["1", "1", "room:1", "phx_error", {"reason": "channel_crash"}]
        assert await client.ask(JOIN) == JOINED


# -------------------------------------------------------------------------------------------------- raw sockets


class Talker(RawSocket):
    """Uses all that a raw socket has."""

    ended: ClassVar[list[Reason]] = []

    async def connect(self, params: Payload, connect_info: Payload) -> Ok[None] | Error | None:
        self.name = params.get("name", "")
        return Error("nobody") if self.name == "nobody" else None

    async def init(self) -> None:
        self.push(f"welcome {self.name}")
        self.push(b"\0\1")
        self.endpoint.subscribe("news")

    async def handle_in(self, data: str | bytes) -> str | bytes | Stop | None:
        match data:
            case "stop":
                return Stop()
            case "stop badly":
                return Stop("badly")
            case "push":
                self.push("pushed")
                return "returned"
            case bytes():
                return data[::-1]
        return None

    async def handle_info(self, message: object) -> str | None:
        return f"heard {message.payload}" if isinstance(message, Broadcast) else None

    async def terminate(self, reason: Reason) -> None:
        Talker.ended.append(reason)


async def test_a_raw_socket_speaks_a_protocol_of_its_own() -> None:
    async with serving(mounted(Talker)) as server:
        async with await server.connect("/socket/websocket?name=you") as client:
            assert [await client.next(), await client.next()] == ["welcome you", b"\0\1"]
            await client.send(b"abc")
            assert await client.next() == b"cba"
            await client.send("push")
            assert [await client.next(), await client.next()] == ["returned", "pushed"]
            server.endpoint.broadcast("news", "any", 5)
            assert await client.next() == "heard 5"
            await client.send("nothing")
            assert await client.quiet(0.02) == []
            await client.send("stop")
            assert (await client.until_closed())[1] == Closed(1000)
        async with await server.connect() as client:
            await client.send("stop badly")
            assert (await client.until_closed())[1] == Closed(1011)
        async with await server.connect() as client:
            await client.close(4001)
            assert (await client.until_closed())[1] == Closed(4001)
        assert Talker.ended == ["normal", "badly", "normal"]
        await eventually(lambda: server.endpoint.pubsub.statistics().topics == 0)


async def test_a_raw_socket_may_refuse() -> None:
    async with serving(mounted(Talker)) as server:
        status, _ = await server.request(
            b"GET /socket/websocket?name=nobody HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        )
        assert status == 403


async def test_the_log_of_a_socket_can_be_louder_or_off(caplog: pytest.LogCaptureFixture) -> None:
    class Loud(UserSocket, log="warning"):
        """Logged at warning."""

    class Quiet(UserSocket, log=False):
        """Not logged."""

    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint(sockets=[mount("/loud", Loud), mount("/quiet", Quiet)])
    async with serving(endpoint) as server:
        for path in ("/loud", "/quiet"):
            async with await server.connect(f"{path}/websocket?vsn=2.0.0") as client:
                assert await client.ask(JOIN) == JOINED
                await client.close()
                await client.until_closed()
        await eventually(lambda: sum("DISCONNECTED" in line.message for line in complaints(caplog)) == 1)
    lines = [line.message for line in complaints(caplog)]
    assert len(lines) == 3
    assert lines[1].startswith("JOINED 'room:1' on Loud")
    assert [line.message for line in caplog.records if "Quiet" in line.message and line.levelno > logging.DEBUG] == []
