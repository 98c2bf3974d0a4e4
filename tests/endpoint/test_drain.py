"""Draining: who is waited for, for how long, and what is said meanwhile."""

from __future__ import annotations

import logging
import math

import pytest
import trio
from trio.testing import MockClock

from phxactor import DrainOptions, Endpoint, LongPollOptions, run
from phxactor.endpoint.drainer import GRACE, SILENCE
from phxactor.endpoint.serve import serve
from phxactor.runtime.opening import STOP_TIMEOUT
from tests.longpoll.polling import House, house
from tests.sockets.serving import complaints

PATIENT = LongPollOptions(check_origin=False, window=100_000)
"""For sessions that do not end by themselves meanwhile."""


async def busy(it: House, seconds: float) -> None:
    """Have a client join a channel, and keep that busy."""
    client = await it.opened()
    await client.join("room:1")
    await client.publish(["1", "2", "room:1", "sleep", seconds])


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(line.levelno, line.getMessage()) for line in complaints(caplog, logging.INFO)]


async def test_who_waits_is_told_what_for(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with house(PATIENT) as it:
        for seconds in (0.5, 3, 4):
            await busy(it, seconds)
        caplog.clear()
        caplog.set_level(logging.INFO)
        assert await it.stop() == pytest.approx(4, abs=0.1)
    assert said(caplog) == [
        (logging.INFO, "stopping; connections that are told: 3"),
        (logging.INFO, "connections that wait for busy channels: 2, for at most 30 s; a second Ctrl-C kills them"),
    ]


async def test_nothing_is_said_of_a_short_wait(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with house(PATIENT) as it:
        await busy(it, SILENCE / 2)
        caplog.clear()
        caplog.set_level(logging.INFO)
        await it.stop()
        await trio.sleep(SILENCE)
    assert said(caplog) == [(logging.INFO, "stopping; connections that are told: 1")]


@pytest.mark.parametrize("limit", [0.5, 5.0, 70.0])
async def test_it_ends_by_itself_at_its_limit(
    limit: float, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to kill the drainer, and its limit may be longer than a program has to stop by default."""
    async with house(PATIENT, drain=DrainOptions(limit=limit)) as it:
        await busy(it, 1000)
        assert await it.stop() == pytest.approx(limit, abs=0.1)
    assert said(caplog)[-1] == (
        logging.WARNING,
        f"connections that are closed, with channels still busy after {limit:g} s: 1",
    )
    assert len(complaints(caplog)) == 1


async def test_without_a_limit_it_waits_for_ever(autojump_clock: MockClock) -> None:
    async with house(PATIENT, drain=DrainOptions(limit=math.inf)) as it:
        await busy(it, 200)
        assert await it.stop() == pytest.approx(200, abs=1)


@pytest.mark.parametrize("batch_size", [1, 2])
async def test_the_limit_is_that_of_all_batches(batch_size: int, autojump_clock: MockClock) -> None:
    async with house(PATIENT, drain=DrainOptions(batch_size=batch_size, interval=2, limit=3)) as it:
        for _ in range(6):
            await busy(it, 1000)
        assert await it.stop() == pytest.approx(3, abs=0.1)
        assert it.sessions() == []


@pytest.mark.parametrize("stop_timeout", [None, 7.0])
def test_a_program_has_the_time_that_its_endpoint_needs(
    stop_timeout: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, object]] = []
    monkeypatch.setattr("phxactor.runtime.run", lambda main, *_, **options: given.append((main, options)))
    run(Endpoint(drain=DrainOptions(limit=300)), stop_timeout=stop_timeout)
    run(trio.sleep_forever, stop_timeout=stop_timeout, collector="python")
    default = stop_timeout is None
    assert given == [
        (serve, {"stop_timeout": STOP_TIMEOUT + 300 if default else 7, "collector": "processes"}),
        (trio.sleep_forever, {"stop_timeout": STOP_TIMEOUT if default else 7, "collector": "python"}),
    ]
    assert STOP_TIMEOUT > GRACE
