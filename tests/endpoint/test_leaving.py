"""Clients that leave while a handler of the program waits for something, and handlers that take too long."""

from __future__ import annotations

import logging
import math
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import Channel, Endpoint, LongPollOptions, RawSocket, Socket, WebSocketOptions, channel, get, mount
from phxactor.endpoint import _serving as serving_module
from phxactor.http import Request, Response
from phxactor.runtime import Pid, cleanup, open_runtime, self_pid, trap_exit
from tests.certificates import CLIENT, SERVER
from tests.patience import PATIENCE
from tests.sockets.serving import Server, complaints, eventually, in_time, serving

pytestmark = pytest.mark.socket

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


# ------------------------------------------------------------------------------------------------- ways to connect


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


def listening(over: str, path: Path) -> dict[str, Any]:
    """Say what an endpoint needs for clients to come in this way."""
    options: dict[str, dict[str, Any]] = {"tls": {"tls": SERVER}, "unix": {"path": path / "sock"}}
    return options.get(over, {})


@asynccontextmanager
async def served(over: str, waiting: Waiting, path: Path) -> AsyncIterator[Server]:
    made = endpoint(waiting, **listening(over, path))
    async with open_runtime() as runtime:
        with pytest.MonkeyPatch.context() as patch:
            if over == "no epoll":
                patch.setattr(serving_module, "READER_AVAILABLE", False)
            (await made.start_link(port=None if over == "unix" else 0)).unwrap()
        yield Server(made, runtime)


async def receive(client: Client, least: int = 1) -> bytes:
    answer = b""
    with trio.fail_after(PATIENCE):
        while len(answer) < least and (some := await client.stream.receive_some()):
            answer += some
    return answer


WAYS: Final = ["plain", "no epoll", "unix", "tls", "memory"]


@pytest.mark.parametrize("how", ["closes", "resets", "shuts down"])
@pytest.mark.parametrize("over", WAYS)
@pytest.mark.parametrize("what", REQUESTS)
async def test_a_client_that_leaves_cancels_what_it_waits_for(what: str, over: str, how: str, tmp_path: Path) -> None:
    waiting = Waiting()
    async with served(over, waiting, tmp_path) as server:
        before = server.processes()
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS[what])
        await eventually(lambda: waiting.begun)
        await client.leave(how)
        await eventually(lambda: waiting.ended == ["Cancelled"])
        await eventually(lambda: server.processes() == before)
        await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("over", WAYS)
async def test_what_comes_meanwhile_is_not_lost_and_no_leaving(over: str, tmp_path: Path) -> None:
    waiting = Waiting()
    async with served(over, waiting, tmp_path) as server:
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS["route"] + HELLO)
        await eventually(lambda: waiting.begun)
        await client.stream.send_all(HELLO[:20])
        await trio.sleep(0.02)
        await client.stream.send_all(HELLO[20:] + REQUESTS["connect"])
        await trio.sleep(0.02)
        assert waiting.ended == []
        waiting.enough.set()
        answer = b""
        while b" 101 " not in answer:
            answer += await receive(client)
        assert [answer.count(text) for text in (b"waited", b"hello", b" 200 ")] == [1, 2, 3]
        await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("over", ["plain", "tls", "unix"])
async def test_who_leaves_behind_bytes_that_nobody_has_read_has_left(over: str, tmp_path: Path) -> None:
    waiting = Waiting()
    async with served(over, waiting, tmp_path) as server:
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS["route"])
        await eventually(lambda: waiting.begun)
        await client.stream.send_all(HELLO * 100)
        await client.leave("closes")
        await eventually(lambda: waiting.ended == ["Cancelled"])


@pytest.mark.parametrize("over", ["tls", "memory"])
async def test_what_is_read_ahead_is_bounded(over: str, tmp_path: Path) -> None:
    waiting = Waiting()
    many = 40_000  # 1.9 MB
    async with served(over, waiting, tmp_path) as server:
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS["route"])
        await eventually(lambda: waiting.begun)
        sent = False

        async def send() -> None:
            nonlocal sent
            await client.stream.send_all(HELLO * many)
            sent = True

        async with trio.open_nursery() as nursery:
            if over == "tls":
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
            nursery.start_soon(send)
            await trio.sleep(0.2)
            # Memory takes it all at once, whoever reads or not; then it waits there.
            assert waiting.ended == []
            assert over == "memory" or not sent
            waiting.enough.set()
            seen = 0
            with trio.fail_after(10 * PATIENCE):
                while seen < 1000:
                    seen += (await receive(client)).count(b"hello")
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(client.stream)


async def test_a_half_closed_client_is_answered_by_who_does_not_wait() -> None:
    async with serving(endpoint(Waiting())) as server:
        client = await connect(server, "plain")
        await client.stream.send_all(HELLO + HELLO)
        await client.leave("shuts down")
        assert (await receive(client, 2**20)).count(b"hello") == 2
        await client.stream.aclose()


async def test_handlers_that_wait_one_after_the_other_on_one_connection(tmp_path: Path) -> None:
    for over in WAYS:
        waiting = Waiting()
        waiting.wait = partial(trio.sleep, 0.001)
        async with served(over, waiting, tmp_path) as server:
            client = await connect(server, over)
            for _ in range(5):
                await client.stream.send_all(REQUESTS["route"])
                assert b"waited" in await receive(client)
            await client.leave("closes")
        assert waiting.ended == ["returned"] * 5


async def test_a_channel_behind_a_connect_that_waits(tmp_path: Path) -> None:
    for over in WAYS:
        waiting = Waiting()
        waiting.wait = partial(trio.sleep, 0.001)
        async with served(over, waiting, tmp_path) as server:
            client = await connect(server, over)
            await client.stream.send_all(REQUESTS["raw init"] + b"\x81\x83\0\0\0\0abc")
            answer = b""
            while b"\x81\x03abc" not in answer:
                answer += await receive(client)
            await client.leave("resets")


async def test_many_that_hang_are_let_go_when_they_leave() -> None:
    waiting = Waiting()
    async with serving(endpoint(waiting, connect_timeout=math.inf)) as server:
        before = server.processes()
        clients = [await connect(server, "plain") for _ in range(100)]
        for client in clients:
            await client.stream.send_all(REQUESTS["connect"])
        await eventually(lambda: len(waiting.begun) == 100)
        for number, client in enumerate(clients):
            await client.leave(["closes", "resets"][number % 2])
        await eventually(lambda: server.processes() == before)
        assert waiting.ended == ["Cancelled"] * 100


# ----------------------------------------------------------------------------------------------------- time-outs


ANSWERS: Final = {
    "route": (b"HTTP/1.1 503 Service Unavailable\r\n", b""),
    "connect": (b"HTTP/1.1 503 Service Unavailable\r\n", b""),
    "raw connect": (b"HTTP/1.1 503 Service Unavailable\r\n", b""),
    "long poll": (b"HTTP/1.1 200 \r\n", b'{"status":500}'),  # for anything else, phoenix.js does not try again
    "raw init": (b"HTTP/1.1 101 Switching Protocols\r\n", b"\x88\x02\x03\xf3"),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_a_handler_has_so_much_time(
    what: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Waiting()
    async with serving(endpoint(waiting, connect_timeout=5, timeout=5)) as server:
        before = server.processes()
        began = trio.current_time()
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS[what])
        answer = b""
        begins, ends = ANSWERS[what]
        while not answer or ends not in answer:
            answer += await receive(client)
        assert answer.startswith(begins)
        assert trio.current_time() - began == pytest.approx(5)
        assert waiting.ended == ["Cancelled"]
        await trio.sleep(0.1)
        await client.stream.aclose()
        await trio.sleep(10)
        assert server.processes() == before
    (line,) = complaints(caplog, logging.ERROR)
    assert "within 5 s" in line.getMessage()
    assert line.exc_info is None


async def test_the_defaults(autojump_clock: MockClock) -> None:
    for what, seconds in {"route": 60, "connect": 30, "long poll": 30, "raw init": 30}.items():
        waiting = Waiting()
        async with serving(endpoint(waiting)) as server:
            client = await connect(server, "memory")
            await client.stream.send_all(REQUESTS[what])
            began = trio.current_time()
            while not waiting.ended:  # noqa: ASYNC110 - nobody sets an event
                await trio.sleep(1)
            assert trio.current_time() - began == pytest.approx(seconds, abs=2)
            await trio.aclose_forcefully(client.stream)


async def test_an_endpoint_says_for_all_routes_and_a_route_for_itself(autojump_clock: MockClock) -> None:
    for options, seconds in (({"request_timeout": 7}, 7), ({"request_timeout": 7, "timeout": 9}, 9)):
        waiting = Waiting()
        async with serving(endpoint(waiting, **options)) as server:
            client = await connect(server, "memory")
            began = trio.current_time()
            await client.stream.send_all(REQUESTS["route"])
            assert b" 503 " in await receive(client)
            assert trio.current_time() - began == pytest.approx(seconds)
            await client.stream.aclose()


async def test_any_time_is_infinity(autojump_clock: MockClock) -> None:
    waiting = Waiting()
    async with serving(endpoint(waiting, timeout=math.inf)) as server:
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS["route"])
        await trio.sleep(80_000)
        waiting.enough.set()
        assert b"waited" in await receive(client)
        await client.stream.aclose()


@pytest.mark.parametrize("what", ["route", "connect", "raw init"])
async def test_one_that_shields_itself_is_answered_for_in_time(what: str, autojump_clock: MockClock) -> None:
    waiting = Waiting()

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    waiting.wait = shielded
    async with serving(endpoint(waiting, connect_timeout=5, timeout=5)) as server:
        before = server.processes()
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS[what])
        began = trio.current_time()
        answer = await receive(client)
        while what == "raw init" and ANSWERS[what][1] not in answer:
            answer += await receive(client)
        assert answer.startswith(ANSWERS[what][0])
        assert trio.current_time() - began == pytest.approx(5)
        assert waiting.ended == []
        await trio.sleep(200)
        assert waiting.ended == ["returned"]
        assert server.processes() == before
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.send_all(HELLO)
        assert await receive(client) == b""  # nothing comes behind the answer


async def test_a_handler_may_clean_up_and_cannot_trap_its_end(autojump_clock: MockClock) -> None:
    waiting = Waiting()
    cleaned = []

    async def careful() -> None:
        trap_exit()
        try:
            await trio.sleep_forever()
        finally:
            with cleanup(2):
                await trio.sleep(1)
                cleaned.append(trio.current_time())

    waiting.wait = careful
    async with serving(endpoint(waiting, timeout=5)) as server:
        began = trio.current_time()
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS["route"])
        assert b" 503 " in await receive(client)
        await trio.sleep(2)
        assert cleaned == [pytest.approx(began + 6)]
        await client.stream.aclose()


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_no_time_at_all_is_refused(seconds: float) -> None:
    async def handler(request: Request) -> Response:
        raise NotImplementedError

    for make in (
        lambda: get("/", handler, timeout=seconds),
        lambda: Endpoint(request_timeout=seconds),
        lambda: WebSocketOptions(connect_timeout=seconds),
        lambda: LongPollOptions(connect_timeout=seconds),
    ):
        with pytest.raises(ValueError, match="more than 0 seconds"):
            make()
    with pytest.raises(TypeError, match="a number of seconds"):
        get("/", handler, timeout=True)


async def test_what_a_connect_raises_after_it_has_waited_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        await trio.sleep(0.001)
        raise ValueError("no")

    waiting = Waiting()
    waiting.wait = fail
    async with serving(endpoint(waiting)) as server:
        for what in ("route", "connect", "raw connect"):
            client = await connect(server, "plain")
            await client.stream.send_all(REQUESTS[what])
            assert (await in_time(receive(client))).startswith(b"HTTP/1.1 500 ")
            await client.leave("closes")
    assert len(complaints(caplog, logging.ERROR)) == 3
