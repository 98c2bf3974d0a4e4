"""Does pieces of work in turn, so many times, and prints their figures as JSON, a list for each of them.

python -m benchmarks.actors 20 on_trio:round_trip on_phxactor:call

Taking turns within milliseconds, two systems share what else goes on in the machine. A piece that the system does not
have makes an empty list.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from benchmarks.actors.systems import Work


def main() -> None:
    """Do what the arguments say."""
    times, *jobs = sys.argv[1:]
    figures: list[list[float]] = [[] for _ in jobs]
    for _ in range(int(times)):
        for job, found in zip(jobs, figures, strict=True):
            module, piece = job.split(":")
            work: Work = import_module(f"benchmarks.actors.{module}").WORK
            if piece in work:
                found.append(work[piece]())
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
