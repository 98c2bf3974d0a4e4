"""A log handler of the program beside a schedule: the thread that calls it changes no order of steps."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from phxactor.runtime import spawn
from phxactor.telemetry import flush_log
from phxactor.testing import settle
from phxactor.testing.schedule import Schedule


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler of the program writes, which the log's thread calls."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("phxactor")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


async def crash(number: int) -> None:
    raise ValueError(number)


async def crashes() -> None:
    for number in range(3):
        spawn(crash, number)
        flush_log(10)  # the thread is done with the line, and would have given it back
        await settle()


def test_a_log_handler_changes_no_order(written: io.StringIO) -> None:
    choices = set()
    for _ in range(5):
        schedule = Schedule(7)
        schedule.run(crashes)
        choices.add(schedule.choices)
    assert flush_log(10)
    assert "ValueError: 2" in written.getvalue()
    logging.getLogger("phxactor").handlers.clear()
    plain = Schedule(7)
    plain.run(crashes)
    assert choices == {plain.choices}
