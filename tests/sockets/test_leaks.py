"""Clients come, and go in every way that there is; afterwards nothing is left of them, mostly not even for a moment."""

from __future__ import annotations

import gc
import logging
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import trio

from phxactor import Channel, Endpoint, Ok, RawSocket, Socket, Stop, WebSocketOptions, channel, mount, on
from phxactor.channels import Payload
from phxactor.runtime import RuntimeStatistics
from phxactor.socket import Multiplexer
from phxactor.transport import MultiplexedWebSocket
from tests.conformance.custom import CustomChannel
from tests.sockets.serving import Server, eventually, in_time, serving
from tests.transport.frames import PING, TEXT, close_frame, frame

pytestmark = [pytest.mark.socket, pytest.mark.slow]

CLIENTS = 1000
AT_ONCE = 50
FILES = Path("/proc/self/fd")
TIMERS = 520
"""Timers that may stay in the heap until they are due, though they were cancelled, and with them their processes."""
WITH_TIMERS = ("phxactor.runtime._timers.Timer", "phxactor.runtime._pid.Pid", "phxactor.runtime._reasons.Shutdown")


class Room(Channel):
    """Can end in every way."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        if topic == "room:never":
            await trio.sleep_forever()
        if topic == "room:raise":
            raise RuntimeError("in join")
        return Ok(payload)

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("crashed")

    @on("close")
    async def ends(self, payload: Payload) -> Stop:
        return Stop()

    @on("sleep")
    async def sleep(self, payload: Payload) -> None:
        await trio.sleep(0.2)  # it hears of the end of its connection afterwards


class UserSocket(Socket, partitions=1):
    """With an id for those who want to be disconnected. A pool keeps something of its last channel: so there is one."""

    channels = (channel("room:*", Room), channel("custom:*", CustomChannel))

    async def connect(self, params: Payload) -> None:
        self.assign(user=params.get("user"))

    def identify(self) -> str | None:
        user = self.assigns.user
        return None if user is None else f"user:{user}"


class Echo(RawSocket):
    """Answers."""

    async def handle_in(self, data: str | bytes) -> str | bytes:
        return data


def say(*message: str) -> bytes:
    """Write a message as a frame."""
    return frame(TEXT, ('["' + '","'.join(message) + '",{}]').encode())


JOIN = say("1", "1", "room:1", "phx_join")
CLOSE = close_frame(1000)
LIVES: dict[str, tuple[bytes, bytes | None]] = {
    # What it sends, and what it waits for before it drops the connection; None for nothing at all.
    "drops at once": (b"", None),
    "joins and drops at once": (JOIN, None),
    "joins and drops": (JOIN, b"phx_reply"),
    "echoes and closes": (JOIN + say("1", "2", "room:1", "echo") + CLOSE, b"\x88"),
    "crashes": (JOIN + say("1", "2", "room:1", "crash"), b"phx_error"),
    "crashes and joins": (JOIN + say("1", "2", "room:1", "crash") + say("3", "3", "room:1", "phx_join"), b"phx_"),
    "leaves": (JOIN + say("1", "2", "room:1", "phx_leave"), b"phx_close"),
    "is closed": (JOIN + say("1", "2", "room:1", "close"), b"phx_close"),
    "joins twice": (JOIN + say("2", "2", "room:1", "phx_join"), b"phx_close"),
    "joins what never answers": (say("1", "1", "room:never", "phx_join") + say("1", "2", "room:never", "echo"), None),
    "waits for what never answers": (say("1", "1", "room:never", "phx_join") + frame(PING), b"\x8a"),
    "joins what raises": (say("1", "1", "room:raise", "phx_join"), b"join crashed"),
    "joins nowhere": (say("1", "1", "nowhere", "phx_join"), b"unmatched"),
    "keeps a channel busy": (JOIN + say("1", "2", "room:1", "sleep") + say("1", "3", "room:1", "echo"), b"phx_reply"),
    "is custom": (say("1", "1", "custom:1", "phx_join"), b"custom"),
    "is custom and dies": (say("1", "1", "custom:1", "phx_join") + say("1", "2", "custom:1", "die"), b"phx_error"),
    "sends nonsense": (JOIN + frame(TEXT, b"nonsense"), b"\x88"),
    "sends a wrong frame": (JOIN + frame(3), b"\x88"),
    "sends half a frame": (JOIN + frame(TEXT, b"half")[:5], b"phx_reply"),
    "sends half a message": (JOIN + frame(TEXT, b"half", fin=False) + frame(PING), b"\x8a"),
}


@attrs.frozen
class Left:
    """What there is at one moment."""

    processes: int
    names: int
    timers: int
    topics: int
    files: int
    objects: Counter[str]

    @classmethod
    def of(cls, server: Server) -> Left:
        """Look."""
        gc.collect()
        runtime: RuntimeStatistics = server.runtime.statistics()
        kinds = (type(one) for one in gc.get_objects())
        return cls(
            processes=runtime.processes,
            names=runtime.names,
            timers=runtime.timers,
            topics=server.endpoint.pubsub.statistics().topics,
            files=len(os.listdir(FILES)) if FILES.exists() else 0,  # noqa: PTH208 - the number of names is wanted
            objects=Counter(
                f"{kind.__module__}.{kind.__qualname__}"
                for kind in kinds
                # A class may have a descriptor there, which says it of instances.
                if kind is not cls and str(kind.__module__).startswith(("phxactor", "tests", "websockets", "h11"))
            ),
        )


@pytest.fixture
def silence() -> Iterator[None]:
    """Keep pytest from keeping what is logged, and with it the exceptions and all that they know."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def live(server: Server, number: int) -> None:
    """Be a client."""
    *_, (sends, waits_for) = list(LIVES.values())[: number % (len(LIVES) + 3) + 1]
    path = b"/socket/websocket?vsn=2.0.0"
    match number % (len(LIVES) + 3) - len(LIVES):
        case 0:  # is disconnected by the server
            path, sends, waits_for = path + b"&user=%d" % number, JOIN, b"phx_reply"
        case 1:
            path, sends, waits_for = b"/echo/websocket", frame(TEXT, b"hello"), b"hello"
        case 2:
            path, sends, waits_for = b"/nowhere", b"", b"404"
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    head = b"GET " + path + b" HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    head += b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    if waits_for is None and number % 2:
        head = head[: number % len(head)]
        sends = b""
    try:
        await stream.send_all(head + sends)
        if waits_for is not None:
            await in_time(until(stream, waits_for))
        if b"user=" in path:
            server.endpoint.broadcast(f"user:{number}", "disconnect", {})
            await in_time(until(stream, b"\x88\x02\x03\xe9"))
    finally:
        if number % 3:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        await trio.aclose_forcefully(stream)


async def until(stream: trio.SocketStream, wanted: bytes) -> None:
    """Read until something has come."""
    seen = b""
    while wanted not in seen:
        some = await stream.receive_some(65536)
        assert some, f"{wanted!r} has not come: {seen!r}"
        seen += some


async def crowd(server: Server, clients: int, before: int) -> None:
    """Have clients come and go, and wait until they are gone."""
    limit = trio.CapacityLimiter(AT_ONCE)

    async def one(number: int) -> None:
        async with limit:
            await live(server, number)

    async with trio.open_nursery() as nursery:
        for number in range(clients):
            nursery.start_soon(one, number)
    await eventually(lambda: server.processes() == before and server.runtime.statistics().timers == 0)
    for _ in range(10):  # the flusher's tasks close what has ended
        await trio.sleep(0.01)


@pytest.mark.allow_leaks("it counts objects itself")
async def test_nothing_is_left_of_a_thousand_clients(silence: None) -> None:
    options = WebSocketOptions(check_origin=False, max_frame_size=4096, timeout=60)
    endpoint = Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=options), mount("/echo", Echo, websocket=options)]
    )
    async with serving(endpoint) as server:
        processes = server.processes()
        await crowd(server, 2 * len(LIVES) + 6, processes)  # imports, caches, compiled patterns
        before = Left.of(server)
        assert before.processes == processes
        await crowd(server, CLIENTS, processes)
        after = Left.of(server)
        more = after.objects - before.objects
        for kind in WITH_TIMERS:
            assert more.pop(kind, 0) <= TIMERS
        assert more.pop("phxactor.net._socket_connection.Connection", 0) <= 1  # the last that was written to
        assert more == Counter()
        assert attrs.evolve(after, objects=before.objects) == before


RAISING = {"crashes", "crashes and joins", "joins what raises", "is custom and dies", "sends a wrong frame"}
"""An exception knows the frames that it came through, and they know it."""


@pytest.mark.allow_leaks("it counts objects itself")
@pytest.mark.parametrize("life", sorted(LIVES.keys() - RAISING))
async def test_who_has_left_needs_no_collector(silence: None, life: str) -> None:
    number = list(LIVES).index(life)
    options = WebSocketOptions(check_origin=False, timeout=60)
    async with serving(Endpoint(sockets=[mount("/socket", UserSocket, websocket=options)])) as server:
        processes = server.processes()

        async def come_and_go() -> None:
            await live(server, number)
            await eventually(lambda: server.processes() == processes and server.runtime.statistics().timers == 0)

        def alive() -> Counter[type]:
            return Counter(type(one) for one in gc.get_objects())

        await come_and_go()
        gc.collect()
        gc.disable()
        try:
            before = alive()
            for _ in range(5):
                await come_and_go()
            more = alive() - before
        finally:
            gc.enable()
        assert {kind for kind in (MultiplexedWebSocket, Multiplexer, UserSocket, Room) if more[kind] > 1} == set()
