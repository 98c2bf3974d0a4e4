"""Rounds of simulated nodes under drawn outages: `python -m tests.soak.nodes [ROUNDS] [FIRST]`.

Each round is a number: the same number makes the same outages, losses, delays and order of steps. What must hold is
what tests/cluster/test_properties.py says. A round that fails is printed with its number, and the exit code is 1.
"""

from __future__ import annotations

import logging
import sys
import traceback
from random import Random

import trio

from phxactor.testing.outages import Cut, Freeze, Heal, Isolate, Kill, Leave, Outage, Pass, Restart, Thaw
from phxactor.testing.schedule import Schedule
from tests.cluster.bare import bare
from tests.cluster.test_properties import NAMES, SECRET, Talk

MOST = 15
"""Outages of a round, at most."""


def drawn(chance: Random) -> list[Outage]:
    """Draw outages."""

    def one() -> Outage:
        name, other, silent = chance.choice(NAMES), chance.choice(NAMES), chance.random() < 0.5
        kinds: list[Outage] = [
            *[Pass(chance.choice([0.5, 2.0, 6.0, 21.0]))] * 3,
            Cut(name, other),
            Isolate(name),
            Heal(),
            Freeze(name),
            Thaw(name),
            Kill(name, silent),
            Leave(name),
            *[Restart(name)] * 2,
        ]
        return chance.choice(kinds)

    return [one() for _ in range(chance.randrange(MOST))]


def play(number: int) -> None:
    """Play one round."""
    chance = Random(number)  # noqa: S311 - no secret
    outages, schedule = drawn(chance), Schedule(number)
    loss, uneven = chance.choice([0.0, 0.1, 0.5]), chance.random() < 0.5

    async def main() -> None:
        async with bare(len(NAMES), delay=0.01, uneven=uneven, inbox=3_000, secret=SECRET, schedule=schedule) as nodes:
            await trio.sleep(2)
            nodes.network.loss = loss
            talk = Talk(nodes)
            await talk.play(outages)
            talk.check()

    try:
        schedule.run(main)
    except Exception:
        print(f"round {number}: {outages}, loss={loss}, uneven={uneven}")  # noqa: T201 - it is the report
        raise


def main(rounds: int, first: int) -> int:
    """Play rounds; return the exit code."""
    failed = 0
    for number in range(first, first + rounds):
        try:
            play(number)
        except Exception:  # noqa: BLE001 - whatever it is, the next round is played
            failed += 1
            traceback.print_exc()
    print(f"{rounds} rounds of simulated nodes, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    logging.disable()  # that processes crash is what the rounds are for
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(given + [500, 0][len(given) :])))
