"""Clients of the program, in itself: some that talk in their rooms, and one that never reads what it is sent."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Final

import trio

from phxactor import GenServer
from phxactor.client import connect
from phxactor.otp import Continue, Stop

TALKERS: Final = 5
PAUSE: Final = 0.2
"""Seconds between two messages of a talker."""
HEARTBEAT: Final = 15
"""Seconds between two heartbeats of the client that does not read."""


async def dial(port: int) -> trio.SocketStream:
    """Connect to the program's own endpoint, which starts after its processes."""
    while True:
        try:
            return await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            await trio.sleep(0.1)


class Talker(GenServer):
    """A client that says something in its room, again and again; it comes back when it is thrown out."""

    async def init(self, port: int, number: int) -> Continue:
        self.port = port
        self.number = number
        return Continue("talk")

    async def handle_continue(self, continuation: object) -> None:
        await (await dial(self.port)).aclose()
        url = f"ws://127.0.0.1:{self.port}/socket/websocket"
        async with connect(url, params={"user": f"talker {self.number}"}) as socket:
            room = await socket.join(f"chat:{self.number % 3}", {})
            while True:
                await room.cast("say", {"body": "hello"})
                await trio.sleep(PAUSE)


class Deaf(GenServer):
    """A client that joins a topic of large messages, and does not read them."""

    async def init(self, port: int) -> Continue:
        self.port = port
        return Continue("join")

    async def handle_continue(self, continuation: object) -> Stop:
        stream = await dial(self.port)
        key = base64.b64encode(bytes(16)).decode()
        await stream.send_all(
            f"GET /socket/websocket?vsn=2.0.0&user=deaf HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Upgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await stream.receive_some()
        with suppress(trio.BrokenResourceError):
            await stream.send_all(frame("1", "flood", "phx_join"))
            while True:  # else the server takes it for gone
                await trio.sleep(HEARTBEAT)
                await stream.send_all(frame(None, "phoenix", "heartbeat"))
        return Stop("normal")


def frame(join_ref: str | None, topic: str, event: str) -> bytes:
    """Return a message as a frame of a client, masked with zeros."""
    message = json.dumps([join_ref, "1", topic, event, {}]).encode()
    return bytes([0x81, 0x80 | len(message), 0, 0, 0, 0]) + message
