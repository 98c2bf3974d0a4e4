"""Clients of the zoo in its own thread: bare sockets, read as soon as there is something, so that no time passes."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Final

import trio
from websockets.frames import Frame, Opcode

READ_SIZE: Final = 1 << 20
PASSES: Final = 1000
"""Passes of the scheduler in which everything has to be answered."""
GET: Final = (
    b"GET /many/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def push(topic: str, event: str, payload: str = "{}") -> bytes:
    """Make a message of V2, as a client frames it."""
    return Frame(Opcode.TEXT, f'["1","2","{topic}","{event}",{payload}]'.encode()).serialize(mask=True)


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def send(self, data: bytes) -> None:
        """Send what the kernel takes at once: everything."""
        assert self._socket.send(data) == len(data)

    def receive(self) -> bytes:
        """Return what has come."""
        try:
            return self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Be gone."""
        self._socket.close()


async def until(clients: Iterable[Client], mark: bytes, times: int = 1) -> None:
    """Wait until this has come so many times to each of them."""
    missing = dict.fromkeys(clients, times)
    for _ in range(PASSES):
        await trio.lowlevel.checkpoint()
        for client in list(missing):
            missing[client] -= client.receive().count(mark)
            if not missing[client]:
                del missing[client]
        if not missing:
            return
    raise AssertionError(f"{len(missing)} clients still wait for {mark!r}")


async def connect(port: int, topics: Sequence[str]) -> list[Client]:
    """Connect and join, one client for each topic."""
    clients = [Client(port) for _ in topics]
    for client in clients:
        client.send(GET)
    await until(clients, b"101 Switching")
    for client, topic in zip(clients, topics, strict=True):
        client.send(push(topic, "phx_join"))
    await until(clients, b"phx_reply")
    return clients
