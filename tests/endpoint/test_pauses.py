"""A program that is stopped for a while (SIGSTOP, a handler that computes) blames nobody: what came meanwhile counts.

In virtual time: bytes are put where the server reads, and the clock jumps, without a pass of the scheduler in between.
The order of tasks within a pass is random, so each case is tried several times.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from phxactor import (
    Channel,
    Endpoint,
    LongPollOptions,
    Ok,
    RawSocket,
    Response,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    get,
    mount,
    on,
    open_runtime,
    post,
)
from phxactor.endpoint import DrainOptions
from phxactor.http import SEND_TIMEOUT, Request
from phxactor.http._http_connection import BODY_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE
from phxactor.net._flusher import LINGER
from phxactor.net._stream_connection import CHUNK
from phxactor.net._tls import HANDSHAKE_TIMEOUT
from phxactor.runtime import NORMAL, SHUTDOWN, Pid, trap_exit
from phxactor.transport._websocket import STUCK
from tests.certificates import CLIENT, SERVER
from tests.conformance.client import Client, Closed, Pong
from tests.sockets.serving import complaints
from tests.transport.frames import PING, TEXT, frame

PAUSE: Final = 4.0
TIMEOUT: Final = 3.0
SLOW: Final = 2.0
"""Seconds that a handler takes, which is in time."""
WINDOW: Final = 2.0
LARGE: Final = "x" * 5 * CHUNK
HEARTBEAT: Final[list[object]] = [None, "7", "phoenix", "heartbeat", {}]
ALIVE: Final = [None, "7", "phoenix", "phx_reply", {"status": "ok", "response": {}}]
HELLO: Final = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"


class Room(Channel):
    """Takes its time."""

    async def join(self, topic: str, payload: Any) -> None:  # noqa: ANN401
        if topic == "room:slow":
            await trio.sleep(SLOW)

    @on("echo")
    async def echo(self, payload: Any) -> Ok[None]:  # noqa: ANN401
        return Ok()

    @on("slow")
    async def slow(self, payload: Any) -> Ok[None]:  # noqa: ANN401
        await trio.sleep(SLOW)
        return Ok()

    @on("work")
    async def work(self, payload: Any) -> Ok[None]:  # noqa: ANN401
        await work()
        return Ok()


async def work() -> None:
    """Take nearly as long as a handler may when much waits behind it, in which the program runs."""
    for _ in range(int(STUCK) - 5):
        await trio.sleep(1)


class UserSocket(Socket):
    """Takes its time too, if it is told to."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        if params.get("slow"):
            await trio.sleep(SLOW)


class Raw(RawSocket):
    """Echoes."""

    async def handle_in(self, data: str | bytes) -> str | bytes | Stop:
        if data == "work":
            await work()
        return Stop(NORMAL) if data == "stop" else data


async def hello(request: Request) -> Response:
    return Response.text("hello")


async def slow(request: Request) -> Response:
    await trio.sleep(SLOW)
    return Response.text("hello")


async def measure(request: Request) -> Response:
    return Response.text(str(len(request.body)))


async def large(request: Request) -> Response:
    return Response.text(LARGE)


@attrs.frozen
class House:
    """An endpoint that clients come to by streams in memory."""

    endpoint: Endpoint
    tree: Pid
    clock: MockClock

    async def attach(self, *, tls: bool = False) -> tuple[trio.abc.Stream, Callable[[bytes], None]]:
        """Return a client's end, and what puts bytes where the server reads, at once."""
        ours, theirs = memory_stream_pair()
        stream = trio.SSLStream(theirs, SERVER, server_side=True) if tls else theirs
        (await self.endpoint.serve_stream(stream)).unwrap()
        return ours, theirs.receive_stream.put_data

    async def connect(self, path: str, *, compress: bool = False) -> tuple[Client, Callable[[bytes], None]]:
        stream, put = await self.attach()
        return await Client.over(stream, f"ws://a{path}", compress=compress), put

    def pause(self, seconds: float = PAUSE) -> None:
        self.clock.jump(seconds)


@asynccontextmanager
async def house(clock: MockClock) -> AsyncIterator[House]:
    websocket = WebSocketOptions(check_origin=False, timeout=TIMEOUT, join_timeout=TIMEOUT, connect_timeout=TIMEOUT)
    limited = attrs.evolve(websocket, max_messages_per_second=10, max_joins_per_second=1)
    endpoint = Endpoint(
        sockets=[
            mount("/s", UserSocket, websocket=websocket, longpoll=LongPollOptions(check_origin=False, window=WINDOW)),
            mount("/deflated", UserSocket, websocket=attrs.evolve(websocket, compress=True)),
            mount("/limited", UserSocket, websocket=limited),
            mount("/narrow", UserSocket, websocket=attrs.evolve(websocket, max_input_bytes=len(LARGE))),
            mount("/raw", Raw, websocket=websocket),
        ],
        routes=[
            get("/hello", hello),
            get("/slow", slow, timeout=TIMEOUT),
            post("/measure", measure),
            get("/large", large),
        ],
        drain=DrainOptions(limit=TIMEOUT),
    )
    async with open_runtime():
        trap_exit()  # one of them ends the endpoint
        yield House(endpoint, (await endpoint.start_link(server=False)).unwrap(), clock)


async def answer(stream: trio.abc.Stream) -> bytes:
    """Read a response whole; the length of its body stands in its head."""
    data = b""
    with trio.fail_after(1000):
        while b"\r\n\r\n" not in data:
            some = await stream.receive_some()
            assert some, data
            data += some
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            some = await stream.receive_some()
            assert some, f"{len(body)} bytes of {length}"
            body += some
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body


# ------------------------------------------------------------------------------------------------------- sockets


async def silence(it: House) -> None:
    client, put = await it.connect("/s/websocket?vsn=2.0.0")
    await trio.sleep(TIMEOUT - 0.5)
    put(frame(TEXT, orjson.dumps(HEARTBEAT)))
    it.pause()
    assert await client.json() == ALIVE
    await trio.sleep(TIMEOUT - 0.5)
    assert await client.ask(HEARTBEAT) == ALIVE


async def silence_of_one_that_compresses(it: House) -> None:
    client, put = await it.connect("/deflated/websocket?vsn=2.0.0", compress=True)
    await trio.sleep(TIMEOUT - 0.5)
    put(frame(TEXT, orjson.dumps(HEARTBEAT)))
    it.pause()
    assert await client.json() == ALIVE


async def silence_of_a_raw_socket(it: House) -> None:
    client, put = await it.connect("/raw/websocket")
    await trio.sleep(TIMEOUT - 0.5)
    put(frame(TEXT, b"hello"))
    it.pause()
    assert await client.next() == "hello"


async def a_rate_limit(it: House) -> None:
    """It sends 10 messages a second all the while; the program is stopped before and after it has caught up."""
    client, put = await it.connect("/limited/websocket?vsn=2.0.0")
    heard = 0

    async def hear() -> None:
        nonlocal heard
        while True:
            assert await client.json() == ALIVE
            heard += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        for tenth in range(120):
            put(frame(TEXT, orjson.dumps(HEARTBEAT)))
            if 20 <= tenth < 50 or 80 <= tenth < 105:
                it.pause(0.1)
            else:
                await trio.sleep(0.1)
        await trio.sleep(0.1)
        assert heard == 120
        nursery.cancel_scope.cancel()


async def a_rate_of_pings(it: House) -> None:
    """It sends nearly as many pings a second as it may, to a program that is stopped for 3 seconds of them."""
    client, put = await it.connect("/raw/websocket")
    heard = 0

    async def hear() -> None:
        nonlocal heard
        while True:
            assert await client.next() == Pong(b"")
            heard += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        for tenth in range(60):
            put(frame(PING) * 9)
            if 20 <= tenth < 50:
                it.pause(0.1)
            else:
                await trio.sleep(0.1)
        await trio.sleep(0.1)
        assert heard == 60 * 9
        nursery.cancel_scope.cancel()


async def a_rate_of_joins(it: House) -> None:
    client, put = await it.connect("/limited/websocket?vsn=2.0.0")
    for number in range(6):
        put(frame(TEXT, orjson.dumps([str(number), "1", f"room:{number}", "phx_join", {}])))
        it.pause(1.0)
    for _ in range(6):
        assert (await client.json())[4]["status"] == "ok"  # type: ignore[index]


async def a_join(it: House) -> None:
    client, _ = await it.connect("/s/websocket?vsn=2.0.0")
    await client.send(["1", "1", "room:slow", "phx_join", {}])
    await trio.sleep(SLOW / 2)
    it.pause()
    assert await client.json() == ["1", "1", "room:slow", "phx_reply", {"status": "ok", "response": {}}]


async def a_channel_behind_which_much_waits(it: House) -> None:
    client, put = await it.connect("/narrow/websocket?vsn=2.0.0")
    await client.ask(["1", "1", "room:1", "phx_join", {}])
    for payload in (None, LARGE, LARGE):
        put(frame(TEXT, orjson.dumps(["1", "2", "room:1", "work" if payload is None else "echo", payload])))
    await trio.sleep(STUCK - 10)
    it.pause(STUCK)
    for _ in range(3):
        assert (await client.json())[4]["status"] == "ok"  # type: ignore[index]


async def a_raw_socket_behind_which_much_waits(it: House) -> None:
    client, put = await it.connect("/raw/websocket")
    for text in ("work", LARGE, LARGE):
        put(frame(TEXT, text.encode()))
    await trio.sleep(STUCK - 10)
    it.pause(12.0)  # it is over shortly after the time is by the clock
    for text in ("work", LARGE, LARGE):
        assert await client.next() == text


async def a_connect(it: House) -> None:
    stream, put = await it.attach()
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    put(f"GET /s/websocket?vsn=2.0.0&slow=yes HTTP/1.1\r\nHost: a\r\n{upgrade}{key}\r\n".encode())
    await trio.sleep(SLOW / 2)
    it.pause()
    assert bytes(await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


# ---------------------------------------------------------------------------------------------------------- HTTP


async def first_bytes(it: House) -> None:
    stream, put = await it.attach()
    await trio.sleep(HEAD_TIMEOUT - 0.5)
    put(HELLO[:5])
    it.pause()
    await trio.sleep(1)
    await stream.send_all(HELLO[5:])
    assert await answer(stream) == b"hello"


async def a_head(it: House) -> None:
    stream, put = await it.attach()
    await stream.send_all(HELLO[:10])
    await trio.sleep(HEAD_TIMEOUT - 0.5)
    put(HELLO[10:20])
    it.pause()
    put(HELLO[20:])
    assert await answer(stream) == b"hello"


async def a_body(it: House) -> None:
    stream, put = await it.attach()
    await stream.send_all(b"POST /measure HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(LARGE))
    await trio.sleep(BODY_TIMEOUT - 0.5)
    put(LARGE.encode())
    it.pause()
    assert await answer(stream) == b"%d" % len(LARGE)


async def the_next_request(it: House) -> None:
    stream, put = await it.attach()
    await stream.send_all(HELLO)
    assert await answer(stream) == b"hello"
    await trio.sleep(KEEP_ALIVE - 0.5)
    put(HELLO)
    it.pause()
    assert await answer(stream) == b"hello"


async def a_route(it: House) -> None:
    stream, put = await it.attach()
    put(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
    await trio.sleep(SLOW / 2)
    it.pause()
    assert await answer(stream) == b"hello"


async def an_answer_that_is_being_read(it: House) -> None:
    ours, theirs = lockstep_stream_pair()
    (await it.endpoint.serve_stream(theirs)).unwrap()
    await ours.send_all(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    await trio.sleep(SEND_TIMEOUT - 0.5)
    it.pause()
    assert len(await answer(ours)) == len(LARGE)


async def a_handshake(it: House) -> None:
    stream, put = await it.attach(tls=True)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = CLIENT.wrap_bio(incoming, outgoing, server_hostname="app.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    await stream.send_all(outgoing.read())
    incoming.write(await stream.receive_some())
    client.do_handshake()
    await trio.sleep(HANDSHAKE_TIMEOUT - 0.5)
    client.write(HELLO)
    put(outgoing.read())
    it.pause()
    while True:
        incoming.write(await stream.receive_some())
        try:
            assert client.read().endswith(b"hello")
        except ssl.SSLWantReadError:
            continue
        break


# ----------------------------------------------------------------------------------------------------- long poll


async def a_session(it: House) -> None:
    """It was to be polled within 3 seconds; the poll waits in the socket, unread."""
    stream, put = await it.attach()
    target = b"/s/longpoll?vsn=2.0.0"
    await stream.send_all(b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % target)
    token = orjson.loads(await answer(stream))["token"]
    await trio.sleep(WINDOW * 1.5 - 0.5)
    put(b"GET %s&token=%s HTTP/1.1\r\nhost: a\r\n\r\n" % (target, token.encode()))
    it.pause()
    assert orjson.loads(await answer(stream))["status"] == 204


# ------------------------------------------------------------------------------------------------------- the end


async def a_drain(it: House) -> None:
    client, _ = await it.connect("/s/websocket?vsn=2.0.0")
    await client.ask(["1", "1", "room:1", "phx_join", {}])
    await client.send(["1", "2", "room:1", "slow", {}])
    await trio.sleep(SLOW / 4)
    it.tree.exit(SHUTDOWN)
    await trio.sleep(SLOW / 4)
    it.pause()
    reply = orjson.dumps(["1", "2", "room:1", "phx_reply", {"status": "ok", "response": {}}]).decode()
    assert await client.until_closed() == ([reply], Closed(1012))


async def the_last_bytes(it: House) -> None:
    """The client has 5 seconds to read what it was sent, and takes 4 and a half; and a pause."""
    ours, theirs = lockstep_stream_pair()
    (await it.endpoint.serve_stream(theirs)).unwrap()
    client = await Client.over(ours, "ws://a/raw/websocket")
    await client.send(LARGE)
    await client.send("stop")
    await trio.sleep(LINGER - 0.5)
    it.pause()
    assert await client.until_closed() == ([LARGE], Closed(1000))


LIVING: Final = [
    silence,
    silence_of_one_that_compresses,
    silence_of_a_raw_socket,
    a_rate_limit,
    a_rate_of_pings,
    a_rate_of_joins,
    a_join,
    a_channel_behind_which_much_waits,
    a_raw_socket_behind_which_much_waits,
    a_connect,
    first_bytes,
    a_head,
    a_body,
    the_next_request,
    a_route,
    an_answer_that_is_being_read,
    a_handshake,
    a_session,
    a_drain,
    the_last_bytes,
]


@pytest.mark.parametrize("living", LIVING)
async def test_the_living_are_left_alone(
    living: Callable[[House], Awaitable[None]], caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    for _ in range(5):
        async with house(autojump_clock) as it:
            with trio.fail_after(1000):
                await living(it)
    assert complaints(caplog) == []


async def test_who_is_silent_is_told_so_all_the_same(autojump_clock: MockClock) -> None:
    async with house(autojump_clock) as it:
        client, _ = await it.connect("/s/websocket?vsn=2.0.0")
        await trio.sleep(TIMEOUT - 0.5)
        it.pause()
        with trio.fail_after(PAUSE):
            assert await client.until_closed() == ([], Closed(1002))
        assert trio.current_time() == pytest.approx(TIMEOUT + 2 * (PAUSE - 0.5))
