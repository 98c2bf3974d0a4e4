"""Numbers of orders in which the planted bugs show themselves, and whether they do so in this Python too.

python -m tests.testing.planted.replays find > FILE     for each bug, the first number that fails, and how
python -m tests.testing.planted.replays again < FILE    plays each number once; fails if one does not fail alike
"""

from __future__ import annotations

import json
import logging
import sys
from random import Random

from phxactor.testing.exploration import Playground, portfolio
from phxactor.testing.schedule import Schedule
from tests.testing.planted import BUGS, Bug

MOST = 200
"""Plays in which a bug must show itself."""


def first_find(bug: Bug) -> tuple[int, str] | None:
    """Return the number of the first play that fails, of 200, and the type of its failure."""
    ground = Playground(bug.program, timeouts=2.0, faults=bug.faults)
    with ground.open():
        for number in range(MOST):
            guide = portfolio(number, Random(number))  # noqa: S311
            error = ground.play(lambda _, options, guide=guide: guide.pick(options)).error  # type: ignore[misc]
            if error is not None:
                return number, type(error).__name__
    return None


def failure(bug: Bug, number: int) -> str:
    """Return the type of the failure of a number; empty if it passes."""
    try:
        Schedule(number, faults=bug.faults).run(bug.program)
    except Exception as error:  # noqa: BLE001 - each bug has its own
        return type(error).__name__
    return ""


def find() -> dict[str, int]:
    """Return the number of the first play that fails, of each bug."""
    finds = {name: first_find(bug) for name, bug in BUGS.items()}
    return {name: found[0] for name, found in finds.items() if found is not None}


def again(numbers: dict[str, list[object]]) -> list[str]:
    """Play numbers again; say which do not fail as they did."""
    wrong = []
    for name, (number, kind) in numbers.items():
        now = failure(BUGS[name], int(str(number)))
        if now != kind:
            wrong.append(f"{name}: number {number} was {kind}, and is {now or 'no failure'}")
    return wrong


def main(word: str) -> int:
    """Do what the word says."""
    logging.disable(logging.CRITICAL)
    if word == "find":
        print(json.dumps({name: (number, failure(BUGS[name], number)) for name, number in find().items()}))
        return 0
    numbers = json.load(sys.stdin)
    wrong = again(numbers)
    print("\n".join(wrong) or f"{len(numbers)} of {len(BUGS)} planted bugs fail by their number")
    return 1 if wrong or len(numbers) < len(BUGS) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
