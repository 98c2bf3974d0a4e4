"""TM8: a process without a checkpoint cannot be ended, but it is told of."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping
from time import monotonic

import pytest
import trio

from phxactor.runtime import Pid, events, run, self_pid, spawn_link
from phxactor.telemetry import Event
from tests.patience import PATIENCE


def test_TM8_a_process_that_lets_nobody_run_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[Event, Mapping[str, object]]] = []
    heard, over = threading.Event(), threading.Event()

    pids: list[Pid] = []

    def stuck(event: Event, fields: Mapping[str, object]) -> None:
        if fields["pid"] in pids:  # a busy machine may hold up others too
            told.append((event, fields))
            heard.set()

    def unstuck(event: Event, fields: Mapping[str, object]) -> None:
        if fields["pid"] in pids:
            told.append((event, fields))
            over.set()

    async def busy() -> None:
        pids.append(self_pid())
        end = monotonic() + PATIENCE
        while not heard.is_set() and monotonic() < end:  # once more, if another ran at half of the time
            until = monotonic() + 2
            while not heard.is_set() and monotonic() < until:  # no checkpoint
                pass
            await trio.sleep(0.1)

    async def main() -> None:
        pid = spawn_link(busy)
        await pid.runtime.ended(pid)
        assert await trio.to_thread.run_sync(over.wait, PATIENCE)  # the watchdog's thread tells

    events.stuck.attach(stuck)
    events.unstuck.attach(unstuck)
    try:
        with caplog.at_level(logging.INFO):
            run(main, stuck_after=0.2)
    finally:
        events.stuck.detach(stuck)
        events.unstuck.detach(unstuck)
    (first, what), (second, after) = told
    assert (first, second) == (events.stuck, events.unstuck)
    assert what["pid"] is pids[0]
    assert "in busy" in str(what["stack"])
    assert isinstance(what["seconds"], float)
    assert isinstance(after["seconds"], float)
    assert 0.2 <= what["seconds"] <= after["seconds"]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING and _is_of(record, pids)]
    first_line, *stack = warning.getMessage().splitlines()
    assert first_line.startswith(f"{pids[0]!r} has let nothing else run for ")
    assert "in busy" in stack[0]  # the frames below the process are left out
    assert [one.levelname for one in caplog.records if _is_of(one, pids)] == ["WARNING", "INFO"]


def _is_of(record: logging.LogRecord, pids: list[Pid]) -> bool:
    return record.getMessage().startswith(repr(pids[0]))


def test_TM8_several_that_are_slow_together_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    """Each takes half of the time at most, in one pass of the loop."""
    told = threading.Event()
    until = monotonic() + PATIENCE

    async def takes_a_while() -> None:
        began = monotonic()
        while monotonic() - began < 0.02:
            pass

    def stuck(_: Event, fields: Mapping[str, object]) -> None:
        if "takes_a_while" in str(fields["stack"]) and fields["pid"] is None:
            told.set()

    async def main() -> None:
        while not told.is_set() and monotonic() < until:
            pids = [spawn_link(takes_a_while) for _ in range(50)]
            await pids[0].runtime.ended(pids[-1])

    events.stuck.attach(stuck)
    try:
        run(main, stuck_after=0.4)
    finally:
        events.stuck.detach(stuck)
    assert told.is_set()
    assert any(record.getMessage().startswith("the loop has let nothing else run for ") for record in caplog.records)


def test_TM8_nobody_is_told_of_a_program_that_waits(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        for _ in range(50):
            await self_pid().runtime.ended(spawn_link(_nothing))

    run(main, stuck_after=60.0)
    assert caplog.records == []


async def _nothing() -> None:
    pass


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_time_that_cannot_be_meant(seconds: float) -> None:
    with pytest.raises(ValueError, match="stuck_after must be more than 0 seconds"):
        run(_nothing, stuck_after=seconds)
