"""All orders with at most so many deviations from first come, first served; those with the fewest first (EX9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any, Final, TypeAlias

import attrs

Deviations: TypeAlias = dict[int, int]


@attrs.frozen
class Played:
    """What one play showed."""

    deviations: Deviations
    """The choices that were not 0, by number."""
    counts: Sequence[int]
    """The number of options of each choice."""
    error: BaseException | None
    """What it raised."""


Play: TypeAlias = Callable[[Mapping[int, int]], Played]
"""Plays an order."""
PlayAll: TypeAlias = Callable[[Iterable[Deviations]], Iterable[Played]]
"""Plays orders, and returns what they showed, in the same order."""


class ChangedError(AssertionError):
    """The program is not the same when it is played again, so its orders cannot be explored (EX38)."""

    __module__ = "phxactor.testing.explore"  # where programs import it from


CAUSES: Final = (
    "Does it use random numbers, the wall clock, the order of a set, a thread of its own, or what an earlier play has "
    "left behind?"
)


def parted(order: Mapping[int, int], counts: Sequence[int], before: Sequence[int] = ()) -> str:
    """Say where a play is not the one that was asked for; empty if it is.

    `counts` are the numbers of options of its choices, `before` those of the same choices in another play.
    """
    for number, count in enumerate(before):
        if number >= len(counts):
            return f"there were {len(counts)} choices, where another play had more"
        if counts[number] != count:
            return f"choice {number} had {counts[number]} possibilities, and in another play {count}"
    for number, chosen in sorted(order.items()):
        if number >= len(counts):
            return (
                f"there was no choice {number}, which was to be {chosen}: there were {len(counts)} choices, from 0 on"
            )
        if chosen >= counts[number]:
            return f"choice {number} was to be {chosen}, and had the possibilities 0 to {counts[number] - 1} only"
    return ""


class Bounded:
    """The search. It goes on from where it was, if `load` has been given what `save` returned."""

    def __init__(self, play_all: PlayAll, most: float = inf) -> None:
        """Store what plays, and the most deviations."""
        self._play_all = play_all
        self._most = most
        self._deviations = 0
        self._before: list[Played] = []
        """The plays with one deviation fewer."""
        self._level: list[Played] = []
        """The plays of the current number of deviations, so far."""

    @property
    def left(self) -> str:
        """Say what is untried."""
        return (
            f"some orders with {self._deviations} deviations (after {len(self._level)} of them), and all with more"
            if self._deviations < self._most
            else f"some orders with {self._deviations} deviations (after {len(self._level)} of them)"
        )

    def plays(self) -> Iterator[Played]:
        """Play until nothing is left."""
        while self._deviations <= self._most:
            done = len(self._level)
            plays = self._play_all(order for order, _ in islice(self._orders(), done, None))
            for (order, before), played in zip(islice(self._orders(), done, None), plays, strict=False):
                where = parted(order, played.counts, before)
                if where:
                    raise ChangedError(f"the program is not the same twice: {where}. {CAUSES}")
                self._level.append(played)
                yield played
            if not self._level:
                return
            self._before, self._level = self._level, []
            self._deviations += 1

    def save(self) -> object:
        """Return where the search is, as plain values."""
        return self._deviations, _plain(self._before), _plain(self._level)

    def load(self, saved: Any) -> None:  # noqa: ANN401 - what `save` returned
        """Go on from there."""
        self._deviations, before, level = saved
        self._before = [Played(deviations, counts, None) for deviations, counts in before]
        self._level = [Played(deviations, counts, None) for deviations, counts in level]

    def _orders(self) -> Iterator[tuple[Deviations, Sequence[int]]]:
        """Return the orders with one deviation more than those before, and the counts up to that deviation."""
        if not self._deviations:
            yield {}, ()
        for played in self._before:
            if played.error is not None:
                continue
            first = max(played.deviations, default=-1) + 1
            for number in range(first, len(played.counts)):
                counts = played.counts[: number + 1]
                for chosen in range(1, played.counts[number]):
                    yield {**played.deviations, number: chosen}, counts


def _plain(plays: list[Played]) -> list[tuple[Deviations, list[int]]]:
    return [(played.deviations, list(played.counts)) for played in plays]
