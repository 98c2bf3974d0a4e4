"""However a client leaves, and at whatever moment: all that it held is free at once, with the collector off."""

from __future__ import annotations

import ssl
import struct
import zlib
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
import pytest
import trio

from phxactor import (
    Channel,
    DrainOptions,
    Endpoint,
    Error,
    LongPollOptions,
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
    post,
)
from phxactor.runtime import SHUTDOWN, Exited, forget_handshake, open_runtime, receive, trap_exit
from tests.certificates import CLIENT, SERVER
from tests.cycles import Act, none_leaves_anything
from tests.sockets.serving import Server, eventually, serving
from tests.transport.frames import CLOSE, CONT, PING, TEXT, close_frame, frame

pytestmark = [pytest.mark.socket, pytest.mark.allow_leaks("it counts objects itself")]

RSV1 = 0x40
OURS = ("phxactor", "websockets", "h11", "ssl")


class Room(Channel):
    """Fails in every way, or takes for ever."""

    async def join(self, topic: str, payload: Any) -> Any:  # noqa: ANN401
        match topic:
            case "room:raise":
                raise ValueError("join")
            case "room:refuse":
                return Error({"reason": "no"})
            case "room:pending":
                await trio.sleep_forever()
        return None

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("crash")
    async def crash(self, payload: Any) -> None:  # noqa: ANN401
        raise ValueError("crash")

    @on("stop")
    async def stops(self, payload: Any) -> Stop:  # noqa: ANN401
        return Stop("bad")

    @on("work")
    async def work(self, payload: Any) -> None:  # noqa: ANN401
        await trio.sleep(0.03)  # longer than its client stays

    @on("flood")
    async def flood(self, payload: Any) -> None:  # noqa: ANN401
        for _ in range(100):
            self.push("much", "x" * 60_000)


class UserSocket(Socket, log=False):
    """Lets in whom it likes."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Any, connect_info: Any) -> Any:  # noqa: ANN401
        return await how_to_connect(params)


class Raw(RawSocket):
    """Fails, or takes for ever."""

    async def connect(self, params: Any, connect_info: Any) -> Any:  # noqa: ANN401
        return await how_to_connect(params)

    async def handle_in(self, data: str | bytes) -> Any:  # noqa: ANN401
        match data:
            case "crash":
                raise ValueError("crash")
            case "stop":
                return Stop("bad")
            case "work":
                await trio.sleep(0.03)  # longer than its client stays
        return data


async def how_to_connect(params: Any) -> Any:  # noqa: ANN401
    match params.get("how"):
        case "raise":
            raise ValueError("connect")
        case "refuse":
            return Error("no")
        case "hang":
            await trio.sleep_forever()
    return None


async def fails(_: Request) -> Response:
    raise ValueError("route")


async def hangs(_: Request) -> Response:
    await trio.sleep_forever()
    raise AssertionError


async def takes(request: Request) -> Response:
    return Response.text(str(len(request.body)))


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    limits: Any = {"check_origin": False, "max_frame_size": 200_000}
    plain, compressed = WebSocketOptions(**limits), WebSocketOptions(**limits, compress=True)
    hurried = WebSocketOptions(**limits, connect_timeout=0.05, timeout=0.05)
    small = WebSocketOptions(**limits, max_messages_per_second=5, max_output_bytes=100_000)
    polled = LongPollOptions(check_origin=False, window=0.03)
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=plain, longpoll=polled),
            mount("/raw", Raw, websocket=plain),
            mount("/socket-deflate", UserSocket, websocket=compressed),
            mount("/raw-deflate", Raw, websocket=compressed),
            mount("/hurried", UserSocket, websocket=hurried),
            mount("/small", UserSocket, websocket=small),
        ],
        routes=[get("/fails", fails), get("/hangs", hangs), post("/takes", takes)],
        **options,
    )


# ------------------------------------------------------------------------------------------------ what is sent


def message(*parts: object) -> bytes:
    return frame(TEXT, orjson.dumps(parts))


def deflated(data: bytes) -> bytes:
    """Compress a message as a client does (RFC 7692 section 7.2.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def asking(path: str, headers: str = "") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    ).encode()


def request(line: str, headers: str = "", body: bytes = b"") -> bytes:
    return f"{line} HTTP/1.1\r\nHost: app.test\r\n{headers}\r\n".encode() + body


def posted(path: str, body: bytes) -> bytes:
    return request(f"POST {path}", f"Content-Length: {len(body)}\r\n", body)


JOIN = message("1", "1", "room:1", "phx_join", {})
LARGE = b'[null,"1","phoenix","heartbeat","' + b"x" * 30000 + b'"]'

IN_FRAMES = {
    "at rest": b"",
    "in a frame": frame(TEXT, b"x" * 1000)[:500],
    "in a fragment": frame(TEXT, b"x" * 1000, fin=False),
    "in a frame of a fragmented message": frame(TEXT, b"x", fin=False) + frame(CONT, b"x" * 1000)[:500],
    "in a ping": frame(PING, b"x" * 9)[:4],
    "after a ping": frame(PING, b"x"),
    "in the close handshake": close_frame(1000),
    "in the close handshake, within a message": frame(TEXT, b"x", fin=False) + close_frame(1000),
    "after a close frame without a code": frame(CLOSE),
    "after a wrong close code": close_frame(1005),
    "after a reserved opcode": frame(3),
    "after a wrong frame": frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"),
    "after what is not UTF-8": frame(TEXT, b"\xff"),
    "after fragments that are not UTF-8": frame(TEXT, b"\xff", fin=False) + frame(CONT, b"\xff"),
    "after an unmasked frame": frame(TEXT, b"x", masked=False),
    "after too large a frame": frame(TEXT, b"x" * 300_000),
    "after too large a message": frame(TEXT, b"x" * 150_000, fin=False) + frame(CONT, b"x" * 150_000),
}
IN_DEFLATE = {
    "after a small compressed message": frame(TEXT, deflated(LARGE[:30]), bits=RSV1),
    "after a large compressed message": frame(TEXT, deflated(LARGE), bits=RSV1),
    "in a compressed fragment": frame(TEXT, deflated(LARGE)[:40], fin=False, bits=RSV1),
    "in a compressed frame": frame(TEXT, b"x" * 9000, bits=RSV1)[:4000],
    "after nonsense": frame(TEXT, b"\xff\xff\xff\xff", bits=RSV1),
    "after a bomb": frame(TEXT, deflated(b"x" * 1_000_000), bits=RSV1),
    "in the close handshake, after a compressed message": frame(TEXT, deflated(LARGE), bits=RSV1) + close_frame(1000),
}
IN_CHANNELS = {
    "joined": JOIN,
    "joined twice": JOIN + message("2", "2", "room:1", "phx_join", {}),
    "left": JOIN + message("1", "2", "room:1", "phx_leave", {}),
    "while joining": message("1", "1", "room:pending", "phx_join", {}) + message("1", "2", "room:pending", "echo", {}),
    "a join that fails": message("1", "1", "room:raise", "phx_join", {"big": "x" * 1000}),
    "a join that is refused": message("1", "1", "room:refuse", "phx_join", {}),
    "no such topic": message("1", "1", "nowhere", "phx_join", {}),
    "no such event": JOIN + message("1", "2", "room:1", "nothing", {}),
    "a crash": JOIN + message("1", "2", "room:1", "crash", {"big": "x" * 1000}),
    "a channel that stops": JOIN + message("1", "2", "room:1", "stop", {}),
    "a channel that works": JOIN + message("1", "2", "room:1", "work", {}) + message("1", "3", "room:1", "echo", {}),
    "slow": JOIN + message("1", "2", "room:1", "flood", {}),
    "nonsense": frame(TEXT, b"nonsense"),
    "in the close handshake, joined": JOIN + close_frame(1000),
}
IN_RAW = {
    "an echo": frame(TEXT, b"hello"),
    "a crash": frame(TEXT, b"crash"),
    "a socket that stops": frame(TEXT, b"stop"),
    "a socket that works": frame(TEXT, b"work") + frame(TEXT, b"hello"),
}
UPGRADED = {"/socket": IN_CHANNELS, "/raw": IN_RAW}
HEADS = {
    "nothing": b"",
    "half a head": asking("/socket/websocket")[:60],
    "half a request": b"GET /fails HTTP/1.1\r\nHost: a\r\nx",
    "half a body": request("POST /takes", "Content-Length: 300\r\n", b"x"),
    "half a chunk": request("POST /takes", "Transfer-Encoding: chunked\r\n", b"ff\r\nx"),
    "a wrong chunk": request("POST /takes", "Transfer-Encoding: chunked\r\n", b"zz\r\n"),
    "a body": posted("/takes", b"x" * 100_000),
    "too large a body": request("POST /takes", "Content-Length: 300000000\r\n", b"x"),
    "two requests": posted("/takes", b"x") * 2,
    "nonsense": b"NONSENSE\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a wrong header": b"GET / HTTP/1.1\r\nHost: a\r\n bad\0: x\r\n\r\n",
    "too large a head": b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"x" * 100_000,
    "no such path": request("GET /nowhere"),
    "a route that fails": request("GET /fails"),
    "a route that hangs": request("GET /hangs"),
    "connect fails": asking("/socket/websocket?how=raise"),
    "connect refuses": asking("/socket/websocket?how=refuse"),
    "connect hangs": asking("/socket/websocket?how=hang"),
    "connect is late": asking("/hurried/websocket?how=hang"),
    "connect of a raw socket fails": asking("/raw/websocket?how=raise"),
    "connect of a raw socket hangs": asking("/raw/websocket?how=hang"),
    "a wrong version": asking("/socket/websocket?vsn=9.0.0"),
    "no key": asking("/socket/websocket").replace(b"Key", b"Kee"),
    "a silent client": asking("/hurried/websocket?vsn=2.0.0") + JOIN,
    "a rate limit": asking("/small/websocket?vsn=2.0.0") + JOIN + message("1", "2", "room:1", "echo", {}) * 12,
    "too slow a client": asking("/small/websocket?vsn=2.0.0") + JOIN + message("1", "2", "room:1", "flood", {}),
    "a poll with a wrong token": request("GET /socket/longpoll?vsn=2.0.0&token=x"),
    "a publish with a wrong token": posted("/socket/longpoll?vsn=2.0.0&token=x", b"[]"),
    "a poll that connect fails": request("GET /socket/longpoll?vsn=2.0.0&how=raise"),
    "a poll that connect refuses": request("GET /socket/longpoll?vsn=2.0.0&how=refuse"),
    "a poll that connect hangs": request("GET /socket/longpoll?vsn=2.0.0&how=hang"),
}


# ------------------------------------------------------------------------------------------------ who sends it


async def opened(port: int, *, tls: bool) -> tuple[trio.SocketStream, trio.abc.Stream]:
    """Connect; return the bare stream, and what to speak over."""
    bare = await trio.open_tcp_stream("127.0.0.1", port)
    if not tls:
        return bare, bare
    stream = trio.SSLStream(bare, CLIENT, server_hostname="app.test", https_compatible=True)
    await stream.do_handshake()
    forget_handshake(stream)
    return bare, stream


async def leave(bare: trio.SocketStream, *, reset: bool) -> None:
    if reset:
        bare.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER of no time
    await trio.aclose_forcefully(bare)


async def come_and_go(server: Server, data: bytes, *, tls: bool = False, reset: bool = False) -> None:
    """Send bytes, wait for what the server has to say, and leave."""
    resting = server.processes()
    bare, stream = await opened(server.port, tls=tls)
    with suppress(trio.BrokenResourceError):
        await stream.send_all(data)
        if not data.endswith(SLOW):
            with trio.move_on_after(0.01):
                while await stream.receive_some():
                    pass
        else:
            await trio.sleep(0.01)
    await leave(bare, reset=reset)
    await eventually(lambda: server.processes() <= resting)


SLOW = IN_CHANNELS["slow"][-20:]


def acts(server: Server, moments: dict[str, bytes], *, tls: bool) -> dict[str, Act]:
    return {
        f"{name}, {'reset' if reset else 'FIN'}": partial(come_and_go, server, data, tls=tls, reset=reset)
        for name, data in moments.items()
        for reset in (False, True)
    }


TRANSPORTS = pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])


@TRANSPORTS
@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("path", ["/socket", "/raw"])
async def test_a_websocket_leaves_nothing(path: str, deflate: bool, tls: bool) -> None:
    moments = IN_FRAMES | UPGRADED[path] | (IN_DEFLATE if deflate else {})
    extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
    head = asking(f"{path}{'-deflate' if deflate else ''}/websocket?vsn=2.0.0", extension)
    async with serving(endpoint(tls=SERVER if tls else None)) as server:
        every = {name: head + data for name, data in moments.items()}
        await none_leaves_anything(acts(server, every, tls=tls), *OURS)


@TRANSPORTS
async def test_a_request_leaves_nothing(tls: bool) -> None:
    async with serving(endpoint(tls=SERVER if tls else None)) as server:
        await none_leaves_anything(acts(server, HEADS, tls=tls), *OURS)


# ------------------------------------------------------------------------------------------------ TLS handshakes

HELLO = ssl.MemoryBIO()
with suppress(ssl.SSLWantReadError):
    CLIENT.wrap_bio(ssl.MemoryBIO(), HELLO, server_hostname="app.test").do_handshake()
HELLO_BYTES = HELLO.read()
HANDSHAKES = {
    "nothing": b"",
    "a request without TLS": request("GET /fails"),
    "half a hello": HELLO_BYTES[:100],
    "a hello": HELLO_BYTES,
    "a hello and nonsense": HELLO_BYTES + b"\x17\x03\x03\x00\x04abcd",
    "an alert": b"\x15\x03\x03\x00\x02\x02\x30",
}


async def test_a_tls_handshake_that_fails_leaves_nothing() -> None:
    async with serving(endpoint(tls=SERVER)) as server:
        await none_leaves_anything(acts(server, HANDSHAKES, tls=False), *OURS)


# ------------------------------------------------------------------------------------------------ long poll

PUBLISHED: dict[str, list[Any]] = {
    "at rest": [],
    "joined": [["1", "1", "room:1", "phx_join", {}]],
    "joined twice": [["1", "1", "room:1", "phx_join", {}], ["2", "2", "room:1", "phx_join", {}]],
    "left": [["1", "1", "room:1", "phx_join", {}], ["1", "2", "room:1", "phx_leave", {}]],
    "while joining": [["1", "1", "room:pending", "phx_join", {}]],
    "a join that fails": [["1", "1", "room:raise", "phx_join", {}]],
    "a join that is refused": [["1", "1", "room:refuse", "phx_join", {}]],
    "a crash": [["1", "1", "room:1", "phx_join", {}], ["1", "2", "room:1", "crash", {"big": "x" * 1000}]],
    "a channel that works": [["1", "1", "room:1", "phx_join", {}], ["1", "2", "room:1", "work", {}]],
    "slow": [["1", "1", "room:1", "phx_join", {}], ["1", "2", "room:1", "flood", {}]],
    "nonsense": [[]],
}
SOCKET = "/socket/longpoll?vsn=2.0.0"


async def poll_and_go(server: Server, published: list[Any], *, tls: bool, reset: bool, stays: bool) -> None:
    """Open a session, publish, begin a poll, and leave at once or once it was answered; then the session expires."""
    resting = server.processes()

    async def ask(data: bytes, *, patient: bool = True) -> bytes:
        bare, stream = await opened(server.port, tls=tls)
        await stream.send_all(data)
        answer = b""
        if patient:
            while not answer.endswith(b"}"):
                answer += await stream.receive_some()
        else:
            await trio.sleep(0.005)
        await leave(bare, reset=reset)
        return answer

    token = orjson.loads((await ask(request(f"GET {SOCKET}"))).partition(b"\r\n\r\n")[2])["token"]
    for one in published:
        await ask(posted(f"{SOCKET}&token={token}", orjson.dumps(one)))
    await ask(request(f"GET {SOCKET}&token={token}"), patient=stays)
    await ask(posted(f"{SOCKET}&token={token}", b'[null,"9","phoenix","heartbeat",{}]'), patient=stays)
    await eventually(lambda: server.processes() <= resting)


@TRANSPORTS
async def test_a_session_that_expires_leaves_nothing(tls: bool) -> None:
    async with serving(endpoint(tls=SERVER if tls else None)) as server:
        every: dict[str, Act] = {
            f"{name}, {'reset' if reset else 'FIN'}, {'stays' if stays else 'leaves'}": partial(
                poll_and_go, server, published, tls=tls, reset=reset, stays=stays
            )
            for name, published in PUBLISHED.items()
            for reset, stays in ((False, True), (False, False), (True, False))
        }
        await none_leaves_anything(every, *OURS)


# ------------------------------------------------------------------------------------------------ the server's end

LATE = asking("/socket/websocket?vsn=2.0.0")
AT_THE_END: dict[str, list[bytes]] = {
    "at rest": [],
    "a WebSocket": [LATE],
    "channels": [LATE + JOIN, LATE + IN_CHANNELS["while joining"], LATE + IN_CHANNELS["a channel that works"]],
    "a fragment": [LATE + IN_FRAMES["in a fragment"]],
    "raw sockets": [asking("/raw/websocket"), asking("/raw/websocket") + IN_RAW["a socket that works"]],
    "compressed": [asking("/raw-deflate/websocket", "Sec-WebSocket-Extensions: permessage-deflate\r\n")],
    "slow": [LATE + IN_CHANNELS["slow"]],
    "half a head": [HEADS["half a head"], HEADS["half a body"]],
    "a route and a connect that hang": [HEADS["a route that hangs"], HEADS["connect hangs"]],
    "a session": [request(f"GET {SOCKET}"), HEADS["a poll that connect hangs"]],
}


async def end_with(clients: list[bytes], *, tls: bool) -> None:
    """Start an endpoint, have clients connect, and end it with all of them."""
    it = endpoint(tls=SERVER if tls else None, drain=DrainOptions(limit=0.02))
    pid = (await it.start_link(port=0)).unwrap()
    assert it.address is not None
    streams: list[trio.abc.Stream] = []
    for data in clients:
        bare, stream = await opened(it.address.port, tls=tls)
        await stream.send_all(data)
        streams.append(bare)
    await trio.sleep(0.01)
    pid.exit(SHUTDOWN)
    await trio.sleep(0.03)  # they do not answer to the close frames
    for stream in streams:
        await trio.aclose_forcefully(stream)
    await receive(lambda message: isinstance(message, Exited) and message.pid is pid)


@TRANSPORTS
async def test_an_endpoint_that_ends_leaves_nothing(tls: bool) -> None:
    async with open_runtime() as runtime:
        assert runtime.idle is not None  # made by the first drain that waits, and kept by the runtime
        trap_exit()
        every: dict[str, Act] = {name: partial(end_with, clients, tls=tls) for name, clients in AT_THE_END.items()}
        await none_leaves_anything(every, *OURS)
