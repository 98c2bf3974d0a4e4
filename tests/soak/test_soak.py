"""A short soak: whatever clients do, they leave nothing for the garbage collector, and no memory grows with them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from tests.soak import churn
from tests.soak.churn import churning
from tests.soak.lives import LIVES, Visitor
from tests.soak.slope import slope

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from Linux's /proc"),
]

ROUNDS = 4
BLOCKS = 10
"""Blocks of memory that one more life may leave behind: less than the smallest process has."""


@pytest.mark.parametrize("life", [None, *LIVES], ids=lambda life: "all" if life is None else life.__name__)
async def test_a_life_leaves_nothing_behind(
    life: Callable[[Visitor], Awaitable[None]] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if life is not None:
        monkeypatch.setattr(churn, "LIVES", (life,))
    lives = 30 if life else 150
    monkeypatch.setattr(churn, "PAUSE", 0.0)
    async with churning() as churned:
        seen = []
        for _ in range(ROUNDS):
            await churned.lead(lives)
            seen.append(await churned.empty())
    assert len({figures["processes"] for figures in seen}) == 1
    assert [figures["found"] for figures in seen] == [0] * ROUNDS
    # What lives leave behind is there after each round; what memory does by chance is not.
    assert min(after["blocks"] - before["blocks"] for before, after in pairwise(seen)) < BLOCKS * lives


def test_the_slope_is_that_of_the_line_of_least_squares() -> None:
    assert slope([(0.0, 40.0), (1.0, 41.0), (2.0, 42.0)]) == pytest.approx(1.0)
    assert slope([(0.0, 40.0), (1.0, 43.0), (2.0, 40.0)]) == pytest.approx(0.0)
    assert slope([(0.0, 40.0)]) == 0.0
    assert slope([]) == 0.0
