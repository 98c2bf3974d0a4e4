"""The ids of the current trace in the records of the log: `trace_id` and `span_id`, both empty outside of a trace."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.trace import get_current_span

_replaced: Final[list[Callable[..., logging.LogRecord]]] = []


def name_traces() -> None:
    """Give all records that are made from now on the attributes `trace_id` and `span_id`, in hexadecimal."""
    if _replaced:
        return
    before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - as logging's
        record = before(*args, **kwargs)
        context = get_current_span().get_span_context()
        traced = context.is_valid and context.trace_flags.sampled
        record.trace_id = f"{context.trace_id:032x}" if traced else ""
        record.span_id = f"{context.span_id:016x}" if traced else ""
        return record

    _replaced.extend((before, make))
    logging.setLogRecordFactory(make)


def name_none() -> None:
    """Undo `name_traces`, if no one has replaced the factory since."""
    if _replaced:
        before, made = _replaced
        if logging.getLogRecordFactory() is made:
            logging.setLogRecordFactory(before)
        _replaced.clear()
