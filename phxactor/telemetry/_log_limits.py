"""Limits on the number of log lines: in all, and of one kind. Pure: the caller passes the current time.

Where OTP's logger has a limit, the number is OTP's (`burst_limit_max_count`: 500 lines in a second). Lines over a limit
are not written but counted. When the limit's window ends, one line reports the count.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

BURST: Final = 500
"""Lines of all kinds allowed in one `SECOND` (OTP's `burst_limit_max_count`)."""
SECOND: Final = 1.0
"""Seconds: the window of `BURST`."""
FEW: Final = 10
"""Lines allowed in one `WHILE` about one failure: one type of exception, raised in one place. Each has a traceback."""
MANY: Final = 100
"""Lines of any other kind allowed in one `WHILE`, at level WARNING and above, or that follow failures."""
WHILE: Final = 10.0
"""Seconds: the window of `FEW` and `MANY`."""
KINDS: Final = 500
"""Kinds counted at the same time. Lines of further kinds are limited by `BURST` only."""


@attrs.frozen
class Kind:
    """The key under which lines are counted together. It must hold nothing that a client sent."""

    logger: str
    level: int
    place: tuple[object, ...] | None
    """The type of the exception, and the file and line that raised it; None for a line without an exception."""
    follows: bool = False
    """Whether such lines follow failures, as the joins of a client whose channel crashes: limited while one repeats."""


@attrs.frozen
class Report:
    """The number of lines that were left out: of one kind, or over `BURST`."""

    count: int
    kind: Kind | None = None
    """None for lines over `BURST`."""
    like: str = ""
    """The beginning of the last line of that kind that was written."""


class _Count:
    """The lines of one kind in one window: `left` may still be written, `more` were left out."""

    __slots__ = ("left", "like", "more", "until")

    def __init__(self, until: float, left: int) -> None:
        self.until = until
        self.left = left
        self.more = 0
        self.like = ""


class LogLimits:
    """Decides which lines are written, and counts the others."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, _Count] = {}
        self._until = -math.inf
        self._left = BURST
        self._over = 0
        self._due: list[Report] = []
        self._repeats_until = -math.inf
        """The end of the last window in which a failure has repeated beyond its limit."""

    def allow(self, kind: Kind | None, now: float) -> bool:
        """Return whether one more line may be written; if not, count it as left out."""
        if now >= self._until:
            self._end_second()
            self._until, self._left = now + SECOND, BURST
        if kind is not None and kind.follows and now >= self._repeats_until:
            kind = None
        count = None if kind is None else self._count(kind, now)
        if count is not None and not count.left:
            count.more += 1
            if kind is not None and kind.place is not None:
                self._repeats_until = max(self._repeats_until, count.until)
            return False
        if not self._left:
            self._over += 1
            return False
        self._left -= 1
        if count is not None:
            count.left -= 1
        return True

    def wrote(self, kind: Kind, text: str) -> None:
        """Remember the text of a written line: the report of lines left out quotes it."""
        count = self._kinds.get(kind)
        if count is not None:
            count.like = text[:200]

    def due(self, now: float) -> list[Report]:
        """Return the reports of all windows that have ended; each report is returned once."""
        if now >= self._until:
            self._end_second()
        for kind, count in list(self._kinds.items()):
            if now >= count.until:
                self._end(kind, count)
        due, self._due = self._due, []
        return due

    def is_due(self, now: float = -math.inf) -> bool:
        """Return whether `due(now)` would return a report."""
        return self.next_due() <= now

    def end(self) -> None:
        """End all windows now, so that their reports are due."""
        self._end_second()
        for kind, count in list(self._kinds.items()):
            self._end(kind, count)

    def next_due(self) -> float:
        """Return the time of the next report, if no more lines come: -infinity for at once, infinity for never."""
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
