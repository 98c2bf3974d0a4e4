"""A crowd of members of one topic, in a process of its own: it reads fast, and looks only at the head of each message.

    python -m benchmarks.crowd PORT TOPIC MEMBERS AT_ONCE

It connects, and joins as many at a time as it is told to. For each line that it reads then, all join again at once. It
answers each with a line: `seconds states diffs megabytes`, once every member has its state.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import sys
import time
from typing import Final

from benchmarks.os_process import raise_file_limit

_READ: Final = 1 << 20
_HEAD: Final = 96
"""Bytes of a message that are looked at."""
_UPGRADE: Final = (
    b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def connected(port: int) -> socket.socket:
    """Open a WebSocket."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=60)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.sendall(_UPGRADE)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += opened.recv(1)
    return opened


def masked(text: bytes) -> bytes:
    """Return a short text as a client's frame; its mask changes nothing."""
    size = len(text)
    head = bytes((0x81, 0x80 | size)) if size < 126 else struct.pack(">BBH", 0x81, 0xFE, size)
    return head + bytes(4) + text


class Frames:
    """Finds the heads of messages in what a server sends, in pieces of any size."""

    __slots__ = ("_held", "_skip")

    def __init__(self) -> None:
        self._held = b""
        self._skip = 0

    def take(self, data: memoryview) -> list[bytes]:
        """Return the heads of the messages that begin in some bytes."""
        found: list[bytes] = []
        if self._skip >= len(data):
            self._skip -= len(data)
            return found
        rest = self._held + bytes(data[self._skip : self._skip + 128]) if self._held else b""
        whole = memoryview(self._held + bytes(data)) if rest else data[self._skip :]
        self._held, self._skip = b"", 0
        while len(whole) >= 2:
            length, start = whole[1], 2
            if length == 126:
                length, start = (int.from_bytes(whole[2:4]), 4) if len(whole) >= 4 else (0, 5)
            elif length == 127:
                length, start = (int.from_bytes(whole[2:10]), 10) if len(whole) >= 10 else (0, 11)
            end = start + length
            if len(whole) < min(end, start + _HEAD):
                break
            found.append(bytes(whole[start : min(end, start + _HEAD)]))
            if end > len(whole):
                self._skip = end - len(whole)
                return found
            whole = whole[end:]
        self._held = bytes(whole)
        return found


class Crowd:
    """The members."""

    def __init__(self, port: int, topic: str, members: int) -> None:
        self._topic = topic
        self._everybody = [connected(port) for _ in range(members)]
        self._poll = selectors.DefaultSelector()
        for number, one in enumerate(self._everybody):
            one.settimeout(0)
            self._poll.register(one, selectors.EVENT_READ, (number, Frames()))
        self._buffer = bytearray(_READ)

    def join(self, at_once: int) -> tuple[float, int, int, float]:
        """Have all join: seconds, states, diffs, and megabytes that came."""
        began = time.monotonic()
        todo = iter(enumerate(self._everybody))
        waiting: set[int] = set()
        states = diffs = total = 0
        buffer = memoryview(self._buffer)
        while True:
            while len(waiting) < at_once and (one := next(todo, None)) is not None:
                number, member = one
                waiting.add(number)
                member.send(masked(f'["1","1","{self._topic}","phx_join",{{"n":{number}}}]'.encode()))
            if not waiting:
                return time.monotonic() - began, states, diffs, total / 1e6
            for key, _ in self._poll.select(10):
                number, frames = key.data
                size = key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
                if not size:
                    raise ConnectionError(f"the server has closed the connection of member {number}")
                total += size
                for head in frames.take(buffer[:size]):
                    if b'"presence_diff"' in head:
                        diffs += 1
                    elif b'"presence_state"' in head:
                        states += 1
                        waiting.discard(number)


def main(port: int, topic: str, members: int, at_once: int) -> None:
    """Connect, join, and join again for each line."""
    raise_file_limit()
    os.nice(5)
    crowd = Crowd(port, topic, members)
    print("{:.2f} {} {} {:.0f}".format(*crowd.join(at_once)), flush=True)
    for _ in sys.stdin:
        print("{:.2f} {} {} {:.0f}".format(*crowd.join(members)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
