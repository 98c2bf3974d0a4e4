"""Runtimes in one loop that end in any order: their hooks for async generators leave nothing behind."""

from __future__ import annotations

import itertools
import sys

import pytest
import trio

from phxactor import open_runtime


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_hooks_are_as_before_when_all_have_ended_in_any_order(order: tuple[int, ...]) -> None:
    before = sys.get_asyncgen_hooks()
    ends = [trio.Event() for _ in order]

    async def live(end: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
        async with open_runtime():
            task_status.started()
            await end.wait()

    async with trio.open_nursery() as nursery:
        for end in ends:
            await nursery.start(live, end)
        assert sys.get_asyncgen_hooks() != before
        for number in order:
            ends[number].set()
            await trio.testing.wait_all_tasks_blocked()

    assert sys.get_asyncgen_hooks() == before
