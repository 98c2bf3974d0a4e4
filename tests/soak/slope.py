"""How fast something grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Sample: TypeAlias = tuple[float, float]
"""Minutes since the start, and megabytes."""


def slope(samples: Sequence[Sample]) -> float:
    """Return the slope of the line of least squares, in megabytes a minute; 0.0 for less than two moments."""
    count = len(samples)
    if count == 0:
        return 0.0
    minutes = sum(minute for minute, _ in samples) / count
    megabytes = sum(size for _, size in samples) / count
    spread = sum((minute - minutes) ** 2 for minute, _ in samples)
    return sum((minute - minutes) * (size - megabytes) for minute, size in samples) / spread if spread else 0.0
