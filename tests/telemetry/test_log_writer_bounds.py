"""Lines on their way to handlers are bounded in number and in what they hold."""

from __future__ import annotations

import gc
import logging
import logging.handlers
import threading
import weakref
from collections.abc import Iterator

import pytest
import trio

from phxactor.telemetry import flush_log, write
from phxactor.telemetry._log_limits import BURST, FEW
from phxactor.telemetry._log_queue import LIVE, MAX_BYTES, MAX_LINES, MAX_TEXT, OVERHEAD, LogQueue
from phxactor.telemetry._log_writer import WRITER
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
