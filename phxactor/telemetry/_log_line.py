"""Writing a line to the log: the part that is done at once, in the calling thread.

The calling thread may run a server's event loop. So it only makes the record, runs the logger's own filters, and calls
the handlers that never block (`never_blocks`: those of tests). The limits and all other handlers are in `log_writer`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import TracebackType

from phxactor.telemetry._log_handlers import handlers, never_blocks
from phxactor.telemetry._log_limits import Kind
from phxactor.telemetry._log_writer import WRITER


def write(
    logger: logging.Logger,
    level: int,
    text: str | Callable[[], str],
    fields: Mapping[str, object],
    exception: BaseException | None = None,
    *,
    follows: bool = False,
) -> None:
    """Write a line, or count it as left out if a limit is reached. Never waits for a handler.

    `text` is the line, or a function that returns it. `fields` becomes the record's attribute `telemetry`. The
    traceback of `exception` follows the line. A line that `follows` failures is limited while a failure repeats.
    """
    if not logger.isEnabledFor(level):
        return
    kind = None
    if level >= logging.WARNING or follows:
        kind = Kind(logger.name, level, _place(exception, fields), follows)
    at_once, later = [], False
    for handler in handlers(logger):
        if never_blocks(handler):
            at_once.append(handler)
        elif level >= handler.level:
            later = True
    record: logging.LogRecord | None = None
    if at_once or logger.filters:
        record = _filtered(logger, _record(logger, level, text, fields, exception))
        if record is None:
            return
        for handler in at_once:
            if level >= handler.level:
                handler.handle(record)
    if later and WRITER.allow(kind):
        WRITER.offer(record or _record(logger, level, text, fields, exception), kind)


def _record(
    logger: logging.Logger,
    level: int,
    text: str | Callable[[], str],
    fields: Mapping[str, object],
    exception: BaseException | None,
) -> logging.LogRecord:
    line = text if isinstance(text, str) else text()
    failure = None
    if exception is not None and _can_be_shown(exception):
        failure = type(exception), exception, exception.__traceback__
    extra = {"telemetry": dict(fields)}
    return logger.makeRecord(logger.name, level, __file__, 0, "%s", (line,), failure, extra=extra)


def as_exception(value: object) -> BaseException | None:
    """Return the value if it is an exception, else None; not by `isinstance`, which reads `__class__` and may raise."""
    return value if issubclass(type(value), BaseException) else None  # type: ignore[return-value]


def _can_be_shown(exception: BaseException) -> bool:
    """Return whether a traceback can be made: the standard library reads each exception's `__class__`; it may raise."""
    seen: set[int] = set()
    left: list[BaseException | None] = [exception]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        try:
            left += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
            left += (one.__cause__, one.__context__)
        except BaseException:  # noqa: BLE001 - raised by a program's own __class__
            return False
    return True


def _filtered(logger: logging.Logger, record: logging.LogRecord) -> logging.LogRecord | None:
    """Run the logger's filters; None if one refuses the record. Since Python 3.12, a filter may return a new record."""
    found: object = logger.filter(record)
    return found if isinstance(found, logging.LogRecord) else record if found else None


def _place(exception: BaseException | None, fields: Mapping[str, object]) -> tuple[object, ...] | None:
    """Return what identifies a failure: the exception's type, and the file and line that raised it."""
    if exception is None:
        try:
            exception = getattr(fields.get("reason"), "exception", None)
        except BaseException:  # noqa: BLE001 - a reason is any object: reading its attribute may raise
            return None
    while issubclass(type(exception), BaseExceptionGroup):
        exception = exception.exceptions[0]  # type: ignore[union-attr]
    exception = as_exception(exception)
    if exception is None:
        return None
    trace: TracebackType | None = exception.__traceback__
    if trace is None:
        return (type(exception),)
    while trace.tb_next is not None:
        trace = trace.tb_next
    return type(exception), trace.tb_frame.f_code.co_filename, trace.tb_lineno
