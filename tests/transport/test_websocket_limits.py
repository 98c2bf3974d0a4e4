"""What a connection may cost: output that nobody reads, input that nobody keeps up with; and the end of the server."""

from __future__ import annotations

import base64
import gc
import logging
import os
import weakref
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Endpoint, Ok, Pid, Socket, WebSocketOptions, channel, mount, on, self_pid
from phxactor.channel import Payload
from phxactor.socket.backlog import SMALL_WEIGHT
from phxactor.transport import multiplexed
from phxactor.transport.base_connection import READ_SIZE
from phxactor.transport.connection import Connection
from phxactor.transport.multiplexed import WINDOW, MultiplexedWebSocket
from phxactor.transport.raw import AHEAD, OVERHEAD
from phxactor.transport.websocket import MANY
from tests.conformance.client import Client, Closed
from tests.conformance.server import serve_zoo
from tests.conformance.zoo import EchoSocket
from tests.sockets.serving import Server, complaints, eventually, in_time, moment, serving
from tests.transport.frames import PING, TEXT, frame

pytestmark = pytest.mark.socket

SOCKET, ECHO = "/socket/websocket?vsn=2.0.0", "/echo/websocket"
BOUND = 300_000
"""Bytes that may wait for a client in these tests; a megabyte and more is in the buffers of the system."""
JOIN = ["1", "1", "room:1", "phx_join", {}]
JOINED = ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {}}]


class Gate(Channel):
    """Waits before it handles anything, and counts."""

    opened = trio.Event()
    seen: list[object]
    pid: Pid

    async def join(self, topic: str, payload: Payload) -> None:
        Gate.opened = trio.Event()
        Gate.seen = []
        Gate.pid = self_pid()

    @on("count")
    async def count(self, payload: Payload) -> None:
        await Gate.opened.wait()
        Gate.seen.append(payload)

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("collect")
    async def collect(self, payload: Payload) -> Ok[None]:
        self.socket.transport_pid.send("garbage_collect")
        return Ok()


class UserSocket(Socket):
    """With an id."""

    channels = (channel("room:*", Gate),)

    def identify(self) -> str:
        return "users_socket:1"


def endpoint(max_input_bytes: int = 8 * 1024 * 1024, **options: float) -> Endpoint:
    chosen = WebSocketOptions(check_origin=False, max_output_bytes=BOUND, **options)  # type: ignore[arg-type]
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=attrs.evolve(chosen, max_input_bytes=max_input_bytes)),
            mount("/echo", EchoSocket, websocket=chosen),
        ]
    )


def connections() -> list[Connection]:
    return [one for one in gc.get_objects() if type(one) is Connection]


async def pour(client: Client, data: bytes, megabytes: int = 50) -> None:
    """Send and never read."""
    try:
        for _ in range(megabytes * 1_000_000 // len(data)):
            await client.send_bare(data)
    except trio.BrokenResourceError:
        pass


@pytest.mark.parametrize(
    ("path", "data"),
    [
        pytest.param(SOCKET, frame(TEXT, b'["1","2","room:1","echo","' + b"x" * 50_000 + b'"]'), id="replies"),
        pytest.param(SOCKET, frame(TEXT, b'["1","2","unknown","echo",""]') * 1000, id="errors"),
        pytest.param(SOCKET, frame(PING, b"x" * 125) * 1000, id="pongs"),
        pytest.param(ECHO, frame(TEXT, b"x" * 50_000), id="echoes"),
        pytest.param(ECHO, frame(PING, b"x" * 125) * 1000, id="pongs of a raw socket"),
    ],
)
async def test_a_client_that_never_reads_its_answers_is_closed_with_1013(
    path: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint()) as server, await server.connect(path) as client:
        if path == SOCKET:
            assert await client.ask(JOIN) == JOINED
        most = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour, client, data)
            while not complaints(caplog):
                most = max(most, *(one.size for one in connections()))
                await trio.sleep(0.005)
            nursery.cancel_scope.cancel()
        assert most < BOUND + len(data) + 200_000
        (line,) = complaints(caplog)
        assert line.name == "phxactor.transport.slow_consumer"
        assert "1013" in line.message
        assert "127.0.0.1:" in line.message


@pytest.mark.parametrize("compress", [False, True])
async def test_a_client_that_never_reads_broadcasts_is_closed_and_the_others_hear_them(
    compress: bool, caplog: pytest.LogCaptureFixture
) -> None:
    payload = base64.b64encode(os.urandom(60_000)).decode()  # hardly to be compressed
    async with serving(endpoint(compress=compress)) as server:
        slow = await server.connect(SOCKET, compress=compress)
        async with await server.connect(SOCKET) as quick:
            for client in (slow, quick):
                assert await client.ask(JOIN) == JOINED
            sent = 0
            while not complaints(caplog):
                server.endpoint.broadcast("room:1", "news", payload)
                sent += 1
                assert await quick.json() == [None, None, "room:1", "news", payload]
            assert sent * len(payload) > BOUND
            # What had been written is still there to be read, and the close frame behind it.
            events, end = await slow.until_closed()
            assert end == Closed(1013)
            assert len(events) <= sent
            await slow.__aexit__(None, None, None)
            assert await quick.ask(["1", "9", "room:1", "echo", {}]) == [
                "1", "9", "room:1", "phx_reply", {"status": "ok", "response": {}}
            ]  # fmt: skip


async def test_a_client_that_stops_reading_for_a_while_loses_nothing() -> None:
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        sent = 0
        while not any(one.drain_scope for one in connections()):
            for _ in range(10):
                server.endpoint.broadcast("room:1", "news", [sent, "x" * 10_000])
                sent += 1
            await trio.sleep(0.001)
        for number in range(sent):
            assert await client.json() == [None, None, "room:1", "news", [number, "x" * 10_000]]


# ------------------------------------------------------------------------------------------------------ input


async def test_nothing_is_read_while_a_channel_has_to_catch_up(still_clock: MockClock) -> None:
    messages = 40_000
    flood = b"".join(frame(TEXT, b'["1",null,"room:1","count",%d]' % number) for number in range(messages))
    async with (
        serving(endpoint(timeout=1, max_input_bytes=1_000_000)) as server,
        await server.connect(SOCKET) as client,
    ):
        await client.ask(JOIN)
        sent = trio.Event()

        async def send() -> None:
            await client.send_bare(flood)
            sent.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await eventually(lambda: len(Gate.pid.mailbox) > 1000)
            for _ in range(100):  # more than the time-out: it is not the client that is silent
                still_clock.jump(0.05)
                await moment()
            size = len(flood) // messages
            assert len(Gate.pid.mailbox) < 1_000_000 // SMALL_WEIGHT + (WINDOW + 2 * READ_SIZE) // size
            Gate.opened.set()
            while not sent.is_set():
                still_clock.jump(0.05)
                await moment()
        while len(Gate.seen) < messages and Gate.pid.alive:
            await client.ping(b"now silence would be the client's")
            still_clock.jump(0.05)
            await moment()
        assert Gate.seen == list(range(messages))


async def test_whose_channel_takes_nothing_for_long_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplexed, "STUCK", 0.1)
    async with serving(endpoint(max_input_bytes=4 * WINDOW)) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        for number in range(8):
            await client.send(["1", None, "room:1", "count", [number, "x" * WINDOW]])
        events, end = await client.until_closed()
        assert (events, end) == ([], Closed(1011))


async def test_many_small_frames_are_taken_in_turns_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    take_frames = MultiplexedWebSocket.take_frames

    def counted(self: MultiplexedWebSocket, frames: list[tuple[int, bytes]]) -> None:
        steps.append(len(frames))
        take_frames(self, frames)

    monkeypatch.setattr(MultiplexedWebSocket, "take_frames", counted)
    many = 5000
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        Gate.opened.set()
        flood = b"".join(
            frame(PING) + frame(TEXT, b'["1",null,"room:1","count",%d]' % number) for number in range(many)
        )
        await client.send_bare(flood)
        await eventually(lambda: len(Gate.seen) == many)
        assert Gate.seen == list(range(many))
    assert max(steps) == MANY


async def test_a_channel_that_is_stuck_does_not_keep_the_others_from_being_read() -> None:
    large = "x" * WINDOW
    async with serving(endpoint(max_input_bytes=2 * WINDOW)) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        await client.ask(["2", "2", "room:2", "phx_join", {}])
        await client.send(["1", None, "room:1", "count", 0])  # it waits for the gate
        await client.send(["1", None, "room:1", "count", 1])  # which this one waits for
        for number in range(16):
            answer = await client.ask(["2", str(number), "room:2", "echo", large])
            assert answer == ["2", str(number), "room:2", "phx_reply", {"status": "ok", "response": large}]
        assert await client.ask([None, "9", "phoenix", "heartbeat", {}]) == [
            None, "9", "phoenix", "phx_reply", {"status": "ok", "response": {}}
        ]  # fmt: skip
        Gate.opened.set()


async def test_a_raw_socket_is_read_no_faster_than_it_handles() -> None:
    flood = frame(TEXT, b"x" * 1000) * 20_000
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        waiting: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_bare, flood)
            for number in range(20_000):
                assert await client.next() == "x" * 1000
                if not number % 500:
                    waiting.append(server.runtime.statistics().messages)
        assert max(waiting) < (AHEAD + READ_SIZE) // (1000 + OVERHEAD) + 5


# -------------------------------------------------------------------------------------------------- the process


async def test_a_transport_collects_garbage_when_told_to(caplog: pytest.LogCaptureFixture) -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        gc.disable()
        try:
            gone = weakref.ref(Cycle())
            assert gone() is not None
            await client.ask(["1", "2", "room:1", "collect", {}])
            assert gone() is None
        finally:
            gc.enable()


async def test_a_server_that_is_told_to_stop_closes_with_1012(tmp_path: Path) -> None:
    with serve_zoo(tmp_path) as zoo:
        url = zoo.url.replace("http", "ws")
        async with await Client.open(url + SOCKET) as client, await Client.open(url + ECHO) as raw:
            await client.ask(["1", "1", "room:lobby", "phx_join", {}])
            zoo.process.terminate()
            assert (await client.until_closed())[1] == Closed(1012)
            assert (await raw.until_closed())[1] == Closed(1012)
        assert await in_time(trio.to_thread.run_sync(zoo.process.wait)) == 0
        assert "Traceback" not in zoo.log.read_text()


async def test_the_end_of_the_runtime_closes_with_1012(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server:
        client = await server.connect(SOCKET)
        await client.ask(JOIN)
        await server_stopped(server, client)
    assert (await client.until_closed())[1] == Closed(1012)
    await client.__aexit__(None, None, None)
    assert complaints(caplog, logging.ERROR) == []


async def server_stopped(server: Server, client: Client) -> None:
    """Leave something unread behind."""
    server.endpoint.broadcast("room:1", "last", "x" * 1000)
    assert await client.json() == [None, None, "room:1", "last", "x" * 1000]


async def test_pings_of_many_are_taken_from_one_of_them_in_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, most = 0, 0

    class Passes(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            nonlocal taken, most
            most, taken = max(most, taken), 0

    def count(self: MultiplexedWebSocket, data: bytes) -> None:
        nonlocal taken
        taken += 1
        take(self, data)

    take = MultiplexedWebSocket._take_ping  # noqa: SLF001 - it is what is counted
    monkeypatch.setattr(MultiplexedWebSocket, "_take_ping", count)
    async with serving(endpoint()) as server:
        flooders = [await server.connect(SOCKET) for _ in range(20)]
        trio.lowlevel.add_instrument(passes := Passes())
        for flooder in flooders:
            await flooder.send_bare(frame(PING, b"") * 5 * MANY)
        for flooder in flooders:
            received = 0
            while received < 5 * MANY * 2:  # pongs of two bytes
                received += len(bytes(await in_time(flooder.stream.receive_some())))
            assert received == 5 * MANY * 2
            await flooder.abort()
        trio.lowlevel.remove_instrument(passes)
    assert MANY <= most <= 3 * MANY  # a read that is shorter than that needs no turn
