"""The lines that wait to be written: bounded in number and in bytes. Plain, but for a lock; nobody waits for room.

One that finds the queue full is dropped, and so are all that follow until half of it has been written, or each line
that is written would be followed by a word about the few that were not.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Final

MAX_LINES: Final = 1000
"""Lines that may wait, as in OTP's logger (`flush_qlen`)."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes of text that may wait."""
LIVE: Final = 10
"""Lines that may hold their exception and the values of their event; any other that waits is nothing but text."""
OVERHEAD: Final = 1000
"""Bytes that a line counts in addition: its record."""


class Line:
    """A record on its way to the handlers of loggers."""

    __slots__ = ("context", "give_back", "record", "size", "target")

    def __init__(
        self, record: logging.LogRecord, *, target: logging.Handler | None = None, context: Context | None = None
    ) -> None:
        self.record: logging.LogRecord | None = record
        self.target = target
        """The handler that it is for; those of its logger, unless given."""
        self.context = context
        """In which it was written, if it holds more than text."""
        self.size = OVERHEAD + len(str(record.msg)) + len(record.exc_text or "")
        for argument in record.args if isinstance(record.args, tuple) else ():
            self.size += len(argument) if isinstance(argument, str) else 0
        self.give_back: Callable[[Callable[[], object]], object] | None = None
        """Has a function called in the thread in which what it holds was made."""


class LogQueue:
    """Lines, oldest first, and how many were dropped."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        """Notified when a line has come or has been handled; it guards everything here."""
        self.dropped = 0
        """Lines since this was told last."""
        self.live = 0
        """Lines that hold more than text, whether they wait or are being handled."""
        self.bytes = 0
        self._lines: deque[Line] = deque()
        self._dropping = False

    def __len__(self) -> int:
        return len(self._lines)

    def has_room(self) -> bool:
        """Tell whether one more line may come, and count it as dropped if not; with the lock."""
        full = len(self._lines) >= MAX_LINES or self.bytes >= MAX_BYTES
        if self._dropping and len(self._lines) <= MAX_LINES // 2 and self.bytes <= MAX_BYTES // 2:
            self._dropping = False
        self._dropping = self._dropping or full
        self.dropped += self._dropping
        return not self._dropping

    def append(self, line: Line) -> None:
        """Add a line; with the lock, and where there is room."""
        self.bytes += line.size
        self._lines.append(line)
        self.changed.notify_all()

    def pop(self) -> Line:
        """Take the oldest line; with the lock. Raises IndexError."""
        line = self._lines.popleft()
        self.bytes -= line.size
        return line

    def take_dropped(self) -> int:
        """Return how many were dropped, if some were and that is over; with the lock."""
        if not self.dropped or (self._dropping and self._lines):
            return 0
        dropped, self.dropped, self._dropping = self.dropped, 0, False
        return dropped
