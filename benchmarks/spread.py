"""Figures of several runs as one, and tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import quantiles

import attrs


@attrs.frozen
class Spread:
    """The median of some figures, and between what the middle half of them lies."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """Show three digits that count, and the range where there is one."""
        if self.low == self.high:
            return digits(self.median)
        return f"{digits(self.median)} ({digits(self.low)}-{digits(self.high)})"


def spread(figures: Iterable[float]) -> Spread:
    """Make one of at least one figure."""
    found = list(figures)
    low, middle, high = quantiles(found, n=4, method="inclusive") if len(found) > 1 else found * 3
    return Spread(middle, low, high)


def digits(figure: float) -> str:
    """Write a number of any size with the digits that count."""
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows of the same length in columns, the first one left and the others right aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
