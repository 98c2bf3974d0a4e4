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

    __slots__ = ("_ahead", "_beat", "_full", "_goodbye", "_left", "_messages", "limit", "number", "open", "size")

    def __init__(self, limit: int = MAX_BYTES) -> None:
        """Begin a line: no message has been sent."""
        self.limit = limit
        self.number = 0
        """The number of the last message, whether it waits, is gone or was dropped."""
        self.size = 0
        """Bytes of messages that wait."""
        self.open = True
        """Whether messages are taken; if not, they are dropped."""
        self._full = False
        """Whether it is closed because too much waits; it opens when half of that is gone, so that one gap is one."""
        self._left = 0
        """The number of the last message that was taken out to be written, or that a beat has told as lost."""
        self._messages: deque[bytes] = deque()
        """Heads and bodies in turn."""
        self._ahead: list[bytes] = []
        self._beat = False
        self._goodbye = False

    def add(self, message: bytes) -> bool:
        """Add a message. Returns False if it is dropped: it has a number all the same, so the receiver will know."""
        self.number = number = self.number + 1
        size = len(message)
        if self.size and self.size + size > self.limit and self.open:
            self.open = False
            self._full = True
        if not self.open:
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

    def reopen(self) -> None:
        """Take messages again, and tell at once what was lost."""
        self.open = True
        self._full = False
        self._beat = True

    def drop(self) -> tuple[int, int]:
        """Drop all messages that wait, and take no more until `reopen`. Returns how many, and their bytes.

        Beats do not tell of it meanwhile: the whole loss is one gap.
        """
        messages, size = len(self._messages) // 2, self.size - len(self._messages) // 2 * HEAD_BYTES
        self._messages.clear()
        self.size = 0
        self.open = self._full = False
        return messages, size

    def chunk(self) -> bytes:
        """Take the bytes to write next: whole frames; none if nothing waits."""
        messages, ahead = self._messages, self._ahead
        if self.open and not ahead and not self._beat and self.size <= CHUNK:
            data = b"".join(messages)
            messages.clear()
            self.size = 0
            self._left = self.number
            return data
        if self._beat:
            self._beat = False
            self._left = self._before_next()
            ahead.append(frame(FrameKind.BEAT, self._left))
        self._take_messages(ahead)
        if self._goodbye and not messages:
            self._goodbye = False
            ahead.append(frame(FrameKind.GOODBYE))
        data = b"".join(ahead)
        ahead.clear()
        return data

    def _take_messages(self, taken: list[bytes]) -> None:
        messages, size, head = self._messages, 0, b""
        while messages and (not size or size + len(messages[0]) + len(messages[1]) <= CHUNK):
            head = messages.popleft()
            taken.append(head)
            size += HEAD_BYTES + len(messages[0])
            taken.append(messages.popleft())
        if head:
            self.size -= size
            self._left = HEAD.unpack_from(head)[2]
            if self._full and self.size <= self.limit // 2:
                self._full = False
                self.open = True

    def _before_next(self) -> int:
        """Return the number of the message before the next one that will be written, whether it went or was dropped."""
        if self._messages:
            return int(HEAD.unpack_from(self._messages[0])[2]) - 1
        return self.number if self.open else self._left
