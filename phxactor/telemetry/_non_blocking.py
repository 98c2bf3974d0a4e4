"""A handler for a program's own log records, in front of a handler that may block."""

from __future__ import annotations

import copy
import logging

from phxactor.telemetry._json_lines import note_failure
from phxactor.telemetry._log_writer import WRITER


class NonBlockingHandler(logging.Handler):
    """Calls another handler in the thread that writes phxactor's own lines, so that the logging thread never waits.

        logging.basicConfig(handlers=[NonBlockingHandler(logging.StreamHandler())])

    Without it, a program that logs in a channel's callback stops all channels while its log is not read. The bounds of
    phxactor's own log apply: when the queue is full, lines are dropped and counted.
    """

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self.target = target

    def createLock(self) -> None:  # noqa: N802 - the name is logging's
        """Have no lock, as logging's NullHandler: the target has its own, and may hold it for as long as it blocks."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and emit a record without a lock; from Python 3.13 on, logging's own `handle` cannot do without."""
        found: object = self.filter(record)  # from Python 3.12 on, a filter may return another record
        if found:
            self.emit(found if isinstance(found, logging.LogRecord) else record)
        return bool(found)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - the name is logging's
        """Set the formatter of the target too."""
        super().setFormatter(fmt)
        self.target.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record for the target, as text. In the writer's thread, call the target at once."""
        if WRITER.is_mine():  # a line of phxactor, which has already been queued
            self.target.handle(record)
            return
        if record.exc_info and not record.exc_text and self.target.formatter is not None:
            record = copy.copy(record)
            note_failure(record)
            record.exc_text = self.target.formatter.formatException(record.exc_info)  # type: ignore[arg-type]
            record.exc_info = None
        if record.levelno >= self.target.level:
            WRITER.offer(record, target=self.target)

    def close(self) -> None:
        """Close the target and this handler."""
        self.target.close()
        super().close()
