"""What is recorded, for each version of Python: its compiler says how many instructions a line has."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, TypeAlias

FILE: Final = Path(__file__).with_name("recorded.json")
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
LIMIT: Final = 0.3
"""How far a count may be from what is recorded, as a share of it."""

Counts: TypeAlias = dict[str, int]
"""Instructions of each operation."""


def read() -> dict[str, Counts]:
    """Return the counts by version of Python."""
    found: dict[str, Counts] = json.loads(FILE.read_text())
    return found


def write(counts: Counts) -> None:
    """Record those of this Python."""
    FILE.write_text(json.dumps({**read(), VERSION: counts}, indent=4, sort_keys=True) + "\n")


def complaint(operation: str, recorded: int, counted: int) -> str | None:
    """Say what is wrong with a count, if it is."""
    change = counted / recorded - 1
    if abs(change) <= LIMIT:
        return None
    word, advice = ("more", "If it has to be so") if change > 0 else ("less", "Well done")
    return (
        f"{operation}: {counted} instructions, {abs(change):.0%} {word} than the {recorded} that are recorded. "
        f"{advice}: python -m tests.cost --record"
    )
