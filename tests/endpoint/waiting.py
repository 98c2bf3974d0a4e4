"""Handlers that wait, and clients that leave meanwhile."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from trio.testing import memory_stream_pair

from phxactor import Channel, Endpoint, LongPollOptions, RawSocket, Socket, WebSocketOptions, channel, get, mount
from phxactor.http import Request, Response
from phxactor.runtime import Pid, self_pid
from tests.certificates import CLIENT, SERVER
from tests.patience import PATIENCE
from tests.sockets.serving import Server

WEBSOCKET: Final = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


REQUESTS: Final = {
    "route": b"GET /wait HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "connect": f"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}\r\n".encode(),
    "long poll": b"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "raw connect": f"GET /raw/websocket?at=connect HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}\r\n".encode(),
    "raw init": f"GET /raw/websocket?at=init HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}\r\n".encode(),
}


HELLO: Final = b"GET /hello HTTP/1.1\r\nHost: app.test\r\n\r\n"


class Waiting:
    """What a handler waits for, and what became of it."""

    def __init__(self) -> None:
        self.begun: list[Pid] = []
        self.ended: list[str] = []
        self.enough = trio.Event()
        self.wait: Callable[[], Awaitable[object]] = self.enough.wait

    async def __call__(self) -> None:
        self.begun.append(self_pid())
        try:
            await self.wait()
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("returned")


class Room(Channel):
    """Lets everybody in."""


def endpoint(waiting: Waiting, **options: Any) -> Endpoint:  # noqa: ANN401
    class UserSocket(Socket):
        channels = (channel("room", Room),)

        async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
            await waiting()

    class Raw(RawSocket):
        at = ""

        async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
            self.at = params["at"]
            if self.at == "connect":
                await waiting()

        async def init(self) -> None:
            if self.at == "init":
                await waiting()

        async def handle_in(self, data: str | bytes) -> str | bytes:
            return data

    async def wait(request: Request) -> Response:
        await waiting()
        return Response.text("waited")

    async def hello(request: Request) -> Response:
        return Response.text("hello")

    seconds = {"connect_timeout": options.pop("connect_timeout")} if "connect_timeout" in options else {}
    routes = [get("/wait", wait, timeout=options.pop("timeout", None)), get("/hello", hello)]
    longpoll = LongPollOptions(check_origin=False, **seconds)
    websocket = WebSocketOptions(check_origin=False, **seconds)
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=websocket, longpoll=longpoll),
            mount("/raw", Raw, websocket=websocket),
        ],
        routes=routes,
        **options,
    )


@attrs.frozen
class Client:
    """One that can leave in three ways."""

    stream: trio.abc.Stream
    sock: trio.socket.SocketType | None = None

    async def leave(self, how: str) -> None:
        """Close (FIN), break off (RST), or close the sending side only."""
        if how == "closes":
            await self.stream.aclose()
        elif how == "resets" and self.sock is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        elif how == "shuts down" and self.sock is not None:
            self.sock.shutdown(socket.SHUT_WR)
        else:
            await trio.aclose_forcefully(self.stream)


async def connect(server: Server, over: str) -> Client:
    if over == "memory":
        ours, theirs = memory_stream_pair()
        (await server.endpoint.serve_stream(theirs)).unwrap()
        return Client(ours)
    if over == "unix":
        assert server.endpoint.address is not None
        stream = await trio.open_unix_socket(str(server.endpoint.address.path))
        return Client(stream, stream.socket)
    plain = await trio.open_tcp_stream("127.0.0.1", server.port)
    if over != "tls":
        return Client(plain, plain.socket)
    return Client(trio.SSLStream(plain, CLIENT, server_hostname="app.test", https_compatible=True), plain.socket)


async def receive(client: Client, least: int = 1) -> bytes:
    answer = b""
    with trio.fail_after(PATIENCE):
        while len(answer) < least and (some := await client.stream.receive_some()):
            answer += some
    return answer


def listening(over: str, path: Path) -> dict[str, Any]:
    """Say what an endpoint needs for clients to come in this way."""
    options: dict[str, dict[str, Any]] = {"tls": {"tls": SERVER}, "unix": {"path": path / "sock"}}
    return options.get(over, {})


WAYS: Final = ["plain", "no epoll", "unix", "tls", "memory"]
