"""The plainest order that fails in the same way: as few deviations as will do.

    1. drop deviations, first many at once, then one by one (delta debugging)
    2. smaller numbers
    3. all orders with fewer deviations, the fewest first, as far as the number of plays allows

What is dropped renumbers the choices after it. So the deviations that a play has really made are the next candidate,
not those that it was asked for (EX50 to EX52).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Final

from phxactor.testing.exploration._bounded import Bounded, ChangedError, Deviations, Play, Played

PLAYS: Final = 300
"""Plays that the search for fewer deviations may take."""
SECONDS: Final = 10.0
"""Seconds that it may take, since a play may be long."""


def failure_of(error: BaseException | None) -> object:
    """Return what makes two failures the same: the type, and the line that raised; None for a success."""
    if error is None:
        return None
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = None if traceback is None else (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
    return type(error), where


def plainest(play: Play, found: Played, most: int = PLAYS) -> Played:
    """Return the play with the fewest deviations that fails as `found` does; at most `most` plays look for it."""
    search = _Search(play, found, most)
    search.drop()
    search.lower()
    search.enumerate()
    return search.best


class _Search:
    """The search for one failure."""

    def __init__(self, play: Play, found: Played, most: int) -> None:
        self.best = found
        self._play = play
        self._failure = failure_of(found.error)
        self._plays = most
        self._until = monotonic() + SECONDS
        self._tried: set[tuple[tuple[int, int], ...]] = set()

    def _left(self) -> bool:
        """Say whether there may be one more play."""
        return self._plays > 0 and monotonic() < self._until

    def drop(self) -> None:
        """Drop deviations while the failure stays."""
        size = max(1, len(self.best.deviations) // 2)
        while self._left() and self.best.deviations:
            numbers = sorted(self.best.deviations, reverse=True)
            for first in range(0, len(numbers), size):
                gone = numbers[first : first + size]
                if self._fails({n: k for n, k in self.best.deviations.items() if n not in gone}):
                    break
            else:
                if size == 1:
                    return
                size = max(1, size // 2)
            size = min(size, max(1, len(self.best.deviations)))

    def lower(self) -> None:
        """Make numbers smaller while the failure stays."""
        for number in sorted(self.best.deviations):
            for lower in range(1, self.best.deviations.get(number, 0)):
                if self._fails({**self.best.deviations, number: lower}):
                    break

    def enumerate(self) -> None:
        """Try all orders with fewer deviations. A program that is not the same twice keeps the failure it has."""
        with suppress(ChangedError):
            for played in Bounded(lambda orders: map(self._once, orders), len(self.best.deviations) - 1).plays():
                if failure_of(played.error) == self._failure:
                    self.best = played
                    return
                if not self._left():
                    return

    def _once(self, order: Mapping[int, int]) -> Played:
        self._plays -= 1
        return self._play(order)

    def _fails(self, order: Deviations) -> bool:
        """Play a candidate, and keep it if it fails in the same way with fewer or smaller deviations."""
        key = tuple(sorted(order.items()))
        if not self._left() or key in self._tried:
            return False
        self._tried.add(key)
        played = self._once(order)
        if failure_of(played.error) != self._failure or weight(played.deviations) >= weight(self.best.deviations):
            return False
        self.best = played
        return True


def weight(deviations: Mapping[int, int]) -> tuple[int, int, int]:
    """Order orders by their plainness: fewer deviations, then smaller ones, then earlier ones."""
    return len(deviations), sum(deviations.values()), sum(deviations)
