"""The order in which trio runs tasks, where a play is to be repeated.

On purpose trio turns each batch of ready tasks round or not, by chance, so that no program relies on either. The knobs
are trio's own, and private.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

from phxactor.runtime import private

_run = private("_run", "_r.random", "_ALLOW_DETERMINISTIC_SCHEDULING")


class Fixed(Random):
    """Always says the same."""

    def __init__(self, value: float) -> None:
        """Say this."""
        super().__init__()
        self.value = value

    def random(self) -> float:
        """Say it."""
        return self.value


@contextmanager
def batches(*, backwards: bool) -> Iterator[None]:
    """Have all batches run in the order in which tasks became ready, or from the last to the first."""
    chance = 1.0 if backwards else 0.0  # a batch is a stack, which is turned round below one half
    with (
        patch.object(_run, "_r", Fixed(chance)),
        patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=False),
    ):
        yield
