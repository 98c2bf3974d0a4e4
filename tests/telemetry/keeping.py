"""A log whose handlers keep what they are given."""

from __future__ import annotations

import logging
import logging.handlers
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from phxactor.telemetry import flush_log, write
from phxactor.telemetry._log_limits import LogLimits
from phxactor.telemetry._log_writer import WRITER
from tests.patience import PATIENCE


class Kept(logging.Handler):
    """Keeps what it gets, after it has passed a gate; it is not one of those that are called at once."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []
        self.threads: set[str] = set()
        self.keeps = True

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE)
        self.threads.add(threading.current_thread().name)
        self.lines.append(self.format(record))
        if self.keeps:
            self.records.append(record)

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Have it block at the next line."""
        self.open.clear()
        self.entered.clear()
        try:
            yield
        finally:
            self.open.set()


@attrs.frozen
class Log:
    """A logger of its own, below `phxactor`, and its handler."""

    logger: logging.Logger
    handler: Kept

    def write(self, text: str | Callable[[], str], level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401
        write(self.logger, level, text, fields, fields.get("exception"))

    def lines(self) -> list[str]:
        assert flush_log(PATIENCE)
        return self.handler.lines


def begin_second() -> None:
    """Have the limits of the whole program forget what they have counted."""
    WRITER._limits = LogLimits()  # noqa: SLF001 - they know no other time than the system's


def failure(text: str = "no", held: object = None) -> Exception:
    """Make an exception whose traceback holds something."""
    try:
        raise ValueError(text)  # noqa: TRY301 - here, so that its frame is in the traceback
    except ValueError as error:
        return error
