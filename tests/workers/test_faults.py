"""Workers under fire: what a crowd notices that chats over all of them, with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.crowd import longest_away
from tests.workers.faults import (
    cut_a_line,
    fair,
    in_time,
    kill_all,
    kill_in_a_row,
    kill_one,
    starve_one,
    stop_one,
)

pytestmark = [pytest.mark.socket, pytest.mark.slow]


async def test_a_worker_killed_under_300_chatting_clients_is_felt_by_its_own_only(tmp_path: Path) -> None:
    """They are back within 3 s; the others lose nothing; nothing comes twice."""
    async with fair(tmp_path, workers=4, members=300) as it:
        assert len(it.crowd.workers()) == 4
        hit = max(it.crowd.workers().values())
        await kill_one(it)
        assert sum(len(member.sessions) > 1 for member in it.crowd.members) == hit
        assert longest_away(it.crowd) < in_time(3.0)
        await it.settle()
        it.check()


async def test_kills_in_a_row_and_all_at_once_are_survived(tmp_path: Path) -> None:
    """In the soak test there are twenty in a row."""
    async with fair(tmp_path, workers=3, members=24, interval=0.3) as it:
        await kill_in_a_row(it, 3)
        await kill_all(it)
        await it.settle()
        it.check()


async def test_workers_that_starve_or_stop_hold_up_nobody(tmp_path: Path) -> None:
    """EMFILE in one worker, then 7 s of SIGSTOP: in the soak test it is 20."""
    async with fair(tmp_path, workers=3, members=30, interval=0.3) as it:
        await starve_one(it)
        stopped = await stop_one(it, seconds=7)
        await it.settle()
        it.check(but_on=stopped)
        printed = "".join(it.program.lines)
        assert printed.count("is down: silent") == 2, printed  # by each of the other two


async def test_a_pair_of_workers_whose_line_breaks_is_told_and_heals(tmp_path: Path) -> None:
    """Members on the third worker, and those that say something there, notice nothing."""
    async with fair(tmp_path, workers=3, members=30, interval=0.3) as it:
        sessions = [len(member.sessions) for member in it.crowd.members]
        pair = await cut_a_line(it)
        assert len(pair) == 2
        await it.settle(but_on=pair)
        it.check(but_on=pair)
        assert [len(member.sessions) for member in it.crowd.members] == sessions
