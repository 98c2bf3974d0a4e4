"""Stories of Presence on simulated nodes: `python -m tests.soak.presence [ROUNDS] [FIRST]`.

Each round is a number, which draws who comes and goes, what is cut, frozen, killed, lost and doubled, the jumps of
clocks, and the order of steps. What must hold is what tests/presence/story.py says. A round that fails is printed with
its number and as few steps as fail, and the exit code is 1.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from random import Random

from phxactor.testing.schedule import Schedule
from tests.presence.story import Step, drawn, shortest, tell

MOST = 80
"""Steps of a round, at most: those with small numbers have few."""


def round_of(number: int) -> tuple[list[Step], bool]:
    """Return the steps of a round, and whether its messages take uneven times."""
    random = Random(number)  # noqa: S311 - no secret
    return drawn(random, 1 + number % MOST), random.random() < 0.5


def fails(number: int, steps: Sequence[Step], *, uneven: bool) -> bool:
    """Say whether a round fails with these steps."""
    try:
        tell(steps, Schedule(number, timeouts=0), uneven=uneven)
    except Exception:  # noqa: BLE001 - whatever it is
        return True
    return False


def main(rounds: int, first: int) -> int:
    """Play rounds; return the exit code."""
    failed = 0
    for number in range(first, first + rounds):
        steps, uneven = round_of(number)
        try:
            tell(steps, Schedule(number, timeouts=0), uneven=uneven)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round is played
            failed += 1
            print("".join(traceback.format_exception_only(error)).partition("\n")[0])  # noqa: T201
            few = shortest(steps, partial(fails, number, uneven=uneven))
            print(f"round {number} failed, uneven={uneven}:", *few, sep="\n    ")  # noqa: T201 - it is the report
    print(f"{rounds} rounds of presence, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    logging.disable()  # that processes crash is what the stories are for
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(given + [200, 0][len(given) :])))
