"""The end of a log's thread, and a program's own logging."""

from __future__ import annotations

import logging
import logging.handlers
import threading
from collections.abc import Iterator

import pytest

from phxactor import telemetry
from phxactor.telemetry import NonBlockingHandler, flush_log
from phxactor.telemetry._log_writer import WRITER
from tests.patience import PATIENCE
from tests.telemetry.keeping import Kept, Log, begin_second


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


def test_the_end_waits_for_the_last_lines_for_a_while(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with log.handler.blocked():
        log.write("line")
        assert log.handler.entered.wait(PATIENCE)
        assert not flush_log(0.01)
        monkeypatch.setattr("phxactor.telemetry._log_writer.LAST", 0.01)
        assert not WRITER.end()
        monkeypatch.setattr("phxactor.telemetry._log_writer.LAST", 10 * PATIENCE)
        assert not WRITER.end()  # nothing has been handled since: nobody waits for it twice
    assert log.lines() == ["line"]


def test_a_handler_does_not_wait_for_itself(log: Log) -> None:
    said = []

    class Flushing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(flush_log(1000))

    log.logger.addHandler(Flushing())
    log.write("line")
    assert log.lines() == ["line"]
    assert said == [False]


def test_the_thread_ends_when_nothing_comes_and_begins_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phxactor.telemetry._log_writer.IDLE", 0.01)
    for _ in range(2):
        log.write("line")
        assert flush_log(PATIENCE)
        thread = WRITER._thread  # noqa: SLF001
        if thread is not None:
            thread.join(PATIENCE)
        assert WRITER._thread is None  # noqa: SLF001
    assert log.lines() == ["line", "line"]


def test_without_threads_the_next_line_tries_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        log.write("first")
    log.write("second")
    assert log.lines() == ["first", "second"]


def test_a_record_is_handed_over_without_a_lock(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13's own `handle` enters the lock, and the handler has none."""
    handler = NonBlockingHandler(log.handler)
    monkeypatch.setattr(handler, "acquire", lambda: pytest.fail("there is a lock"))
    handler.addFilter(lambda record: record.msg != "no")
    for text in ("no", "yes"):
        assert handler.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO})) == (text == "yes")
    assert log.lines() == ["yes"]


def test_a_programs_own_logging_need_not_block_either(log: Log) -> None:
    handler = NonBlockingHandler(log.handler)
    handler.setFormatter(logging.Formatter("[%(message)s]"))
    own = logging.getLogger("tested.own")
    own.propagate = False
    own.addHandler(handler)
    log.logger.removeHandler(log.handler)
    log.logger.addHandler(handler)
    own.setLevel(logging.INFO)
    with log.handler.blocked():
        own.info("number %d", 1)
        own.debug("not")
        log.write("of phxactor")
        try:
            raise ValueError("no")  # noqa: TRY301
        except ValueError:
            own.exception("failed")
    assert [line.partition("\n")[0] for line in log.lines()] == ["[number 1]", "[of phxactor]", "[failed]"]
    assert "ValueError: no" in log.lines()[2]
    log.handler.setLevel(logging.ERROR)
    own.info("not")
    assert len(log.lines()) == 3
    log.logger.removeHandler(handler)
    own.removeHandler(handler)


def test_an_event_whose_handler_fails_says_so(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    event = telemetry.Event(f"phxactor.tested.{id(log)}", "For this test.")

    def fail(*_: object) -> None:
        raise ValueError("no")

    try:
        event.attach(fail)
        event.emit()
    finally:
        del telemetry.EVENTS[event.name]
    (record,) = caplog.records
    assert record.name == "phxactor.telemetry"
    assert "raised and was detached" in record.getMessage()
