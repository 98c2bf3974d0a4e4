"""Which messages are traced, decided before anything is spent on one: a number is counted down."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import random
from time import monotonic
from typing import Final, final

BURST: Final = 1.0
"""Seconds' worth of traces that clients may ask for at once."""


@final
class Sampler:
    """Draws how many messages are left out until the next one that is traced.

    Args:
        ratio: the share of messages that are traced, 0 to 1.
        client_rate: traces per second that clients can have by a `traceparent` that says `sampled`; those beyond count
            as any other message.
        draw: returns a random number of 0 to 1, without 1.
        now: reads a clock, in seconds.

    """

    __slots__ = ("_draw", "_now", "_rate", "_ratio", "_since", "_tokens", "left")

    def __init__(
        self,
        ratio: float,
        client_rate: float,
        draw: Callable[[], float] = random,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._ratio = ratio
        self._rate = client_rate
        self._draw = draw
        self._now = now
        self._tokens = client_rate * BURST
        self._since = now()
        self.left: float = 0
        """How many messages are left out before the next one that is traced. Who leaves one out subtracts 1."""
        self.again()

    def again(self) -> None:
        """Draw anew, after a message was traced: the number of failures before a success."""
        if self._ratio >= 1:
            self.left = 0
        elif self._ratio <= 0:
            self.left = math.inf
        else:
            self.left = math.floor(math.log(1 - self._draw()) / math.log(1 - self._ratio))

    def take(self) -> bool:
        """Say whether the next message is traced."""
        if self.left:
            self.left -= 1
            return False
        self.again()
        return True

    def take_client(self) -> bool:
        """Say whether a message is traced whose client asks for that."""
        now = self._now()
        self._tokens = min(self._rate * BURST, self._tokens + (now - self._since) * self._rate)
        self._since = now
        if self._tokens >= 1:
            self._tokens -= 1
            return True
        return self.take()
