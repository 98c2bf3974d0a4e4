"""A record of the log is made in the context of the process that it tells of, so it can have that process's trace."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextvars import ContextVar
from io import StringIO
from typing import Any

import pytest
from trio.testing import MockClock

from phxactor import GenServer, Task, spawn_monitor
from phxactor.runtime import receive
from phxactor.telemetry import flush_log

trace: ContextVar[str] = ContextVar("trace", default="-")


@pytest.fixture(autouse=True)
def _traced() -> Iterator[None]:
    make_record = logging.getLogRecordFactory()

    def record_with_trace(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record = make_record(*args, **kwargs)
        record.trace = trace.get()
        return record

    logging.setLogRecordFactory(record_with_trace)
    yield
    logging.setLogRecordFactory(make_record)


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What a handler of the thread that writes the log has written."""
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(logging.Formatter("%(name)s %(trace)s"))
    logger = logging.getLogger("phxactor")
    logger.addHandler(handler)
    yield handler.stream
    logger.removeHandler(handler)


async def body(carried: str) -> None:
    trace.set(carried)
    raise ValueError


class Server(GenServer):
    async def init(self, carried: str) -> None:
        trace.set(carried)

    async def handle_info(self, message: object) -> None:
        raise ValueError


async def test_a_crash_is_logged_with_the_trace_of_its_process(
    autojump_clock: MockClock, phx_runtime: object, caplog: pytest.LogCaptureFixture, lines: StringIO
) -> None:
    trace.set("the caller's")
    spawn_monitor(body, "process")
    await receive()
    server = (await Server.start("server")).unwrap()
    server.send("go")
    task = Task.start(body, "task").unwrap()
    for pid in (server, task):
        await pid.runtime.ended(pid)
    flush_log()
    written = lines.getvalue().splitlines()
    assert "phxactor.process.crashed process" in written
    assert "phxactor.server.terminated server" in written
    assert "phxactor.task.terminated task" in written
    assert {vars(record)["trace"] for record in caplog.records} == {"process", "server", "task"}
