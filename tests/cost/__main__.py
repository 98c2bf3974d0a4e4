"""Shows what operations cost, and records it: `python -m tests.cost --record`."""

from __future__ import annotations

import argparse

import trio

from tests.cost.operations import OPERATIONS
from tests.cost.recorded import VERSION, read, write


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write it to tests/cost/recorded.json")
    chosen = parser.parse_args()
    recorded = read().get(VERSION, {})
    counts = {}
    for name, count in OPERATIONS.items():
        counts[name] = trio.run(count)
        print(f"{name:40} {counts[name]:6}   recorded for Python {VERSION}: {recorded.get(name, 'nothing')}")
    if chosen.record:
        write(counts)


if __name__ == "__main__":
    main()
