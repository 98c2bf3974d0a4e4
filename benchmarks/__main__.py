"""Measures phxactor under every load, beside the floor, and prints one table.

python -m benchmarks --quick --only echo,fanout --json figures.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from benchmarks.command_line import at_least_one, tell
from benchmarks.load.command_line import LOADS
from benchmarks.load.dialects import Fault
from benchmarks.os_process import cores, raise_file_limit
from benchmarks.report import as_data, write
from benchmarks.suite import CASES, Pace, Suite

LONG = Pace(warmup=0.5, seconds=2)
QUICK = Pace(warmup=0.3, seconds=1)


def names(text: str) -> frozenset[str]:
    """Read what --only is given."""
    chosen, known = frozenset(text.split(",")), {load.name for load in LOADS}
    if unknown := chosen - known:
        raise argparse.ArgumentTypeError(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        )
    return chosen


def main() -> int:
    """Run it; the status is 1 when there was a wrong answer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short run of each, to see that it works")
    parser.add_argument("--only", type=names, metavar="LOAD,...", help=", ".join(load.name for load in LOADS))
    parser.add_argument("--repeat", type=at_least_one, metavar="N", help="runs of each (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    chosen = parser.parse_args()
    raise_file_limit()
    suite = Suite(cores(), QUICK if chosen.quick else LONG, chosen.repeat or (1 if chosen.quick else 5), tell)
    try:
        floors, results = suite.run([case for case in CASES if chosen.only is None or case.load.name in chosen.only])
    except Fault as fault:
        tell(f"without a floor there are no figures: {fault}")
        return 1
    print(write(floors, results, suite.cores))
    if chosen.json is not None:
        chosen.json.write_bytes(orjson.dumps(as_data(floors, results), option=orjson.OPT_INDENT_2))
    return int(any(result.fault is not None for result in results))


if __name__ == "__main__":
    sys.exit(main())
