"""Play the programs of a file against the set: `python -m tests.presence.oracle FILE`.

Prints what differs, and how many programs agree; exits with 1 if one does not. `programs.py` says what a file holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.presence.programs import load


def main(path: Path) -> int:
    """Play a file; returns the exit code."""
    programs = load(path)
    agreed = 0
    for program in programs:
        differences = list(program.differences())
        agreed += not differences
        sys.stdout.writelines(f"{line}\n" for line in differences)
    sys.stdout.write(f"{agreed} of {len(programs)} agree\n")
    return 0 if agreed == len(programs) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.presence.oracle FILE")
    sys.exit(main(Path(sys.argv[1])))
