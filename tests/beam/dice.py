"""Choices that a seed determines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Random choices; those of the same seed are the same on every machine."""

    def __init__(self, seed: str) -> None:
        """Begin anew."""
        self._random = Random(seed)  # noqa: S311 - nobody is to be kept from guessing

    def chance(self, percent: int) -> bool:
        """Say yes that often."""
        return self._random.randrange(100) < percent

    def number(self, low: int, high: int) -> int:
        """Choose a number between these, both included."""
        return self._random.randrange(low, high + 1)

    def one(self, options: Sequence[T]) -> T:
        """Choose one of these."""
        return options[self._random.randrange(len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Choose so many of these, the same one more than once."""
        return [self.one(options) for _ in range(count)]

    def weighted(self, weights: Mapping[T, int]) -> T:
        """Choose one of the keys, each as often as its weight says."""
        (choice,) = self._random.choices(list(weights), list(weights.values()))
        return choice
