"""What clients leave behind who come and go: nothing, whatever they were in the midst of, without a collector."""

from __future__ import annotations

from functools import partial

import pytest

from tests.attacks import churn
from tests.attacks.churn import Visit, growth
from tests.attacks.target import CLIENTS, MARKS, MEGABYTE, SLACK, Target, attacked

pytestmark = MARKS

LITTLE = 6 * MEGABYTE
"""What a program that has been warmed up grows by."""
ROUNDS = 3
"""A leak is there in each round. Once, the system's allocator may keep a buffer of tens of megabytes."""


async def least_growth(target: Target, visit: Visit, count: int, at_once: int) -> int:
    """Return the bytes that a round left behind, of the first round that left little, else of the best."""
    grown: list[int] = []
    for _ in range(ROUNDS):
        before, after = await growth(target, visit, count, at_once)
        grown.append(after - before)
        if grown[-1] < LITTLE:
            break
    return min(grown)


@pytest.mark.parametrize(
    ("visit", "count", "at_once", "most"),
    [
        pytest.param(churn.compressed, 500, CLIENTS, LITTLE, id="compressed"),
        pytest.param(partial(churn.fragment, size=8 * MEGABYTE), 10, 1, SLACK, id="in a large fragment"),
        pytest.param(
            partial(churn.fragment, size=8 * MEGABYTE, compress=True), 10, 1, SLACK, id="in a compressed fragment"
        ),
        pytest.param(churn.crash, 60, 1, SLACK, id="after a crash with much in its message"),
        pytest.param(churn.half_a_head, 2500, CLIENTS, LITTLE, id="in a head"),
        pytest.param(partial(churn.stuck, seconds=0.5), 3, CLIENTS, SLACK, id="while a channel is stuck"),
        pytest.param(churn.newlines, 3, 1, SLACK, id="after publishing newlines"),
    ],
)
async def test_nothing_stays(visit: Visit, count: int, at_once: int, most: int) -> None:
    async with attacked("--no-collector") as target:
        assert await least_growth(target, visit, count, at_once) < most


async def test_nothing_stays_of_tls() -> None:
    async with attacked("--no-collector", tls=True) as target:
        assert await least_growth(target, churn.handshake, 300, CLIENTS) < LITTLE
