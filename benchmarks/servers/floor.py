"""The floor: what a bare trio echo of raw WebSocket frames costs, with nothing on top. All ratios are to it.

    python -m benchmarks.servers.floor --port 4200

One task a connection: wait until it is readable, recv, unmask, frame, send. A message that begins with "B" goes to all
connections, by one `send` each. It is a yardstick and no server: it takes whole, final text frames for granted, takes
it that the system takes all that it sends, and answers nothing else.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import trio
from websockets.utils import accept_key, apply_mask

from benchmarks.command_line import read_port

READ_SIZE = 65536
CLOSE = 8
TO_ALL = b"B"

connections: set[socket.socket] = set()


def frame(data: bytes) -> bytes:
    """Make a text frame, as a server sends it."""
    size = len(data)
    if size < 126:
        return bytes((0x81, size)) + data
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + data
    return b"\x81\x7f" + size.to_bytes(8, "big") + data


class Frames:
    """The bytes of one client, cut into messages."""

    __slots__ = ("_rest", "closed")

    def __init__(self) -> None:
        self._rest = b""
        self.closed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what was read, and give the messages that it completes."""
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        while end - start >= 6:
            size, body = data[start + 1] & 0x7F, start + 6
            if size >= 126:
                width = 2 if size == 126 else 8
                size, body = int.from_bytes(data[start + 2 : start + 2 + width], "big"), body + width
            if end < body + size:
                break
            if data[start] & 15 == CLOSE:
                self.closed = True
                return
            start = body + size
            yield apply_mask(data[body:start], data[body - 4 : body])
        self._rest = data[start:]


async def shake_hands(connection: socket.socket) -> None:
    """Answer the request for a WebSocket."""
    request = b""
    while b"\r\n\r\n" not in request:
        await trio.lowlevel.wait_readable(connection)
        received = connection.recv(READ_SIZE)
        if not received:
            raise ConnectionResetError
        request += received
    key = re.search(rb"(?i)\r\nsec-websocket-key: *([^\r]*)\r\n", request)
    if key is None:
        raise ConnectionRefusedError
    connection.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_key(key[1].decode()).encode()
    )


async def echo(connection: socket.socket) -> None:
    """Serve one client."""
    frames = Frames()
    try:
        await shake_hands(connection)
        connections.add(connection)
        while not frames.closed:
            await trio.lowlevel.wait_readable(connection)
            data = connection.recv(READ_SIZE)
            if not data:
                break
            echoes = []
            for message in frames.feed(data):
                if message.startswith(TO_ALL):
                    broadcast(frame(message))
                else:
                    echoes.append(frame(message))
            if echoes:
                connection.send(b"".join(echoes))
    except OSError:  # the client's end, whatever it was
        pass
    finally:
        connections.discard(connection)
        trio.lowlevel.notify_closing(connection)
        connection.close()


def broadcast(data: bytes) -> None:
    """Send a frame to all."""
    for each in connections:
        each.send(data)


async def serve(port: int) -> None:
    """Accept until cancelled."""
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        listener.settimeout(0)
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(listener)
                connection, _ = listener.accept()
                connection.settimeout(0)
                nursery.start_soon(echo, connection)


def main() -> None:
    """Serve until killed."""
    trio.run(serve, read_port(__doc__))


if __name__ == "__main__":
    main()
