"""A handler for a program's own logging, in front of one that may block."""

from __future__ import annotations

import copy
import logging

from phxactor.telemetry.log_writer import WRITER


class NonBlockingHandler(logging.Handler):
    """Has another handler called by the thread that writes phxactor's own lines: who logs waits for nobody.

        logging.basicConfig(handlers=[NonBlockingHandler(logging.StreamHandler())])

    What a program logs by itself in a handler of a channel would hold up all others while nobody reads the log. The
    same bounds hold: when too much waits, lines are dropped, and counted.
    """

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self.target = target

    def createLock(self) -> None:  # noqa: N802 - the name is logging's
        """Have none, as logging's NullHandler: the target has one, and may hold it for as long as it blocks."""
        self.lock = None

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - the name is logging's
        """Have the target write lines in this way."""
        super().setFormatter(fmt)
        self.target.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record over, as text."""
        if WRITER.is_mine():  # it is phxactor's line, and has waited already
            self.target.handle(record)
            return
        if record.exc_info and not record.exc_text and self.target.formatter is not None:
            record = copy.copy(record)
            record.exc_text = self.target.formatter.formatException(record.exc_info)  # type: ignore[arg-type]
            record.exc_info = None
        if record.levelno >= self.target.level:
            WRITER.offer(record, target=self.target)

    def close(self) -> None:
        """Close both."""
        self.target.close()
        super().close()
