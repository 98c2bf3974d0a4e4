"""What is done for a client that has left, while much of what it has sent is still to be read: next to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio

from phxactor import Channel, Endpoint, RawSocket, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import Payload
from phxactor.runtime import open_runtime
from phxactor.socket import Message, Multiplexer
from phxactor.transport import _excess as excess
from phxactor.transport._websocket import WebSocket
from tests.conformance.client import Closed, Pong
from tests.endpoint.waiting import WEBSOCKET, connect, listening
from tests.sockets.serving import Server, eventually, in_time, serving
from tests.transport.frames import TEXT, close_frame, frame

pytestmark = pytest.mark.socket

SOCKET, RAW = "/socket/websocket?vsn=2.0.0", "/raw/websocket"
JOIN = ["1", "1", "room:1", "phx_join", {}]


class Ledger:
    """What has been handled, and what handlers wait for."""

    seen: ClassVar[list[object]] = []
    gate = trio.Event()


class Quiet(Channel):
    """Answers nothing."""

    @on("count")
    async def count(self, payload: Payload) -> None:
        Ledger.seen.append(payload)

    @on("wait")
    async def wait(self, payload: Payload) -> None:
        Ledger.seen.append(payload)
        await Ledger.gate.wait()


class UserSocket(Socket):
    """Has rooms."""

    channels = (channel("room:*", Quiet),)


class Sink(RawSocket):
    """Answers nothing."""

    async def handle_in(self, message: str | bytes) -> None:
        Ledger.seen.append(message)
        if message == "wait":
            await Ledger.gate.wait()


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    channels = WebSocketOptions(check_origin=False, max_input_bytes=1_000_000)
    raw = WebSocketOptions(check_origin=False)
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=channels), mount("/raw", Sink, websocket=raw)], **options
    )


@pytest.mark.parametrize(
    ("path", "text"), [(SOCKET, b'["1",null,"room:1","count",1]'), (RAW, b"x" * 100)], ids=["channels", "raw"]
)
async def test_a_client_that_is_told_nothing_is_sent_a_pong_after_much_work(
    path: str, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excess, "PROBE", 0.0)
    Ledger.seen.clear()
    many = 1000
    async with serving(endpoint()) as server, await server.connect(path) as client:
        if path == SOCKET:
            await client.ask(JOIN)
        await trio.sleep(0.05)  # what was sent last is not taken for a sign of life
        await client.send_bare(frame(TEXT, text) * many)
        assert await in_time(client.next()) == Pong(b"")
        await eventually(lambda: len(Ledger.seen) == many)


async def test_nothing_is_dropped_of_a_client_that_closes_and_has_sent_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excess, "PROBE", 0.0)
    Ledger.seen.clear()
    many = 100
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.ask(JOIN)
        await client.send_bare(frame(TEXT, b'["1",null,"room:1","count",1]') * many)
        await trio.aclose_forcefully(client.stream)
        await eventually(lambda: len(Ledger.seen) == many)


async def test_joins_that_wait_in_a_row_are_taken_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    handle_in = Multiplexer.handle_in

    def count(self: Multiplexer, message: Message) -> None:
        nonlocal taken
        taken += 1
        handle_in(self, message)

    monkeypatch.setattr(Multiplexer, "handle_in", count)
    many = 100
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        joins = (b'["%d","%d","room:1","phx_join",{}]' % (number, number) for number in range(many))
        await client.send_bare(b"".join(frame(TEXT, join) for join in joins))
        answered: list[object] = []
        while len(answered) < many:
            message = await in_time(client.json())
            if message[3] == "phx_reply":
                answered.append(message[1])
    assert answered == [str(number) for number in range(many)]
    assert taken <= 3 * many


MOST = 1000
"""Messages that are handled all the same: those that were read and decoded before."""
FLOODS = {
    "channels": (SOCKET, frame(TEXT, b'["1","1","room:1","phx_join",{}]'), b'["1",null,"room:1","wait",1]'),
    "raw": (RAW, b"", b"wait"),
}


@pytest.mark.parametrize("how", ["closes", "resets"])
@pytest.mark.parametrize("over", ["plain", "no epoll", "unix", "tls"])
@pytest.mark.parametrize("what", FLOODS)
async def test_what_a_client_that_is_gone_has_left_unread_is_dropped(
    what: str, over: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if over == "no epoll":
        monkeypatch.setattr("phxactor.endpoint._serving.READER_AVAILABLE", False)
    found = gone(monkeypatch)
    Ledger.seen.clear()
    Ledger.gate = trio.Event()
    path, first, text = FLOODS[what]
    request = f"GET {path} HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}\r\n".encode()
    made = endpoint(**listening(over, tmp_path))
    async with open_runtime() as runtime:
        (await made.start_link(port=None if over == "unix" else 0)).unwrap()
        server = Server(made, runtime)
        before = server.processes()
        client = await connect(server, over)
        await client.stream.send_all(request + first)
        with trio.move_on_after(0.5):  # until nobody reads any more, and the buffers of both systems are full
            while True:
                await client.stream.send_all(frame(TEXT, text) * MOST)
        await eventually(lambda: Ledger.seen)
        await client.leave(how)
        await eventually(lambda: found)
        assert len(Ledger.seen) == 1
        Ledger.gate.set()
        await eventually(lambda: server.processes() == before)
        assert len(Ledger.seen) < MOST


def gone(monkeypatch: pytest.MonkeyPatch) -> list[WebSocket]:
    """Have the connections noted that `check_client` finds broken."""
    found = []
    check = WebSocket.check_client

    def note(self: WebSocket) -> None:
        try:
            check(self)
        except trio.BrokenResourceError:
            found.append(self)
            raise

    monkeypatch.setattr(WebSocket, "check_client", note)
    return found


@pytest.mark.parametrize("what", FLOODS)
async def test_all_that_comes_before_a_close_frame_is_handled_though_it_is_held_back(what: str) -> None:
    Ledger.seen.clear()
    Ledger.gate = trio.Event()
    path, first, text = FLOODS[what]
    many = 5 * MOST
    async with serving(endpoint()) as server, await server.connect(path) as client:
        await client.send_bare(first)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_bare, frame(TEXT, text) * many + close_frame(1000))
            await eventually(lambda: Ledger.seen)
            await trio.sleep(0.1)
            assert len(Ledger.seen) == 1
            Ledger.gate.set()
        assert (await in_time(client.until_closed()))[1] == Closed(1000)
        await eventually(lambda: len(Ledger.seen) == many)
