"""Lines on their way to handlers: at once to those of tests, by a thread to all others, which may block."""

from __future__ import annotations

import gc
import logging
import logging.handlers
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import attrs
import pytest
import trio

from phxactor import telemetry
from phxactor.telemetry import NAME, NonBlockingHandler, flush_log, write
from phxactor.telemetry._log_limits import BURST, FEW, LogLimits
from phxactor.telemetry._log_queue import LIVE, MAX_BYTES, MAX_LINES, MAX_TEXT, OVERHEAD, LogQueue
from phxactor.telemetry._log_writer import WRITER
from tests.patience import PATIENCE


class Kept(logging.Handler):
    """Keeps what it gets, after it has passed a gate; it is not one of those that are called at once."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []
        self.threads: set[str] = set()
        self.keeps = True

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE)
        self.threads.add(threading.current_thread().name)
        self.lines.append(self.format(record))
        if self.keeps:
            self.records.append(record)

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Have it block at the next line."""
        self.open.clear()
        self.entered.clear()
        try:
            yield
        finally:
            self.open.set()


@attrs.frozen
class Log:
    """A logger of its own, below `phxactor`, and its handler."""

    logger: logging.Logger
    handler: Kept

    def write(self, text: str | Callable[[], str], level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401
        write(self.logger, level, text, fields, fields.get("exception"))

    def lines(self) -> list[str]:
        assert flush_log(PATIENCE)
        return self.handler.lines


def begin_second() -> None:
    """Have the limits of the whole program forget what they have counted."""
    WRITER._limits = LogLimits()  # noqa: SLF001 - they know no other time than the system's


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


def failure(text: str = "no", held: object = None) -> Exception:
    """Make an exception whose traceback holds something."""
    try:
        raise ValueError(text)  # noqa: TRY301 - here, so that its frame is in the traceback
    except ValueError as error:
        return error


# -------------------------------------------------------------------------------------------------- who gets what


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


# ------------------------------------------------------------------------------------------------------ bounds


def test_one_that_blocks_holds_up_nobody_and_what_is_dropped_is_told(log: Log) -> None:
    with log.handler.blocked():
        for second in range(3):
            begin_second()
            for number in range(BURST):
                log.write(f"line {second} {number}")
                assert log.handler.entered.wait(PATIENCE)  # or a writer that begins late makes room once more
        assert len(WRITER.queue) == MAX_LINES
    lines = log.lines()
    dropped = 3 * BURST - len(lines)
    assert [line for line in lines if line.startswith("line 0")] == [f"line 0 {number}" for number in range(BURST)]
    assert 0 < dropped < BURST
    begin_second()
    log.write("afterwards")
    assert log.lines()[-1] == "afterwards"


def test_what_is_dropped_is_told_once_it_flows_again(log: Log) -> None:
    own = logging.getLogger("phxactor.log")
    own.addHandler(log.handler)
    try:
        with log.handler.blocked():
            log.write("x" * 10)
            assert log.handler.entered.wait(PATIENCE)
            for _ in range(MAX_BYTES // MAX_TEXT + 20):
                log.write("x" * MAX_TEXT)
            assert WRITER.queue.bytes <= MAX_BYTES + MAX_TEXT + OVERHEAD
            assert WRITER.queue.dropped > 10
            dropped = WRITER.queue.dropped
        lines = log.lines()
    finally:
        own.removeHandler(log.handler)
    assert lines[-1] == f"{dropped} lines were dropped: they came faster than they were written"
    assert sum(line[0] == "x" for line in lines) == MAX_BYTES // MAX_TEXT + 21 - dropped


def test_dropping_goes_on_until_half_is_written() -> None:
    queue = LogQueue()
    record = logging.makeLogRecord({"msg": "line"})
    from phxactor.telemetry._log_queue import Line  # noqa: PLC0415

    with queue.changed:
        while queue.has_room():
            queue.append(Line(record))
        assert (len(queue), queue.dropped) == (MAX_LINES, 1)
        for _ in range(MAX_LINES // 2 - 1):
            queue.pop()
        assert not queue.has_room()
        assert queue.take_dropped() == 0
        queue.pop()
        assert queue.has_room()
        assert queue.take_dropped() == 2


def test_failures_of_one_kind_are_counted(log: Log) -> None:
    errors = [failure(str(number)) for number in range(FEW + 90)]
    for error in errors:
        log.write(f"crashed: {error}", logging.ERROR, exception=error)
    lines = log.lines()
    assert [line.partition("\n")[0] for line in lines] == [
        *(f"crashed: {number}" for number in range(FEW)),
        f"90 more like this were left out, within 10 s: crashed: {FEW - 1}",
    ]
    assert all("Traceback" in line for line in lines[:FEW])


def test_what_a_line_holds_is_freed_where_it_was_made(log: Log) -> None:
    freed: list[str] = []

    class Held:
        def __del__(self) -> None:
            freed.append(threading.current_thread().name)

    log.handler.keeps = log.logger.propagate = False  # pytest keeps records

    async def main() -> None:
        for _ in range(5):
            log.write("line", logging.ERROR, exception=failure(held=Held()), state=[Held()])
        with trio.fail_after(PATIENCE):
            while len(freed) < 10:  # noqa: ASYNC110 - they are freed in a pass to come
                await trio.sleep(0.001)

    gc.disable()
    try:
        trio.run(main)
    finally:
        gc.enable()
    assert set(freed) == {threading.current_thread().name}


def test_few_lines_that_wait_hold_more_than_text(log: Log) -> None:
    class Held:
        pass

    held = [Held() for _ in range(2 * LIVE)]
    watched = [weakref.ref(one) for one in held]

    async def main() -> None:
        with log.handler.blocked():
            while held:
                one = held.pop()
                write(log.logger, logging.INFO, "line", {"state": one, "topic": "room", "n": 7}, failure(held=one))
                del one
            assert log.handler.entered.wait(PATIENCE)
            assert sum(ref() is not None for ref in watched) == LIVE

    log.handler.keeps = log.logger.propagate = False  # pytest keeps records
    gc.disable()
    try:
        trio.run(main)
    finally:
        gc.enable()
    assert len(log.lines()) == 2 * LIVE
    assert all("ValueError: no" in line for line in log.lines())


def test_text_is_cut_and_what_cannot_be_written_is_no_failure(log: Log) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise SystemExit

    log.write("long", logging.ERROR, exception=failure("x" * 10 * MAX_TEXT), note="y" * 10 * MAX_TEXT)
    log.write("mute", logging.ERROR, exception=Mute())
    lines = log.lines()
    assert len(lines[0]) < MAX_TEXT + 100
    assert "Mute: <exception str() failed>" in lines[1]
    assert len(log.handler.records[0].telemetry["note"]) == MAX_TEXT  # type: ignore[attr-defined]


def test_a_record_is_as_logging_makes_it(log: Log) -> None:
    error = failure()

    async def main() -> None:
        log.write("line", logging.ERROR, exception=error, topic="room")
        with trio.fail_after(PATIENCE):
            while not log.handler.records:  # noqa: ASYNC110 - the handler is in a thread
                await trio.sleep(0.001)
        record = log.handler.records[0]
        assert record.exc_info is not None
        assert record.exc_info[1] is error
        assert record.telemetry == {"exception": error, "topic": "room"}  # type: ignore[attr-defined]
        assert (record.threadName, record.levelname) == (threading.current_thread().name, "ERROR")

    trio.run(main)


# --------------------------------------------------------------------------------------------------- the end


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


# -------------------------------------------------------------------------------------- a program's own logging


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
