"""Logging an event: each of ours has a logger of its name, below `phxactor`, and is a line there by default."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from phxactor.telemetry.event import Event, Handler
from phxactor.telemetry.log_line import as_exception, write


def log(event: Event, level: int, describe: Callable[[Mapping[str, object]], str]) -> Handler:
    """Attach the logger of the event's name to it: `describe(fields)` is the line, a field `exception` the traceback.

    Returns the handler, for whoever wants to `detach` it and report in another way.
    """
    logger = logging.getLogger(event.name)

    def handler(_: Event, fields: Mapping[str, object]) -> None:
        if logger.isEnabledFor(level):
            write(logger, level, lambda: describe(fields), fields, as_exception(fields.get("exception")))

    handler.__module__ = getattr(describe, "__module__", __name__)  # whose it is, should that module be reloaded
    event.attach(handler)
    return handler
