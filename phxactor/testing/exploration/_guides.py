"""Strategies that choose the next step at random: PCT, POS, and a walk; and the portfolio that takes them in turn.

A guide returns the index of the option that it wants. The options before it are then postponed until no other is left.
So any strategy is written as the choices of a `Schedule`, and needs no format of its own (EX15).

    PCT     each process has a random priority, and the highest runs; at d - 1 random choices the runner becomes the
            lowest. A bug that needs d ordering constraints, in a program of n processes and k choices, is found by one
            play with a probability of at least 1 / (n * k ** (d - 1))  (Burckhardt et al., ASPLOS 2010)
    POS     each step that is ready has a random number, and the greatest runs (Yuan et al., CAV 2018)
    walk    each option is as likely as any other

None of them finds everything, so a portfolio takes them in turn (EX13).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from random import Random
from typing import Final, Protocol, final

from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._faults import Fault

HORIZONS: Final = (32, 64, 128)
"""Guesses of the number of choices in a play, if it is not known."""
SELDOM: Final = 16
"""Something fails at one choice of so many, as long as the budget lasts."""
IN_A_ROW: Final = 60
"""Choices in a row that one process may win; then it gets the lowest priority, so that none spins for ever."""


class Guide(Protocol):
    """What chooses: a strategy, or one whose wishes Hypothesis may change."""

    name: str

    def pick(self, options: Sequence[object]) -> int:
        """Return the index of the wanted option."""

    def number(self, count: int) -> int:
        """Return a number below `count`, for a choice that is not between steps."""


class Guided:
    """The base class of the strategies."""

    name = "first come"

    def __init__(self, random: Random) -> None:
        """Store the random source."""
        self._random = random

    def pick(self, options: Sequence[object]) -> int:
        """Return the index of the wanted option: seldom a failure, if there may be one."""
        if not isinstance(options[-1], Fault):
            return self.want(options)
        first = next(index for index, option in enumerate(options) if isinstance(option, Fault))
        if self._random.random() * SELDOM < 1:
            return first + int(self._random.random() * (len(options) - first))
        return self.want(options[:first]) if first > 1 else 0

    def want(self, options: Sequence[object]) -> int:
        """Return the index of the wanted option, of which none is a failure."""
        raise NotImplementedError

    def number(self, count: int) -> int:
        """Draw a number; such choices are no steps, and change no priority."""
        return int(self._random.random() * count)


@final
class FirstCome(Guided):
    """First come, first served."""

    def pick(self, options: Sequence[object]) -> int:
        """Want the first option; nothing fails."""
        return 0

    def number(self, count: int) -> int:
        """Want the first one."""
        return 0


@final
class Walk(Guided):
    """All options are equally likely."""

    name = "walk"

    def want(self, options: Sequence[object]) -> int:
        """Want any option."""
        return int(self._random.random() * len(options))


@final
class Pos(Guided):
    """Partial order sampling, in its basic form: a step draws a number when it becomes ready."""

    name = "POS"

    def __init__(self, random: Random) -> None:
        """Start with no numbers."""
        super().__init__(random)
        self._numbers: dict[object, float] = {}

    def want(self, options: Sequence[object]) -> int:
        """Want the option with the greatest number."""
        numbers = self._numbers
        for option in options:
            if option not in numbers:
                numbers[option] = self._random.random()
        wanted = max(options, key=numbers.__getitem__)
        del numbers[wanted]
        return options.index(wanted)


@final
class Pct(Guided):
    """Probabilistic concurrency testing: random priorities, and `depth` - 1 changes among `horizon` choices."""

    def __init__(self, random: Random, depth: int, horizon: int) -> None:
        """Draw the choices at which a priority changes."""
        super().__init__(random)
        self.name = f"PCT of depth {depth}"
        self._priorities: dict[object, float] = {}
        self._changes = {random.randrange(horizon) for _ in range(depth - 1)}
        self._choices = 0
        self._lowest = 0.0
        self._last: object = None
        self._in_a_row = 0

    def want(self, options: Sequence[object]) -> int:
        """Want the option with the highest priority."""
        priorities = self._priorities
        for option in options:
            if option not in priorities:
                priorities[option] = self._random.random()
        wanted = max(options, key=priorities.__getitem__)
        number, self._choices = self._choices, self._choices + 1
        self._in_a_row = self._in_a_row + 1 if wanted is self._last else 0
        self._last = wanted
        if number in self._changes or self._in_a_row >= IN_A_ROW:
            self._in_a_row = 0
            self._lowest -= 1
            priorities[wanted] = self._lowest
            wanted = max(options, key=priorities.__getitem__)
        if isinstance(wanted, Clock):
            del priorities[wanted]  # else it would run away: all deadlines would pass at once (EX44)
        return options.index(wanted)


def portfolio(number: int, random: Random, horizon: int | None = None) -> Guide:
    """Make the guide of a play: 0 is first come; each fourth play is POS, each eighth a walk, the others PCT.

    `horizon` is the number of choices of a play, if it is known.
    """
    if number == 0:
        return FirstCome(random)
    if number % 8 == 0:
        return Walk(random)
    if number % 4 == 0:
        return Pos(random)
    depth = 1 + (number - number // 4 - 1) % 3
    return Pct(random, depth, horizon or random.choice(HORIZONS))


def multiple(horizon: int, random: Random) -> int:
    """Return a horizon that is up to four times as long, for a play that may be longer than the one measured."""
    return horizon << int(log2(1 + random.random() * 7))
