"""Random programs, many of them: the first that disagrees with the model is made short, and told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.protocol.programs import Move, moves
from tests.protocol.verdict import DisagreementError, reason_of_failure
from tests.protocol.wires import MemoryStream, Wire

MOVES: Final = 40
"""Moves of a program, of which some come to nothing; behind them is the end of the endpoint."""
ROUND: Final = 100
"""Programs that are made by one seed."""


class Tally:
    """What has been played."""

    def __init__(self, wanted: int, progress: Callable[[int, int], None] | None, wires: Callable[[], Wire]) -> None:
        self.wanted = wanted
        """Steps."""
        self.steps = 0
        self.programs = 0
        self._wires = wires
        self.disagreement: str | None = None
        self._progress = progress

    def play(self, program: list[Move]) -> None:
        """Play a program, if there are steps left to play, or one is being made short. Raises DisagreementError."""
        if self.steps >= self.wanted and self.disagreement is None:
            return
        try:
            self.steps += reason_of_failure(program, self._wires)
        except Exception as error:
            self.disagreement = f"{error!r}" if not isinstance(error, DisagreementError) else str(error)
            raise
        self.programs += 1
        if self._progress is not None:
            self._progress(self.steps, self.programs)


def play_at_random(
    steps: int,
    *,
    first_seed: int,
    progress: Callable[[int, int], None] | None = None,
    shorten: bool = True,
    wires: Callable[[], Wire] = MemoryStream,
) -> Tally:
    """Play programs until there were so many steps, or one disagrees: that is made short first, if wanted."""
    tally = Tally(steps, progress, wires)
    number = first_seed
    while tally.steps < steps and tally.disagreement is None:
        _play_round(tally, number, [Phase.generate, Phase.shrink] if shorten else [Phase.generate])
        number += 1
    return tally


def _play_round(tally: Tally, number: int, phases: list[Phase]) -> None:
    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(moves, min_size=MOVES, max_size=MOVES))
    def play(program: list[Move]) -> None:
        tally.play(program)

    with suppress(DisagreementError):
        play()
