"""The thread that hands lines to the handlers of loggers, so that one which blocks holds up nobody else.

    write ── limits ──▶ queue ──▶ the writer's thread ──▶ the handlers of the logger, as logging would call them
               │          └─ full: dropped and counted        │
               └─ too many: counted                           └─▶ what was left out, in one line, when it flows again

It starts with the first line, and ends when there has been nothing to write for a while. A line may hold an exception
with all that its frames hold, and the values of its event; ten at once may, others are made text before they wait. What
a line holds is given back to the thread that it came from, to be freed there. Lines still waiting when the program ends
have a second; so has a handler that blocks.
"""

from __future__ import annotations

import atexit
import copy
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Final, TypeGuard

import trio

from phxactor.telemetry.log_limits import BURST, WHILE, Kind, LogLimits, Report
from phxactor.telemetry.log_queue import LIVE, Line, LogQueue

NAME: Final = "phxactor log"
"""The thread's name."""
IDLE: Final = 5.0
"""Seconds without a line after which the thread ends."""
LAST: Final = 1.0
"""Seconds that the last lines have, when the program ends."""
MAX_TEXT: Final = 64 * 1024
"""Characters of a traceback or of a line that waits."""

OWN: Final = logging.getLogger("phxactor.log")
"""The logger of lines about the log."""
_PYTEST: Final = ("_pytest.logging", "unittest._log")
"""Where handlers are written that only keep what they get, for tests: they see each line, and at once."""


def never_blocks(handler: logging.Handler) -> bool:
    """Tell whether a handler may be called by who writes the line."""
    return isinstance(handler, logging.NullHandler) or type(handler).__module__ in _PYTEST


def handlers(logger: logging.Logger) -> list[logging.Handler]:
    """List the handlers that a logger's lines go to, as `logging.Logger.callHandlers` finds them."""
    found: list[logging.Handler] = []
    current: logging.Logger | None = logger
    while current is not None:
        found += current.handlers
        current = current.parent if current.propagate else None
    if not found and logging.lastResort is not None:
        found.append(logging.lastResort)
    return found


class LogWriter:
    """The queue, and the thread that empties it."""

    def __init__(self) -> None:
        self.queue = LogQueue()
        self._changed = self.queue.changed
        self._limits = LogLimits()
        self._thread: threading.Thread | None = None
        self._busy = False
        """Whether a handler has been called and has not returned."""
        self._handled = 0
        """Lines so far."""
        self._gave_up: int | None = None
        """How many there were when the last lines were waited for in vain."""

    # ------------------------------------------------------------------------------------- for who writes

    def allow(self, kind: Kind | None) -> bool:
        """Tell whether one more line of this kind may be written."""
        with self._changed:
            if self._limits.allow(kind, monotonic()):
                return True
            self._start()  # somebody has to tell
            return False

    def offer(self, record: logging.LogRecord, kind: Kind | None = None, target: logging.Handler | None = None) -> None:
        """Have a record handled by the handlers of its logger, or by `target`. Never blocks, never raises."""
        with self._changed:
            if not self.queue.has_room():
                return
            live = self.queue.live < LIVE and target is None and _in_trio(give_back := _give_back())
            self.queue.live += live
        if live:
            line = Line(record, context=copy_context())
            line.give_back = give_back
        else:
            line = Line(text_only(record), target=target)
        with self._changed:
            if kind is not None:
                self._limits.wrote(kind, record.getMessage())
            if dropped := self.queue.take_dropped():
                self.queue.append(_line(OWN, logging.WARNING, _dropped(dropped)))
            self.queue.append(line)
            self._start()

    def flush(self, seconds: float) -> bool:
        """Wait until everything has been handled, but no longer than that; tell whether it has."""
        deadline = monotonic() + seconds
        with self._changed:
            self._limits.end()
            if self.is_mine():
                return False
            if self._limits.is_due():
                self._start()
            self._changed.notify_all()
            while self._thread is not None and not self._is_done():
                left = deadline - monotonic()
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._changed.wait(left)
        return True

    def is_mine(self) -> bool:
        """Tell whether the current thread is the writer's."""
        return threading.current_thread() is self._thread

    def _is_done(self) -> bool:
        return not (self._busy or self.queue or self.queue.dropped or self._limits.is_due())

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # too many threads, or the interpreter ends: the next line tries again
                self._thread = None

    # ------------------------------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while (line := self._next()) is not None:
            self._handle(line)
            self._release(line)
            del line  # or it would keep all that it holds, while nothing comes

    def _next(self) -> Line | None:
        """Wait for a line; None when there has been none for long, and the thread may end."""
        with self._changed:
            self._busy = False
            while True:
                if self._limits.is_due(now := monotonic()):
                    for report in self._limits.due(now):
                        self.queue.append(_report(report))
                if dropped := self.queue.take_dropped():
                    line = _line(OWN, logging.WARNING, _dropped(dropped))
                elif self.queue:
                    line = self.queue.pop()
                else:
                    self._changed.notify_all()
                    due = self._limits.next_due()
                    if not self._changed.wait(min(max(due - now, 0), IDLE)) and not self.queue and due - now > IDLE:
                        self._thread = None
                        return None
                    continue
                self._busy = True
                return line

    def _handle(self, line: Line) -> None:
        record = line.record
        if record is not None:
            call = _deliver if line.target is None else partial(_guarded, line.target.handle)
            if line.context is None:
                call(record)
            else:
                line.context.run(call, record)
        self._handled += 1

    def _release(self, line: Line) -> None:
        if line.give_back is not None:
            with suppress(trio.RunFinishedError):
                line.give_back(partial(self._forget, line))
                return
            self._forget(line)

    def _forget(self, line: Line) -> None:
        line.record = line.context = None
        with self._changed:
            self.queue.live -= 1

    # --------------------------------------------------------------------------------------------- the end

    def end(self) -> bool:
        """Give the last lines their time, but not twice for the same one; tell whether all are out."""
        if self._gave_up == self._handled and self._busy:
            return False
        if self.flush(LAST):
            return True
        self._gave_up = self._handled
        return False

    def abandon(self) -> None:
        """Leave the thread to the handler in which it is stuck: nobody else is to wait for that any more.

        The handler keeps its lock for ever, and standard error its own, which the end of the interpreter asks for.
        """
        frame = None if self._thread is None else sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001
        while frame is not None:
            handler = frame.f_locals.get("self")
            if isinstance(handler, logging.Handler):
                handler.createLock()
                handler.flush = handler.close = _nothing  # type: ignore[method-assign]
                stream = getattr(handler, "stream", None)
                for name in ("stderr", "stdout"):
                    if stream is None or getattr(sys, name) is stream:
                        _KEPT.append(getattr(sys, name))
                        setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - until the very end
            frame = frame.f_back


_KEPT: Final[list[object]] = []
"""Streams that a thread writes to for ever; freeing them would wait for it."""

WRITER: Final = LogWriter()
"""The one of the program."""


def flush_log(seconds: float = LAST) -> bool:
    """Wait until all lines have been handled, for so many seconds at the most; tell whether they have.

    It blocks the whole thread: for the end of a program, and for tests.
    """
    return WRITER.flush(seconds)


def end_log(*, failed: bool) -> None:
    """Give the last lines their second; in a program that has `failed`, what it prints does not wait for them."""
    if not WRITER.end() and failed:
        WRITER.abandon()


def text_only(record: logging.LogRecord) -> logging.LogRecord:
    """Copy a record without anything that is not text: the traceback is written out, and values are left out."""
    record = copy.copy(record)
    with suppress(BaseException):  # somebody's __str__
        record.msg, record.args = record.getMessage()[:MAX_TEXT], None
    if record.exc_info and record.exc_info[0] is not None:
        try:
            text = _FORMATTER.formatException(record.exc_info)
        except BaseException:  # noqa: BLE001 - somebody's __str__
            text = f"{record.exc_info[0].__name__}, whose traceback cannot be written"
        record.exc_text = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n[and {len(text) - MAX_TEXT} more]"
    record.exc_info = None
    fields = getattr(record, "telemetry", None)
    if isinstance(fields, dict):
        record.telemetry = {
            name: value[:MAX_TEXT] if isinstance(value, str) else value
            for name, value in fields.items()
            if value is None or isinstance(value, str | int | float)
        }
    return record


_FORMATTER: Final = logging.Formatter()


def _deliver(record: logging.LogRecord) -> None:
    """Call the handlers of a record's logger that have not been called by who wrote it."""
    logger = logging.getLogger(record.name)
    code = getattr(type(logger).callHandlers, "__code__", None)
    found = handlers(logger)
    if getattr(code, "co_filename", "") != logging.__file__ and not any(map(never_blocks, found)):
        _guarded(logger.callHandlers, record)  # somebody watches it, as error trackers do
        return
    for handler in found:
        if record.levelno >= handler.level and not never_blocks(handler):
            _guarded(handler.handle, record)


def _guarded(call: Callable[[logging.LogRecord], object], record: logging.LogRecord) -> None:
    try:
        call(record)
    except BaseException:  # noqa: BLE001 - whatever it is, the others get the record, and the next one comes
        if logging.raiseExceptions:  # as logging does
            with suppress(BaseException):
                traceback.print_exc()


def _give_back() -> Callable[[Callable[[], object]], object] | None:
    """Return what has something called in this thread, if trio runs in it."""
    try:
        return trio.lowlevel.current_trio_token().run_sync_soon
    except RuntimeError:
        return None


def _in_trio(
    give_back: Callable[[Callable[[], object]], object] | None,
) -> TypeGuard[Callable[[Callable[[], object]], object]]:
    return give_back is not None


def _report(report: Report) -> Line:
    if report.kind is None:
        return _line(OWN, logging.WARNING, f"{report.count} lines were left out: more than {BURST} came in a second")
    text = f"{report.count} more like this were left out, within {WHILE:g} s: {report.like}"
    return _line(logging.getLogger(report.kind.logger), report.kind.level, text)


def _dropped(count: int) -> str:
    return f"{count} lines were dropped: they came faster than they were written"


def _line(logger: logging.Logger, level: int, text: str) -> Line:
    return Line(logger.makeRecord(logger.name, level, __file__, 0, "%s", (text,), None, extra={"telemetry": {}}))


def _nothing() -> None:
    pass


def _at_exit() -> None:
    if not WRITER.end():
        WRITER.abandon()


def _in_child() -> None:
    WRITER.__init__()  # type: ignore[misc]  # a child has no thread, and its parent's lines are its parent's


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
