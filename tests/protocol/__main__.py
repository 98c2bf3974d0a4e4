"""Play random clients against a real endpoint and a model of the protocol, and show the first disagreement, made short.

python -m tests.protocol --steps 1000000 --seed 7
"""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentParser
from time import monotonic

from tests.protocol.random_clients import play_at_random
from tests.protocol.wires import MemoryStream, SocketPair

EVERY = 5.0
"""Seconds between two lines of progress."""


def main(steps: int, first_seed: int, *, sockets: bool) -> int:
    """Play so many steps; returns the exit code."""
    start = told = monotonic()

    def progress(played: int, programs: int) -> None:
        nonlocal told
        if monotonic() - told > EVERY:
            told = monotonic()
            print(f"{played} of {steps} steps, {programs} programs, {told - start:.0f} s", flush=True)

    wires = SocketPair if sockets else MemoryStream
    tally = play_at_random(steps, first_seed=first_seed, progress=progress, wires=wires)
    print(f"{tally.steps} steps, {tally.programs} programs, {monotonic() - start:.0f} s")
    print(tally.disagreement or "none disagrees")
    return 0 if tally.disagreement is None else 1


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tests.protocol", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000, help="how many steps, at least (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other programs (default: 1)")
    parser.add_argument("--sockets", action="store_true", help="over pairs of sockets, not in memory")
    arguments = parser.parse_args()
    logging.disable()  # that channels crash is what many of the steps are for
    sys.exit(main(arguments.steps, arguments.seed, sockets=arguments.sockets))
