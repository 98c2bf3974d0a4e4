"""The queue of lines to be written, bounded in number and in bytes, with its lock. No caller waits for room.

A line that finds the queue full is dropped. All further lines are dropped too until the queue is half empty. Otherwise
a full queue would alternate between one written line and one report of a few dropped ones.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Final

from phxactor.telemetry._json_lines import note_failure

MAX_LINES: Final = 1000
"""Lines that may be queued, as in OTP's logger (`flush_qlen`)."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes that the queued lines may hold, counted as in `Line.size`."""
LIVE: Final = 10
"""Lines that may hold their exception and the values of their event at the same time. All others hold only text."""
OVERHEAD: Final = 1000
"""Bytes counted for each line's record, in addition to its text."""
MAX_TEXT: Final = 64 * 1024
"""Characters of a queued line's message, and of its traceback; longer texts are cut."""
_FORMATTER: Final = logging.Formatter()


class Line:
    """A record on its way to its handlers."""

    __slots__ = ("context", "give_back", "record", "size", "target")

    def __init__(
        self, record: logging.LogRecord, *, target: logging.Handler | None = None, context: Context | None = None
    ) -> None:
        self.record: logging.LogRecord | None = record
        self.target = target
        """The handler to call; None for the handlers of the record's logger."""
        self.context = context
        """The context in which the line was written; None for a line that holds only text."""
        self.size = OVERHEAD + len(str(record.msg)) + len(record.exc_text or "")
        for argument in record.args if isinstance(record.args, tuple) else ():
            self.size += len(argument) if isinstance(argument, str) else 0
        self.give_back: Callable[[Callable[[], object]], object] | None = None
        """Schedules a function in the thread that wrote the line, to free there what the line holds; None for text."""


def text_only(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy that holds only text and numbers: the traceback is formatted, other values are removed."""
    record = copy.copy(record)
    with suppress(BaseException):  # raised by a program's own __str__
        record.msg, record.args = record.getMessage()[:MAX_TEXT], None
    note_failure(record)
    if record.exc_info and record.exc_info[0] is not None:
        try:
            text = _FORMATTER.formatException(record.exc_info)
        except BaseException:  # noqa: BLE001 - raised by a program's own __str__
            text = f"{record.exc_info[0].__name__} (formatting its traceback failed)"
        record.exc_text = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n[and {len(text) - MAX_TEXT} more]"
    record.exc_info = None
    fields = getattr(record, "telemetry", None)
    if isinstance(fields, dict):
        record.telemetry = {
            name: str.__getitem__(value, slice(MAX_TEXT)) if issubclass(type(value), str) else value
            for name, value in fields.items()
            if value is None or issubclass(type(value), str | int | float)  # `isinstance` may run code of the value
        }
    return record


class LogQueue:
    """The queued lines, oldest first, and the number of dropped ones."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        """Its lock guards all attributes. It is notified when a line is added, and when all lines are handled."""
        self.dropped = 0
        """Lines dropped since the last report."""
        self.live = 0
        """Lines that hold more than text, queued or being handled."""
        self.bytes = 0
        """Bytes of all queued lines."""
        self._lines: deque[Line] = deque()
        self._dropping = False

    def __len__(self) -> int:
        return len(self._lines)

    def has_room(self) -> bool:
        """Return whether one more line may be added; if not, count it as dropped. The caller holds the lock."""
        full = len(self._lines) >= MAX_LINES or self.bytes >= MAX_BYTES
        if self._dropping and len(self._lines) <= MAX_LINES // 2 and self.bytes <= MAX_BYTES // 2:
            self._dropping = False
        self._dropping = self._dropping or full
        self.dropped += self._dropping
        return not self._dropping

    def append(self, line: Line) -> None:
        """Add a line. The caller holds the lock and has checked `has_room`."""
        self.bytes += line.size
        self._lines.append(line)
        self.changed.notify_all()

    def pop(self) -> Line:
        """Remove the oldest line and return it. The caller holds the lock. Raises IndexError if there is none."""
        line = self._lines.popleft()
        self.bytes -= line.size
        return line

    def take_dropped(self) -> int:
        """Return and reset the number of dropped lines; 0 while lines are still dropped. The caller holds the lock."""
        if not self.dropped or (self._dropping and self._lines):
            return 0
        dropped, self.dropped, self._dropping = self.dropped, 0, False
        return dropped
