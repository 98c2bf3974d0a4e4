"""Faults of workers under a crowd that chats: python -m tests.soak.workers [ROUNDS]. The status is 1 if one fails.

Each round takes the next of the faults, with a fresh program of four workers and 100 members. Nobody may miss anything
but what a dead worker had not sent, or what was told as a gap; nothing may come twice, and all are back in time.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import trio

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

ROUNDS: Final = 10
FAULTS: Final = (kill_one, kill_in_a_row, kill_all, stop_one, starve_one, cut_a_line)
AWAY: Final = 3.0
"""Seconds after which all members are back, at most, on a machine that has nothing else to do."""


async def soak(rounds: int) -> None:
    """Raise AssertionError in the first round that fails."""
    for number, fault in zip(range(1, rounds + 1), itertools.cycle(FAULTS)):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            async with fair(Path(folder), workers=4, members=100, interval=0.5) as it:
                excused = await fault(it)
                await it.settle()
                it.check(but_on=excused)
                said = sum(session.said for member in it.crowd.members for session in member.sessions)
                away = max(0.0, longest_away(it.crowd))
                assert away < in_time(AWAY), f"{fault.__name__}: away for {away:.1f} s"
        print(
            f"workers {number}: {fault.__name__}, {said:,} said, away {away:.1f} s at most, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )


def main() -> None:
    """Do as the arguments say."""
    trio.run(soak, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)


if __name__ == "__main__":
    main()
