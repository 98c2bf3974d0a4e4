"""Rounds of Presence on simulated nodes under drawn trouble: `python -m tests.soak.presence [ROUNDS] [FIRST]`.

Each round is a number, which draws who comes and goes, what is cut, frozen, killed and lost, and the order of steps. At
its end all lists are compared with who is there in truth, and with the diffs that each node has told. A round that
fails is printed with its number, and the exit code is 1.
"""

from __future__ import annotations

import logging
import sys
import traceback
from random import Random

from phxactor.testing import cluster
from phxactor.testing.schedule import Schedule
from tests.presence.test_nodes import children, trouble


def play(number: int) -> None:
    """Play one round."""
    random = Random(number)  # noqa: S311 - no secret
    schedule = Schedule(number)
    loss, uneven = random.choice([0.0, 0.1, 0.3]), random.random() < 0.5

    async def main() -> None:
        async with cluster(
            3, children=children, delay=0.02, loss=loss, uneven=uneven, seed=number, schedule=schedule
        ) as nodes:
            await trouble(nodes, random, steps=random.randrange(80))

    schedule.run(main)


def main(rounds: int, first: int) -> int:
    """Play rounds; return the exit code."""
    logging.disable()
    failed = 0
    for number in range(first, first + rounds):
        try:
            play(number)
        except Exception:  # noqa: BLE001 - whatever it is, the next round is played
            failed += 1
            print(f"round {number} failed")  # noqa: T201 - it is the report
            traceback.print_exc()
    print(f"{rounds} rounds of presence, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(given + [200, 0][len(given) :])))
