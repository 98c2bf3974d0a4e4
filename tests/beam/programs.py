"""Random programs of both kinds."""

from __future__ import annotations

from typing import Final

from tests.beam import signals, supervisors
from tests.beam.dice import Dice
from tests.oracle.programs import Source

TREES: Final = 3
"""Of so many programs, one is of the kind `supervisors`: as in the record of the oracle."""


def program(seed: int, number: int) -> Source:
    """Write the program of this number."""
    dice = Dice(f"{seed} {number}")
    author = supervisors if number % TREES == TREES - 1 else signals
    return {"id": number, **author.program(dice)}
