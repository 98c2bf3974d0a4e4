"""A record as one line of JSON."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import pytest

from phxactor.telemetry import JSONFormatter
from phxactor.telemetry._json_lines import MAX_TEXT
from phxactor.telemetry._log_queue import text_only


class Unspeakable:
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise SystemExit


def record(message: object = "it happened", *args: object, **attributes: object) -> logging.LogRecord:
    made = logging.LogRecord("phxactor.test", logging.ERROR, __file__, 1, message, args, None)
    made.created = 1796063400.1234
    vars(made).update(attributes)
    return made


def read(given: logging.LogRecord, **constant: object) -> dict[str, Any]:
    line = JSONFormatter(constant).format(given)
    assert line.isascii()
    assert "\n" not in line
    found = json.loads(line, parse_constant=pytest.fail)
    assert isinstance(found, dict)
    return found


def failing(text: str) -> tuple[Any, ...]:
    with pytest.raises(ValueError, match=text) as caught:
        raise ValueError(text)
    return caught.type, caught.value, caught.tb


def test_a_record_is_one_line() -> None:
    found = read(record("%s of %d\n", "two", 3), worker=2)
    assert found.pop("process") > 0
    assert found == {
        "time": "2026-11-30T18:30:00.123Z",
        "level": "ERROR",
        "logger": "phxactor.test",
        "message": "two of 3\n",
        "worker": 2,
    }


def test_fields_are_text_and_numbers_and_the_process() -> None:
    fields = {
        "topic": "room:\ud800\n", "count": 3, "open": True, "reason": None, "seconds": math.inf,
        "state": {"password": "secret"}, "exception": ValueError(), "pid": object, "big": 10**30,
    }  # fmt: skip
    assert read(record(telemetry=fields))["fields"] == {
        "topic": "room:\ud800\n", "count": 3, "open": True, "reason": None, "seconds": "inf",
        "pid": "<class 'object'>", "big": 10**30,
    }  # fmt: skip


def test_a_failure_has_type_message_and_traceback() -> None:
    failed = record(exc_info=failing("no\nbody"))
    for one in (failed, text_only(failed)):
        found = read(one)["exception"]
        assert found["type"] == "ValueError"
        assert found["message"] == "no\nbody"
        assert found["traceback"].startswith("Traceback (most recent call last):\n")
        assert found["traceback"].endswith("ValueError: no\nbody")


def test_a_trace_is_named() -> None:
    assert "trace_id" not in read(record(trace_id="", span_id=""))
    found = read(record(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7"))
    assert (found["trace_id"], found["span_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


def test_texts_are_cut() -> None:
    found = read(record("x" * 2 * MAX_TEXT, telemetry={"text": "y" * 2 * MAX_TEXT}))
    assert len(found["message"]) < MAX_TEXT + 100
    assert len(found["fields"]["text"]) < MAX_TEXT + 100


def test_what_cannot_be_shown_is_no_failure() -> None:
    assert "Unspeakable" in read(record(Unspeakable()))["message"]
    assert read(record("%d", "no number"))["message"] == "'%d'"
    error = RuntimeError(Unspeakable())
    assert read(record(exc_info=(RuntimeError, error, None)))["exception"]["type"] == "RuntimeError"
