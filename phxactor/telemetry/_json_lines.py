"""A record of the log as one line of JSON, for programs that read logs.

    {"time": "2026-11-30T18:30:00.123Z", "level": "ERROR", "logger": "phxactor.channel.crashed",
     "message": "Room of 'room:42' crashed in 'new_msg'", "fields": {"channel": "Room", "topic": "room:42"},
     "exception": {"type": "ValueError", "message": "...", "traceback": "..."}, "process": 4242}

It is ASCII, so that no half of a surrogate pair and no control character of a client breaks it; its length is bounded.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from phxactor.telemetry._brief import brief

MAX_TEXT: Final = 64 * 1024
"""Characters of a message, of a traceback and of a field; longer texts are cut."""
TRACE: Final = ("trace_id", "span_id")
"""Attributes of a record that was written within a trace (phxactor.opentelemetry)."""
_FORMATTER: Final = logging.Formatter()


class JSONFormatter(logging.Formatter):
    """Formats a record as one line of JSON, for any handler of `logging`.

    The keys are `time` (UTC, RFC 3339, with milliseconds), `level`, `logger`, `message` and `process` (the number of
    the operating system); of an event also `fields`: those that are text, numbers, booleans or null, and processes as
    text; of a failure `exception`, with `type`, `message` and `traceback`; within a trace `trace_id` and `span_id`.
    Other values of an event, such as the state of a server, are not written.

    Args:
        constant: further keys of each line, such as `{"worker": 2}`; their values are what JSON can hold.

    """

    def __init__(self, constant: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._constant = dict(constant or {})

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end. An exception of a program's own `__str__` is no exception of this."""
        line: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "process": record.process,
            **self._constant,
        }
        for name in TRACE:
            if found := getattr(record, name, None):
                line[name] = str(found)
        if fields := _fields(getattr(record, "telemetry", None)):
            line["fields"] = fields
        if failure := _failure(record):
            line["exception"] = failure
        return json.dumps(line, separators=(",", ":"))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return _cut(record.getMessage())
    except BaseException:  # noqa: BLE001 - raised by a program's own __str__
        return _cut(brief(record.msg))


def _fields(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        return {}
    found: dict[str, object] = {}
    for name, value in given.items():
        kind = type(value)
        if kind is float and not math.isfinite(value):
            found[str(name)] = str(value)
        elif kind in (bool, int, float, type(None)):
            found[str(name)] = value
        elif issubclass(kind, str):
            found[str(name)] = _cut(value)
        elif name == "pid":
            found["pid"] = brief(value)
    return found


def note_failure(record: logging.LogRecord) -> None:
    """Keep type and message of a record's exception as text, as the attribute `failure`, before the exception goes."""
    if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
        message = ""
        with suppress(BaseException):  # raised by a program's own __str__
            message = _cut(str(record.exc_info[1]))
        record.failure = record.exc_info[0].__qualname__, message


def _failure(record: logging.LogRecord) -> dict[str, str] | None:
    note_failure(record)
    kind, message = getattr(record, "failure", ("", ""))
    text = record.exc_text or ""
    if not text and kind:
        text = kind
        with suppress(BaseException):  # raised by a program's own __str__
            text = _FORMATTER.formatException(record.exc_info)  # type: ignore[arg-type]
    return {"type": kind, "message": message, "traceback": _cut(text)} if text else None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} [and {len(text) - MAX_TEXT} more]"
