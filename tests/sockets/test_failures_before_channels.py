"""What the log says of raw sockets, handshakes and requests that fail."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Endpoint,
    RawSocket,
    Request,
    Response,
    Socket,
    WebSocketOptions,
    channel,
    post,
)
from phxactor.channels import Payload
from phxactor.http import _http_connection as http
from phxactor.runtime import KILL, SHUTDOWN, Pid, Reason, self_pid
from phxactor.testing import settle
from tests.conformance.client import Closed
from tests.sockets.failing import Boom, Room, UserSocket
from tests.sockets.serving import complaints, eventually, mounted, passing, serving

pytestmark = pytest.mark.socket


class Raw(RawSocket):
    """Fails in every callback."""

    async def connect(self, params: Payload, connect_info: Payload) -> None:
        self.fail = params.get("fail")
        if self.fail == "connect":
            raise Boom("in connect")

    async def init(self) -> None:
        if self.fail == "init":
            raise Boom("in init")

    async def handle_in(self, data: str | bytes) -> str | None:
        match data:
            case "fail":
                raise Boom("in handle_in")
            case "info":
                self.transport_pid.send("a message")
            case "wrong":
                return 5  # type: ignore[return-value]
        return None

    async def handle_info(self, message: object) -> None:
        raise Boom("in handle_info")

    async def terminate(self, reason: Reason) -> None:
        if self.fail == "terminate":
            raise Boom("in terminate")


@pytest.mark.parametrize(
    ("fail", "message", "said"),
    [
        ("init", "", "in init"),
        ("", "fail", "in handle_in"),
        ("", "info", "in handle_info"),
        ("", "wrong", "a handler of Raw must return text, bytes, Stop or None; got 5"),
    ],
)
async def test_a_raw_socket_that_fails_closes_with_1011(
    fail: str, message: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(mounted(Raw)) as server:
        before = server.processes()
        async with await server.connect(f"/socket/websocket?fail={fail}") as client:
            if message:  # one that fails in init is closed before anything could be sent
                await client.send(message)
            assert (await client.until_closed())[1] == Closed(1011)
            await eventually(lambda: server.processes() == before)
        (line,) = [line for line in complaints(caplog) if line.name == "phxactor.process.crashed"]
        assert line.exc_info is not None
        assert said in caplog.text


async def test_a_raw_terminate_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(Raw)) as server:
        async with await server.connect("/socket/websocket?fail=terminate") as client:
            await client.close()
            assert (await client.until_closed())[1] == Closed(1000)
        await eventually(lambda: "in terminate" in caplog.text)


KEY = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="


HEADERS = (b"host: example.com", b"upgrade: websocket", b"connection: Upgrade", KEY, b"sec-websocket-version: 13")


PATH = b"/socket/websocket?vsn=2.0.0"


def handshake(*headers: bytes, start: bytes = b"GET " + PATH + b" HTTP/1.1", without: bytes = b"") -> bytes:
    """Write one, with headers in place of others, or without some."""
    names = {header.split(b":")[0] for header in headers} | {without}
    kept = [header for header in HEADERS if header.split(b":")[0] not in names]
    return b"\r\n".join([start, *kept, *headers, b"connection: close", b"", b""])


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        pytest.param(handshake(without=b"sec-websocket-key"), 400, "Sec-WebSocket-Key", id="no key"),
        pytest.param(handshake(b"sec-websocket-key: c2hvcnQ="), 400, "Sec-WebSocket-Key", id="short key"),
        pytest.param(handshake(b"sec-websocket-key: not base64!"), 400, "Sec-WebSocket-Key", id="wrong key"),
        pytest.param(handshake(KEY, KEY), 400, "Sec-WebSocket-Key", id="two keys"),
        pytest.param(handshake(b"sec-websocket-version: 8"), 426, "version must be 13", id="version 8"),
        pytest.param(handshake(without=b"sec-websocket-version"), 426, "version must be 13", id="no version"),
        pytest.param(handshake(without=b"upgrade"), 400, "no upgrade", id="no upgrade"),
        pytest.param(handshake(b"upgrade: h2c"), 400, "no upgrade", id="another upgrade"),
        pytest.param(handshake(b"connection: keep-alive"), 400, "no upgrade", id="no upgrade in connection"),
        pytest.param(handshake(start=b"POST " + PATH + b" HTTP/1.1"), 400, "GET", id="POST"),
        pytest.param(handshake(start=b"GET " + PATH + b" HTTP/1.0"), 400, "HTTP/1.1", id="HTTP/1.0"),
        pytest.param(handshake(start=b"GET /socket/websocket?vsn=9.9.9 HTTP/1.1"), 403, "'9.9.9'", id="vsn"),
        pytest.param(
            handshake(start=b"GET /socket/websocket?vsn[]=2.0.0 HTTP/1.1"), 403, "['2.0.0']", id="vsn in a list"
        ),
        pytest.param(handshake(start=b"GET /socket/websocket?vsn=%ff HTTP/1.1"), 400, "UTF-8", id="query not UTF-8"),
        pytest.param(handshake(start=b"GET /socket/websocket?vsn=%2 HTTP/1.1"), 403, "'%2'", id="half a percent"),
        pytest.param(handshake(b"origin: http://evil.com"), 403, "origin 'http://evil.com'", id="origin"),
        pytest.param(handshake(b"origin: null"), 403, "origin 'null'", id="origin null"),
        pytest.param(handshake(b"origin: \xff\xfe"), 403, "origin", id="origin of bytes"),
        pytest.param(handshake(b"sec-websocket-protocol: other"), 403, "subprotocols", id="sub-protocol"),
        pytest.param(
            handshake(b"sec-websocket-protocol: base64url.bearer.phx.%%%"), 400, "auth token", id="auth token"
        ),
    ],
)
async def test_a_handshake_that_is_refused_is_one_line(
    data: bytes, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    options = WebSocketOptions(subprotocols=["known"], auth_token=True)
    async with serving(mounted(UserSocket, options)) as server:
        before = server.processes()
        assert (await server.request(data))[0] == status
        (line,) = [line for line in complaints(caplog, logging.INFO) if "127.0.0.1:" in line.message][1:]
        assert line.message.startswith("REFUSED 127.0.0.1:")
        assert said in line.message
        assert line.exc_info is None
        await eventually(lambda: server.processes() == before)


async def upload(request: Request) -> Response:
    return Response.text(str(len(request.body)))


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        pytest.param(handshake(without=b"host"), 400, "Host", id="no host"),
        pytest.param(handshake(b"host: a", b"host: b"), 400, "Host", id="two hosts"),
        pytest.param(b"nonsense\r\n\r\n", 400, "", id="no HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", 431, "", id="a long head"),
        pytest.param(b"GET /%ff HTTP/1.1\r\nhost: a\r\n\r\n", 400, "UTF-8", id="path not UTF-8"),
        pytest.param(b"GET a HTTP/1.1\r\nhost: a\r\n\r\n", 400, "target", id="no path"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400, "", id="a wrong length"),
        pytest.param(
            b"POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n", 413, "body", id="a long body"
        ),
    ],
)
async def test_a_request_that_is_no_good_is_one_line(
    data: bytes, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Endpoint(routes=[post("/up", upload)])) as server:
        assert (await server.request(data))[0] == status
        await eventually(lambda: complaints(caplog))
        (line,) = complaints(caplog)
        assert line.name == "phxactor.http.bad_request"
        assert line.message.startswith("127.0.0.1:")
        assert str(status) in line.message
        assert said.lower() in line.message.lower()
        assert line.exc_info is None


async def test_slow_heads_are_given_up(still_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server:
        before = server.processes()
        streams = [await trio.open_tcp_stream("127.0.0.1", server.port) for _ in range(20)]
        await eventually(lambda: server.processes() == before + 20)
        for stream in streams[:10]:
            await stream.send_all(handshake()[:40])
        await settle()
        async with passing(still_clock, http.HEAD_TIMEOUT):
            await eventually(lambda: server.processes() == before)
        assert len(complaints(caplog)) == 10
        assert all("408" in line.message for line in complaints(caplog))
        for stream in streams:
            await stream.aclose()


class SlowSocket(Socket):
    """Takes its time to connect."""

    channels = (channel("room:*", Room),)
    connecting: Pid | None = None
    decided = trio.Event()

    async def connect(self, params: Payload) -> None:
        SlowSocket.decided = trio.Event()
        SlowSocket.connecting = self_pid()
        await SlowSocket.decided.wait()


@pytest.mark.parametrize(("reason", "code"), [(SHUTDOWN, 1012), (KILL, 1011)])
async def test_who_is_told_to_end_while_connect_returns_closes_its_connection(reason: Reason, code: int) -> None:
    async with serving(mounted(SlowSocket)) as server, trio.open_nursery() as nursery:

        async def end() -> None:
            await eventually(lambda: SlowSocket.connecting is not None)
            assert SlowSocket.connecting is not None
            SlowSocket.decided.set()
            SlowSocket.connecting.exit(reason)
            SlowSocket.connecting = None

        nursery.start_soon(end)
        async with await server.connect() as client:
            events, closed = await client.until_closed()
            assert (events, closed) == ([], Closed(code))
