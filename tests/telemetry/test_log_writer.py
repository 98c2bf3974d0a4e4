"""Lines on their way to handlers: at once to those of tests, by a thread to all others, which may block."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterator
from contextvars import ContextVar

import pytest
import trio

from phxactor.telemetry import NAME, flush_log
from phxactor.telemetry._log_limits import FEW
from tests.patience import PATIENCE
from tests.telemetry.keeping import Kept, Log, begin_second, failure


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    assert flush_log(PATIENCE)
    begin_second()
    logger = logging.getLogger(f"phxactor.tested.{request.node.name}")
    logger.setLevel(logging.DEBUG)
    handler = Kept()
    logger.addHandler(handler)
    yield Log(logger, handler)
    handler.open.set()
    assert flush_log(PATIENCE)
    logger.removeHandler(handler)


def test_handlers_are_called_by_the_thread_in_order(log: Log) -> None:
    for number in range(100):
        log.write(f"line {number}")
    assert log.lines() == [f"line {number}" for number in range(100)]
    assert log.handler.threads == {NAME}


def test_the_handlers_of_tests_see_each_line_at_once(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    error = failure()
    with log.handler.blocked():
        for _ in range(3 * FEW):
            log.write("boom", logging.ERROR, exception=error)
        assert [record.getMessage() for record in caplog.records] == ["boom"] * 3 * FEW
        assert all(record.exc_info is not None and record.exc_info[1] is error for record in caplog.records)


def test_a_line_is_not_made_for_nobody(log: Log) -> None:
    def text() -> str:
        raise AssertionError

    log.logger.setLevel(logging.ERROR)
    log.write(text)
    log.logger.setLevel(logging.DEBUG)
    log.logger.disabled = True
    log.write(text)
    log.logger.disabled = False
    log.logger.propagate = False
    log.handler.setLevel(logging.ERROR)
    log.write(text)
    assert log.lines() == []


def test_a_program_that_has_set_nothing_up_sees_warnings(log: Log, capfd: pytest.CaptureFixture[str]) -> None:
    log.logger.removeHandler(log.handler)
    log.logger.propagate = False
    log.write("info")
    log.write("warning", logging.WARNING)
    assert flush_log(PATIENCE)
    assert capfd.readouterr().err == "warning\n"


def test_filters_are_asked_as_ever(log: Log) -> None:
    request: ContextVar[str] = ContextVar("request", default="none")

    class OfLogger(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.request = request.get()
            return "secret" not in record.getMessage()

    class OfHandler(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.again = request.get()
            return True

    log.logger.addFilter(OfLogger())
    log.handler.addFilter(OfHandler())
    log.handler.setFormatter(logging.Formatter("%(message)s %(request)s %(again)s"))

    async def main() -> None:
        request.set("seven")
        log.write("line")
        log.write("secret")

    trio.run(main)
    assert log.lines() == ["line seven seven"]


def test_whoever_watches_the_calls_of_handlers_sees_them(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    # As error trackers do.
    seen = []
    plain = logging.Logger.callHandlers

    def watched(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        plain(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", watched)
    log.logger.propagate = False
    log.write("line")
    assert (log.lines(), seen) == (["line"], ["line"])


def test_a_handler_that_raises_keeps_nothing_from_the_others(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise SystemExit("in a handler")

    failing = Failing()
    log.logger.handlers.insert(0, failing)
    for number in range(2):
        log.write(f"line {number}")
    assert log.lines() == ["line 0", "line 1"]
    assert capsys.readouterr().err.count("SystemExit: in a handler") == 2
