"""The thread that hands lines to the handlers of loggers, so that a blocking handler blocks only this thread.

    write ── limits ──▶ queue ──▶ the writer's thread ──▶ the handlers of the logger, as logging would call them
               │          └─ full: dropped and counted        │
               └─ too many: counted                           └─▶ one line with the count, when lines flow again

The thread starts with the first line, and ends when no line has come for `IDLE` seconds. At most `LIVE` queued lines
hold an exception with its frames and the values of an event; all others are turned into text before they are queued.
The objects that a line holds are given back to the thread that wrote the line, and freed there. When the program ends,
the thread has `LAST` seconds to write the queued lines, even if a handler blocks.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Final, TypeGuard

import trio

from phxactor.telemetry._log_handlers import deliver, guarded
from phxactor.telemetry._log_limits import BURST, WHILE, Kind, LogLimits, Report
from phxactor.telemetry._log_queue import LIVE, Line, LogQueue, text_only

NAME: Final = "phxactor log"
"""The thread's name."""
IDLE: Final = 5.0
"""Seconds without a line after which the thread ends."""
LAST: Final = 1.0
"""Seconds that the end of the program waits for the queued lines."""
OWN: Final = logging.getLogger("phxactor.log")
"""The logger of reports about the log itself."""


class LogWriter:
    """The queue, and the thread that empties it."""

    def __init__(self) -> None:
        self.queue = LogQueue()
        self._changed = self.queue.changed
        self._limits = LogLimits()
        self._thread: threading.Thread | None = None
        self._busy = False
        """Whether the thread is calling a handler."""
        self._handled = 0
        """Lines handled so far."""
        self._text_only = 0
        """The number of blocks of `lines_of_text` that last."""
        self._gave_up: int | None = None
        """The value of `_handled` when `end` last ran out of time; None if it never did."""

    # --------------------------------------------------------------------- called by threads that write lines

    def allow(self, kind: Kind | None) -> bool:
        """Return whether one more line of this kind may be written; if not, count it as left out."""
        with self._changed:
            if self._limits.allow(kind, monotonic()):
                return True
            self._start()  # the thread writes the report of lines left out
            return False

    def offer(self, record: logging.LogRecord, kind: Kind | None = None, target: logging.Handler | None = None) -> None:
        """Queue a record for the handlers of its logger, or for `target`. Never blocks, never raises.

        If the queue is full, the line is dropped and counted.
        """
        with self._changed:
            if not self.queue.has_room():
                return
            may_live = self.queue.live < LIVE and target is None and not self._text_only
            live = may_live and _in_trio(give_back := _give_back())
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

    @contextmanager
    def lines_of_text(self) -> Iterator[None]:
        """Queue lines as text only while the block lasts: the writer's thread then has nothing to give back."""
        self._text_only += 1
        try:
            yield
        finally:
            self._text_only -= 1

    def flush(self, seconds: float) -> bool:
        """Wait at most `seconds` until all lines are handled. Return whether all are; False in the writer's thread."""
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
        """Return whether the current thread is the writer's."""
        return threading.current_thread() is self._thread

    def _is_done(self) -> bool:
        return not (self._busy or self.queue or self.queue.dropped or self._limits.is_due())

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # too many threads, or the interpreter is ending: the next line tries again
                self._thread = None

    # ------------------------------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while (line := self._next()) is not None:
            self._handle(line)
            self._release(line)
            del line  # else the line and what it holds would stay alive until the next line comes

    def _next(self) -> Line | None:
        """Wait for a line. Return None, and let the thread end, after `IDLE` seconds without one."""
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
            call = deliver if line.target is None else partial(guarded, line.target.handle)
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
        """Wait up to `LAST` seconds for the queued lines, and return whether all are handled.

        Returns False at once if an earlier call ran out of time and the same handler still blocks.
        """
        if self._gave_up == self._handled and self._busy:
            return False
        if self.flush(LAST):
            return True
        self._gave_up = self._handled
        return False

    def abandon(self) -> None:
        """Detach the handler that blocks the thread from everything that the end of the interpreter waits for.

        The blocked thread never releases the handler's lock, nor its stream's lock. So the handler gets a new lock, and
        its `flush` and `close` do nothing. Standard error and output are replaced if the handler may write there.
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
"""Streams that a blocked thread still writes to. They are kept because freeing one would wait for that thread."""

WRITER: Final = LogWriter()
"""The program's only writer."""


def flush_log(seconds: float = LAST) -> bool:
    """Wait until all log lines are handled, but at most `seconds` (by default 1). Return whether all are.

    It blocks the calling thread: use it at the end of a program, and in tests.
    """
    return WRITER.flush(seconds)


def log_as_text() -> AbstractContextManager[None]:
    """Have log lines queued as text only while the block lasts, without their exceptions and other values.

    The log's thread then schedules nothing in the loop that wrote them, which a `Schedule` could not put in order.
    """
    return WRITER.lines_of_text()


def end_log(*, failed: bool) -> None:
    """Wait up to `LAST` seconds for the queued lines.

    If a handler still blocks and the program has `failed`, abandon it, so that the program can print its error.
    """
    if not WRITER.end() and failed:
        WRITER.abandon()


def _give_back() -> Callable[[Callable[[], object]], object] | None:
    """Return the function that schedules a call in this thread's trio loop; None if no trio loop runs here."""
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
    WRITER.__init__()  # type: ignore[misc]  # a forked child has no writer thread; the parent writes its own lines


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
