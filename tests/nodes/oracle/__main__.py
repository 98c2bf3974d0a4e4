"""Play the programs of a file: prints what differs, and how many agree; exits with 1 if one does not."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tests.nodes.oracle.programs import load


def main(path: Path) -> int:
    """Play a file; returns the exit code."""
    programs = load(path)
    agreed = 0
    for program in programs:
        differences = program.differences()
        agreed += not differences
        for line in differences:
            print(line)  # noqa: T201 - it is what the command is for
    print(f"{agreed} of {len(programs)} agree")  # noqa: T201
    return 0 if agreed == len(programs) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.nodes.oracle FILE.json")
    logging.disable()  # that actors crash is what they are for
    sys.exit(main(Path(sys.argv[1])))
