"""What the log says of failures: of programs with traceback, topic and event; of clients one line, and no traceback."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Channel,
    Endpoint,
    Error,
    Ok,
    RawSocket,
    Request,
    Response,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    intercept,
    on,
    post,
)
from phxactor.channels import Payload
from phxactor.http import _http_connection as http
from phxactor.runtime import KILL, SHUTDOWN, Pid, Reason, self_pid
from phxactor.testing import settle
from tests.conformance.client import Closed, Rejected
from tests.sockets.serving import complaints, eventually, mounted, passing, serving

pytestmark = pytest.mark.socket

CRASHED = "phxactor.channel.crashed"


class Boom(Exception):
    """What programs raise here."""


class Room(Channel):
    """Fails in every callback."""

    async def join(self, topic: str, payload: Payload) -> None:
        if topic == "room:join":
            raise Boom("in join")

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("fail")
    async def fail(self, payload: Payload) -> None:
        raise Boom("in a handler")

    @on("nested")
    async def nested(self, payload: Payload) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.fail, payload)

    @on("stop")
    async def ends(self, payload: Payload) -> Stop:
        return Stop("odd reason")

    @on("unwritable")
    async def unwritable(self, payload: Payload) -> Ok[object]:
        return Ok(object())

    @on("send_self")
    async def send_self(self, payload: Payload) -> None:
        if self.socket.channel_pid is not None:
            self.socket.channel_pid.send("fail")

    @on("broadcast")
    async def to_all(self, payload: Payload) -> None:
        self.broadcast("intercepted", payload)

    @intercept("intercepted")
    async def intercepted(self, payload: Payload) -> None:
        raise Boom("in handle_out")

    async def handle_info(self, message: object) -> None:
        raise Boom("in handle_info")

    async def terminate(self, reason: Reason) -> None:
        if self.topic == "room:terminate":
            raise Boom("in terminate")


class UserSocket(Socket):
    """Fails to connect, if asked to."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Payload) -> Error | None:
        match params.get("fail"):
            case "connect":
                raise Boom("in connect")
            case "refuse":
                return Error({"reason": "no"})
        self.assign(fail=params.get("fail"))
        return None

    def identify(self) -> None:
        if self.assigns.fail == "identify":
            raise Boom("in identify")


@pytest.mark.parametrize(
    ("topic", "event", "where", "said"),
    [
        ("room:1", "fail", "'fail'", "in a handler"),
        ("room:1", "nested", "'nested'", "in a handler"),
        ("room:1", "broadcast", "'intercepted'", "in handle_out"),
        ("room:1", "send_self", None, "in handle_info"),
        ("room:1", "unwritable", "'unwritable'", "cannot write event 'phx_reply' on topic 'room:1'"),
        ("room:terminate", "fail", "'fail'", "in terminate"),
        ("room:terminate", "phx_leave", "'phx_leave'", "in terminate"),
    ],
)
async def test_a_channel_that_fails_is_told_with_topic_event_and_traceback(
    topic: str, event: str, where: str | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serving(mounted(UserSocket)) as server,
        await server.connect() as client,
        await server.connect() as other,
    ):
        await client.ask(["1", "1", topic, "phx_join", {}])
        await client.ask(["2", "2", "room:2", "phx_join", {}])
        await other.ask(["1", "1", "room:3", "phx_join", {}])
        await client.send(["1", "3", topic, event, {}])
        heard = await client.json()
        if event == "phx_leave":
            assert heard == ["1", "3", topic, "phx_reply", {"status": "ok", "response": {}}]
            heard = await client.json()
            assert heard == ["1", "1", topic, "phx_close", {}]
        else:
            assert heard == ["1", "1", topic, "phx_error", {"reason": "channel_crash"}]
        (line,) = [line for line in complaints(caplog) if line.name == CRASHED]
        assert line.levelno == logging.ERROR
        assert f"Room of '{topic}' crashed" in line.message
        assert (f"in {where}" in line.message) if where else ("' crashed" in line.message)
        assert line.exc_info is not None
        assert said in caplog.text
        # All others are untouched, on this connection and elsewhere.
        for one, ref, its in ((client, "2", "room:2"), (other, "1", "room:3")):
            assert await one.ask([ref, "9", its, "echo", 1]) == [
                ref, "9", its, "phx_reply", {"status": "ok", "response": 1}
            ]  # fmt: skip


async def test_an_event_that_nobody_takes_is_one_line_and_a_phx_error(caplog: pytest.LogCaptureFixture) -> None:
    """A client's mistake is no crash of ours: no traceback, whatever its length."""
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        for event in ("nobody's", "x" * 10_000):
            await client.ask(["1", "1", "room:1", "phx_join", {}])
            await client.send(["1", "3", "room:1", event, {}])
            assert await client.json() == ["1", "1", "room:1", "phx_error", {"reason": "channel_crash"}]
        short, long = complaints(caplog)
        assert short.message == "Room of 'room:1' has no handler for the event \"nobody's\""
        assert len(long.message) < 200
        assert {(line.levelno, line.exc_info) for line in (short, long)} == {(logging.WARNING, None)}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param('["1","2","room:1","echo",' + "[" * 500 + "]" * 500 + "]", id="deep"),
        pytest.param(f'["1","{"2" * 256}","room:1","echo",{{}}]', id="a long ref"),
    ],
)
async def test_what_could_not_be_answered_is_refused_at_the_door(
    message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        await client.ask(["1", "1", "room:1", "phx_join", {}])
        await client.send(message)
        assert (await client.until_closed())[1] == Closed(1011)
        (line,) = complaints(caplog)
        assert line.exc_info is None


async def test_a_join_that_fails_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        assert await client.ask(["1", "1", "room:join", "phx_join", {}]) == [
            "1", "1", "room:join", "phx_reply", {"status": "error", "response": {"reason": "join crashed"}}
        ]  # fmt: skip
        (line,) = [line for line in complaints(caplog) if line.name == CRASHED]
        assert line.message == "Room of 'room:join' crashed in 'phx_join'"
        assert line.exc_info is not None
        assert "Boom: in join" in caplog.text
        assert [line.name for line in complaints(caplog)] == [CRASHED]


async def test_a_stop_with_an_odd_reason_has_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        await client.ask(["1", "1", "room:1", "phx_join", {}])
        await client.ask(["1", "2", "room:1", "stop", {}])
        await settle()
        (line,) = complaints(caplog)  # and none of the supervisor, which tells of the same end
        assert line.name == CRASHED
        assert line.message == "Room of 'room:1' crashed in 'stop': 'odd reason'"


@pytest.mark.parametrize("callback", ["connect", "identify"])
async def test_a_connect_that_fails_is_a_500(callback: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server:
        with pytest.raises(Rejected) as rejected:
            await server.connect(f"/socket/websocket?vsn=2.0.0&fail={callback}")
        assert rejected.value.status == 500
        assert b"Boom" not in rejected.value.body
        (line,) = complaints(caplog)
        assert line.exc_info is not None
        assert "127.0.0.1:" in line.message
        assert "UserSocket" in line.message
        assert f"in {callback}" in caplog.text


async def test_a_refused_connect_is_one_line_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(mounted(UserSocket)) as server:
        with pytest.raises(Rejected) as rejected:
            await server.connect("/socket/websocket?vsn=2.0.0&fail=refuse")
        assert rejected.value.status == 403
        (line,) = [line for line in complaints(caplog, logging.INFO) if "REFUSED" in line.message]
        assert line.message.startswith("REFUSED 127.0.0.1:")
        assert line.message.endswith("to UserSocket by websocket: connect refused: {'reason': 'no'}")


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


# ---------------------------------------------------------------------------------------------------- handshakes

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
