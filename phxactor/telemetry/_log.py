"""Logging an event: each event of phxactor has a logger of the same name, and is one line of that logger by default."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from phxactor.telemetry._event import Event, Handler
from phxactor.telemetry._log_line import as_exception, write


def log(
    event: Event, level: int, describe: Callable[[Mapping[str, object]], str], *, told_level: int | None = None
) -> Handler:
    """Write a line at `level` to the logger named like the event, each time the event is emitted.

    `describe(fields)` returns the text of the line. If the event has a field `exception`, its traceback follows. With
    `told_level`, the event has a field `told`: whether another event has reported the same failure already. If so, the
    line has that level, so that one crash is one record of the level ERROR.

    Returns the attached handler. A program that reports the event in another way gives it to `event.detach`.
    """
    logger = logging.getLogger(event.name)

    def handler(_: Event, fields: Mapping[str, object]) -> None:
        at = level if told_level is None or not fields["told"] else told_level
        if logger.isEnabledFor(at):
            write(logger, at, lambda: describe(fields), fields, as_exception(fields.get("exception")))

    handler.__module__ = getattr(describe, "__module__", __name__)  # so that a reload of that module replaces it
    event.attach(handler)
    event.level = level
    return handler
