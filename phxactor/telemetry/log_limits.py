"""How many lines are written: of all, and of one kind. Pure: it is told what time it is.

The numbers are those of OTP's logger where it has them (`burst_limit_max_count`, 500 in a second). What is left out is
counted, and the count is a line of its own when the time of the limit is over.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

BURST: Final = 500
"""Lines of all kinds in a second."""
SECOND: Final = 1.0
FEW: Final = 10
"""Lines about one failure, which is an exception from one place, in `WHILE`: each of them has a traceback."""
MANY: Final = 100
"""Lines of any other kind in it, from warnings on."""
WHILE: Final = 10.0
"""Seconds."""
KINDS: Final = 500
"""Kinds that are told apart at once; those beyond are limited together with all lines only."""


@attrs.frozen
class Kind:
    """What makes two lines alike: nothing in it may be a client's."""

    logger: str
    level: int
    place: tuple[object, ...] | None
    """The exception's type, and where it was raised; None if there was none."""


@attrs.frozen
class Report:
    """Lines that were left out: of one kind, or of all where there is none."""

    count: int
    kind: Kind | None = None
    like: str = ""
    """The beginning of the last line of that kind that was written."""


class _Count:
    """The lines of one kind in its time."""

    __slots__ = ("left", "like", "more", "until")

    def __init__(self, until: float, left: int) -> None:
        self.until = until
        self.left = left
        self.more = 0
        self.like = ""


class LogLimits:
    """Counts lines."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, _Count] = {}
        self._until = -math.inf
        self._left = BURST
        self._over = 0
        self._due: list[Report] = []

    def allow(self, kind: Kind | None, now: float) -> bool:
        """Tell whether one more line may be written, and count it if not."""
        if now >= self._until:
            self._end_second()
            self._until, self._left = now + SECOND, BURST
        count = None if kind is None else self._count(kind, now)
        if count is not None and not count.left:
            count.more += 1
            return False
        if not self._left:
            self._over += 1
            return False
        self._left -= 1
        if count is not None:
            count.left -= 1
        return True

    def wrote(self, kind: Kind, text: str) -> None:
        """Remember a line of a kind: what is left out is like it."""
        count = self._kinds.get(kind)
        if count is not None:
            count.like = text[:200]

    def due(self, now: float) -> list[Report]:
        """Return what was left out in times that are over; each is returned once."""
        if now >= self._until:
            self._end_second()
        for kind, count in list(self._kinds.items()):
            if now >= count.until:
                self._end(kind, count)
        due, self._due = self._due, []
        return due

    def is_due(self, now: float = -math.inf) -> bool:
        """Tell whether `due` would return something."""
        return self.next_due() <= now

    def end(self) -> None:
        """Have all times be over: what was left out is due."""
        self._end_second()
        for kind, count in list(self._kinds.items()):
            self._end(kind, count)

    def next_due(self) -> float:
        """Return when something will be due next, if nothing else happens; infinity for never."""
        if self._due:
            return -math.inf
        times = [count.until for count in self._kinds.values() if count.more]
        if self._over:
            times.append(self._until)
        return min(times, default=math.inf)

    def _count(self, kind: Kind, now: float) -> _Count | None:
        count = self._kinds.get(kind)
        if count is not None and now >= count.until:
            self._end(kind, count)
            count = None
        if count is None and len(self._kinds) < KINDS:
            count = self._kinds[kind] = _Count(now + WHILE, MANY if kind.place is None else FEW)
        return count

    def _end(self, kind: Kind, count: _Count) -> None:
        del self._kinds[kind]
        if count.more:
            self._due.append(Report(count.more, kind, count.like))

    def _end_second(self) -> None:
        if self._over:
            self._due.append(Report(self._over))
            self._over = 0
