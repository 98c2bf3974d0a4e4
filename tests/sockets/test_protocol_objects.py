"""What `websockets` keeps for a connection is free when that ends, at whatever moment, with the collector off."""

from __future__ import annotations

import gc
import struct
import weakref
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from websockets.protocol import Protocol

from phxactor import Channel, Endpoint, RawSocket, Socket, WebSocketOptions, channel, mount
from phxactor.transport import _websocket as websocket
from phxactor.transport._frame_protocol import make_protocol
from tests.sockets.serving import Server, eventually, serving
from tests.transport.frames import PING, TEXT, close_frame, frame

pytestmark = pytest.mark.socket

RSV1 = 0x40
HEARTBEAT = b'[null,"1","phoenix","heartbeat",{}]'


class UserSocket(Socket, log=False):
    """Has a channel."""

    channels = (channel("room:*", Channel),)


class Raw(RawSocket):
    """Takes what comes."""


def deflated(data: bytes) -> bytes:
    """Compress a message as a client does (RFC 7692 section 7.2.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


LARGE = HEARTBEAT[:-2] + b'"' + b"x" * 30000 + b'"]'
MOMENTS = {
    "in a fragment": frame(TEXT, b"x" * 30000, fin=False),
    "in a frame of a fragmented message": frame(TEXT, b"x", fin=False) + frame(0, b"x" * 30000)[:9000],
    "after a ping in a fragment": frame(TEXT, b"x", fin=False) + frame(PING, b"x"),
    "in the close handshake": frame(TEXT, b"x", fin=False) + close_frame(1000),
    "after a wrong frame": frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"),
}
DEFLATED = {
    "after a small message": frame(TEXT, deflated(HEARTBEAT), bits=RSV1),
    "after a large message": frame(TEXT, deflated(LARGE), bits=RSV1),
    "in a compressed fragment": frame(TEXT, deflated(LARGE)[:40], fin=False, bits=RSV1),
    "in a compressed frame": frame(TEXT, deflated(HEARTBEAT), bits=RSV1) + frame(TEXT, b"x" * 9000, bits=RSV1)[:4000],
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[weakref.WeakSet[Protocol]]:
    """Keep note of the objects that are alive; nothing is collected."""
    alive: weakref.WeakSet[Protocol] = weakref.WeakSet()

    def make(*arguments: Any) -> Protocol:  # noqa: ANN401 - as `make_protocol` takes them
        protocol = make_protocol(*arguments)
        alive.add(protocol)
        counted.append(1)
        return protocol

    counted: list[int] = []
    monkeypatch.setattr(websocket, "make_protocol", make)
    gc.disable()
    yield alive
    gc.enable()
    assert counted, "the moment needs an object of websockets"


async def come_and_go(server: Server, path: str, data: bytes, *, deflate: bool, reset: bool) -> None:
    """Shake hands, send bytes, and leave by a FIN or a reset once the server has read them."""
    extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
    head = (
        f"GET {path}/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"{extension}\r\n"
    )
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    await stream.send_all(head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await stream.receive_some()
    assert (b"permessage-deflate" in answer) is deflate
    await stream.send_all(data)
    if reset:
        stream.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER of no time
    await stream.aclose()


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "reset"])
@pytest.mark.parametrize("path", ["/socket", "/raw"])
@pytest.mark.parametrize(
    ("moment", "deflate"),
    [("in the close handshake", False)] + [(moment, True) for moment in MOMENTS | DEFLATED],  # the rest needs none
)
async def test_nothing_of_websockets_outlives_its_connection(
    moment: str, deflate: bool, path: str, reset: bool, made: weakref.WeakSet[Protocol]
) -> None:
    options = WebSocketOptions(check_origin=False, compress=True)
    sockets = [mount("/socket", UserSocket, websocket=options), mount("/raw", Raw, websocket=options)]
    async with serving(Endpoint(sockets=sockets)) as server:
        resting = server.processes()
        data = (MOMENTS | DEFLATED)[moment]
        with trio.fail_after(60):
            await come_and_go(server, path, data, deflate=deflate, reset=False)
            if reset:
                await come_and_go(server, path, data, deflate=deflate, reset=True)
        await eventually(lambda: server.processes() == resting)
        await eventually(lambda: not made)
