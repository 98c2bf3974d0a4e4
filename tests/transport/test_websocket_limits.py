"""What a connection may cost: output that nobody reads, input that nobody keeps up with; and the end of the server."""

from __future__ import annotations

import base64
import gc
import logging
import math
import os
import weakref
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Endpoint, Ok, Pid, Socket, WebSocketOptions, channel, mount, on, self_pid
from phxactor.channels import Payload
from phxactor.net import READ_SIZE, Connection
from phxactor.socket._backlog import SMALL_WEIGHT
from phxactor.socket._rate_limit import ABUSE
from phxactor.transport import MultiplexedWebSocket
from phxactor.transport import _excess as excess
from phxactor.transport import _multiplexed_input as multiplexed
from phxactor.transport._excess import PINGS, SPLINTER, SPLINTERS
from phxactor.transport._multiplexed_input import WINDOW
from phxactor.transport._read_ahead import AHEAD, OVERHEAD
from phxactor.transport._websocket import HEAVY, PIECE
from tests.conformance.client import Client, Closed
from tests.conformance.server import serve_zoo
from tests.conformance.zoo import EchoSocket
from tests.sockets.serving import Server, complaints, eventually, in_time, moment, passing, serving
from tests.transport.frames import CONT, PING, PONG, TEXT, frame

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


def endpoint(max_input_bytes: int = 8 * 1024 * 1024, max_containers: int = 65_536, **options: float) -> Endpoint:
    chosen = WebSocketOptions(check_origin=False, max_output_bytes=BOUND, **options)  # type: ignore[arg-type]
    channels = attrs.evolve(chosen, max_input_bytes=max_input_bytes, max_containers=max_containers)
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=channels),
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
        pytest.param(ECHO, frame(TEXT, b"x" * 50_000), id="echoes"),
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
            await eventually(lambda: len(Gate.pid.mailbox) > 50)
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
        async with passing(still_clock, 0.05):  # the connection may pause, and would hold up the end of the server
            await client.close()
            await eventually(lambda: not Gate.pid.alive)


@pytest.mark.parametrize(("arrays", "compress"), [(98, False), (99, False), (98, True), (99, True)])
async def test_a_message_may_have_so_many_arrays_and_objects(arrays: int, compress: bool) -> None:
    inner: list[object] = [[]] * (arrays // 2) + [{}] * (arrays - arrays // 2 - 1)
    payload = {"text": "{[" * 100, "arrays": inner}
    made = endpoint(max_containers=100, compress=compress)
    async with serving(made) as server, await server.connect(SOCKET, compress=compress) as client:
        await client.ask(JOIN)
        await client.send(["1", "1", "room:1", "echo", payload])
        if arrays == 98:  # and the message, and its payload
            assert await client.json() == ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": payload}]
        else:
            assert await client.until_closed() == ([], Closed(1009))


async def test_whose_channel_takes_nothing_for_long_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplexed, "STUCK", 0.1)
    async with serving(endpoint(max_input_bytes=4 * WINDOW)) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        for number in range(8):
            await client.send(["1", None, "room:1", "count", [number, "x" * WINDOW]])
        events, end = await client.until_closed()
        assert (events, end) == ([], Closed(1011))


async def test_many_small_frames_are_taken_in_turns_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplexed, "SHARE", 0.0)
    turns = counted(monkeypatch, "wait_for_turn")
    many = 5000
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        Gate.opened.set()
        flood = b"".join(
            frame(PING) * (number % 10 == 0) + frame(TEXT, b'["1",null,"room:1","count",%d]' % number)
            for number in range(many)
        )
        await client.send_bare(flood)
        await eventually(lambda: len(Gate.seen) == many)
        assert Gate.seen == list(range(many))
    assert len(turns) > len(flood) / PIECE / 2


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[MultiplexedWebSocket]:
    """Have calls of a method noted."""
    calls: list[MultiplexedWebSocket] = []
    method = getattr(MultiplexedWebSocket, name)

    def call(self: MultiplexedWebSocket, *arguments: object) -> object:
        calls.append(self)
        return method(self, *arguments)

    monkeypatch.setattr(MultiplexedWebSocket, name, call)
    return calls


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


async def test_much_work_is_done_for_one_client_in_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplexed, "SHARE", 0.0)
    monkeypatch.setattr(excess, "PROBE", math.inf)
    taken, most, turns = 0, 0, 0
    take = MultiplexedWebSocket.take_frames

    class Passes(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            nonlocal taken, most, turns
            most, taken, turns = max(most, taken), 0, turns + taken

    def count(self: MultiplexedWebSocket, frames: list[tuple[int, bytes]]) -> None:
        nonlocal taken
        taken += self._turn
        take(self, frames)

    monkeypatch.setattr(MultiplexedWebSocket, "take_frames", count)
    async with serving(endpoint()) as server:
        crowd = [await server.connect(SOCKET) for _ in range(20)]
        trio.lowlevel.add_instrument(passes := Passes())
        for client in crowd:
            await client.send_bare(frame(TEXT, b'[null,"1","phoenix","heartbeat",{}]') * 200)
        for client in crowd:
            for _ in range(200):
                assert await in_time(client.json()) == [None, "1", "phoenix", "phx_reply", JOINED[4]]
            await client.abort()
        trio.lowlevel.remove_instrument(passes)
    assert most == 1
    assert turns > len(crowd)


@pytest.mark.parametrize("path", [SOCKET, ECHO])
@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_who_sends_pings_without_end_is_let_go(path: str, opcode: int, still_clock: MockClock) -> None:
    async with serving(endpoint()) as server, await server.connect(path) as client:
        await client.send_bare(frame(opcode) * (PINGS + ABUSE * PINGS))
        await client.send_bare(frame(PING, b"last"))
        events, end = await client.until_closed()
    assert end.code == 1008
    assert len(events) == (PINGS if opcode == PING else 0)


@pytest.mark.parametrize("path", [SOCKET, ECHO])
async def test_who_sends_tiny_fragments_without_end_is_let_go(path: str, still_clock: MockClock) -> None:
    most = SPLINTERS + ABUSE * SPLINTERS
    async with serving(endpoint()) as server, await server.connect(path) as client:
        await client.send_bare(frame(TEXT, fin=False) + frame(CONT, b"x" * SPLINTER, fin=False) * 2 * most)
        await client.send_bare(frame(CONT, fin=False) * most)
        assert (await client.until_closed())[1].code == 1008


async def test_messages_that_are_much_work_wait_for_their_turn_and_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = counted(monkeypatch, "wait_for_turn")
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        Gate.opened.set()
        sizes = [1, 2 * HEAVY, 1, HEAVY + 1, HEAVY // 2, 2 * HEAVY, 2 * HEAVY]
        for number, size in enumerate(sizes):
            await client.send(["1", None, "room:1", "count", [number, "x" * size]])
        await eventually(lambda: len(Gate.seen) == len(sizes))
    assert Gate.seen == [[number, "x" * size] for number, size in enumerate(sizes)]
    assert len(turns) >= 4


async def test_what_a_client_has_sent_that_resets_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplexed, "SHARE", 0.0)
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        Gate.opened.set()
        await client.send_bare(frame(TEXT, b'["1",null,"room:1","count",1]') * 5000)
        await client.abort()
        await eventually(lambda: not connections())
        assert len(Gate.seen) < 5000
