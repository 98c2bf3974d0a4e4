"""What waits to be written on a line. Pure.

    messages, numbered, in order ──▶ │ bounded: whole messages are dropped │ ──▶ chunk ──▶ the socket
    beats, confirmations, lanes ─────────────── ahead of them ────────────────────┘

A beat never waits behind messages (NO6): it goes between two frames, with the number of the message before it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from phxactor.cluster.carriers.workers._frames import HEAD, HEAD_BYTES, FrameKind, frame

MAX_BYTES: Final = 16 * 1024 * 1024
"""Most bytes of messages that wait for a node that does not keep up (CL58)."""
CHUNK: Final = 256 * 1024
"""Bytes that are given to the socket at once, unless one message alone is larger: more than its buffer takes."""

_MESSAGE: Final = int(FrameKind.MESSAGE)


@final
class Outbox:
    """The output of one line."""

    __slots__ = ("_ahead", "_beat", "_goodbye", "_messages", "limit", "number", "open", "size")

    def __init__(self, limit: int = MAX_BYTES) -> None:
        """Begin a line: no message has been sent."""
        self.limit = limit
        self.number = 0
        """The number of the last message, whether it waits, is gone or was dropped."""
        self.size = 0
        """Bytes of messages that wait."""
        self.open = True
        """Whether messages are taken; if not, they are dropped."""
        self._messages: deque[bytes] = deque()
        """Heads and bodies in turn."""
        self._ahead: list[bytes] = []
        self._beat = False
        self._goodbye = False

    def add(self, message: bytes) -> bool:
        """Add a message. Returns False if it is dropped: it has a number all the same, so the receiver will know."""
        self.number = number = self.number + 1
        size = len(message)
        if not self.open or (self.size and self.size + size > self.limit):
            return False
        self.size += HEAD_BYTES + size
        self._messages.append(HEAD.pack(size, _MESSAGE, number))
        self._messages.append(message)
        return True

    def add_ahead(self, whole: bytes) -> None:
        """Add a frame that goes ahead of all messages."""
        self._ahead.append(whole)

    def beat(self) -> None:
        """Send a beat with the next chunk; one at most waits."""
        self._beat = True

    def goodbye(self) -> None:
        """Take no more messages, and say goodbye once all are written."""
        self.open = False
        self._goodbye = True

    def drop(self) -> tuple[int, int]:
        """Drop all messages that wait, and take no more until `open` is set. Returns how many, and their bytes."""
        messages, size = len(self._messages) // 2, self.size - len(self._messages) // 2 * HEAD_BYTES
        self._messages.clear()
        self.size = 0
        self.open = False
        return messages, size

    def chunk(self) -> bytes:
        """Take the bytes to write next: whole frames; none if nothing waits."""
        messages, ahead = self._messages, self._ahead
        if not ahead and not self._beat and self.size <= CHUNK:
            if messages:
                data = b"".join(messages)
                messages.clear()
                self.size = 0
                return data
            if not self._goodbye:
                return b""
        if self._beat:
            self._beat = False
            last = HEAD.unpack_from(messages[0])[2] - 1 if messages else self.number
            ahead.append(frame(FrameKind.BEAT, last))
        taken = 0
        while messages and (not taken or taken + len(messages[0]) + len(messages[1]) <= CHUNK):
            ahead.append(messages.popleft())
            taken += HEAD_BYTES + len(messages[0])
            ahead.append(messages.popleft())
        self.size -= taken
        if self._goodbye and not messages:
            self._goodbye = False
            ahead.append(frame(FrameKind.GOODBYE))
        data = b"".join(ahead)
        ahead.clear()
        return data
