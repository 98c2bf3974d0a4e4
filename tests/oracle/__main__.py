"""Play the programs of a file: prints what differs, and how many agree."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tests.oracle.programs import INTERPRETERS, load


def main(path: Path) -> int:
    """Play a file; returns the exit code."""
    programs = load(path)
    played = [program for program in programs if program.kind in INTERPRETERS]
    agreed = 0
    for program in played:
        differences = program.differences()
        agreed += not differences
        for line in differences:
            print(line)  # noqa: T201 - it is what the command is for
    for kind in sorted({program.kind for program in programs} - INTERPRETERS.keys()):
        count = sum(program.kind == kind for program in programs)
        print(f"{count} of kind {kind} skipped: there is no interpreter for them yet")  # noqa: T201
    print(f"{agreed} of {len(played)} agree")  # noqa: T201
    return 0 if agreed == len(played) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.oracle FILE.json")
    logging.disable()  # that actors crash is what they are for
    sys.exit(main(Path(sys.argv[1])))
