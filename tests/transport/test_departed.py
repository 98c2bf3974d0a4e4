"""What is done for a client that has left, while much of what it has sent is still to be read: next to nothing."""

from __future__ import annotations

from typing import ClassVar

import pytest
import trio

from phxactor import Channel, Endpoint, RawSocket, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import Payload
from phxactor.socket import Message, Multiplexer
from phxactor.transport import _excess as excess
from tests.conformance.client import Pong
from tests.sockets.serving import eventually, in_time, serving
from tests.transport.frames import TEXT, frame

pytestmark = pytest.mark.socket

SOCKET, RAW = "/socket/websocket?vsn=2.0.0", "/raw/websocket"
JOIN = ["1", "1", "room:1", "phx_join", {}]


class Ledger:
    """What has been handled."""

    seen: ClassVar[list[object]] = []


class Quiet(Channel):
    """Answers nothing."""

    @on("count")
    async def count(self, payload: Payload) -> None:
        Ledger.seen.append(payload)


class UserSocket(Socket):
    """Has rooms."""

    channels = (channel("room:*", Quiet),)


class Sink(RawSocket):
    """Answers nothing."""

    async def handle_in(self, message: str | bytes) -> None:
        Ledger.seen.append(message)


def endpoint() -> Endpoint:
    options = WebSocketOptions(check_origin=False)
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=options), mount("/raw", Sink, websocket=options)],
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
