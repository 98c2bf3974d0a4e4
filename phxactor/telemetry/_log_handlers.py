"""The handlers that get a record: found and called as the logging module does it, in the right thread.

The thread that writes a line calls only the handlers that never block; the writer's thread calls all others.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_PYTEST: Final = ("_pytest.logging", "unittest._log")
"""Modules whose handlers only store records, for tests. They get every line, in the thread that writes it."""


def never_blocks(handler: logging.Handler) -> bool:
    """Return whether a handler may be called in the thread that writes the line."""
    return isinstance(handler, logging.NullHandler) or type(handler).__module__ in _PYTEST


def handlers(logger: logging.Logger) -> list[logging.Handler]:
    """Return the handlers that get a logger's records, found as `logging.Logger.callHandlers` finds them."""
    found: list[logging.Handler] = []
    current: logging.Logger | None = logger
    while current is not None:
        found += current.handlers
        current = current.parent if current.propagate else None
    if not found and logging.lastResort is not None:
        found.append(logging.lastResort)
    return found


def deliver(record: logging.LogRecord) -> None:
    """Call the handlers of a record's logger, except those that `write` has already called (`never_blocks`)."""
    logger = logging.getLogger(record.name)
    code = getattr(type(logger).callHandlers, "__code__", None)
    found = handlers(logger)
    if getattr(code, "co_filename", "") != logging.__file__ and not any(map(never_blocks, found)):
        guarded(logger.callHandlers, record)  # it is patched, as error trackers do: call the patch
        return
    for handler in found:
        if record.levelno >= handler.level and not never_blocks(handler):
            guarded(handler.handle, record)


def guarded(call: Callable[[logging.LogRecord], object], record: logging.LogRecord) -> None:
    """Call a handler; print an exception that it raises."""
    try:
        call(record)
    except BaseException:  # noqa: BLE001 - the other handlers must get the record, and the thread must go on
        if logging.raiseExceptions:  # the logging module reports errors of handlers under the same condition
            with suppress(BaseException):
                traceback.print_exc()
