"""What the clients of one topic have yet to be told: several changes become one diff (PR45).

join, then leave of one element      nothing       unless a list was read in between (PR45a)
leave, then join of one element      nothing       the same: a node was called down, and is back
an update, and another one           a leave of the first element, and a join of the last
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from phxactor.presence._element import Changes, Element


@final
class _Change:
    """What has happened to one element since the last diff."""

    __slots__ = ("here", "known_absent", "known_present", "step")

    def __init__(self, here: bool, step: int) -> None:  # noqa: FBT001 - a field
        self.here = here
        """Whether it is here now."""
        self.known_present = not here
        """Whether some client may know it as present: from the last diff, or from a list read since."""
        self.known_absent = here
        """Whether some client may not know it."""
        self.step = step
        """The number of the last change."""


@final
class Pending:
    """The joins and leaves since the last diff."""

    __slots__ = ("_changes", "_read_at", "_steps")

    def __init__(self) -> None:
        self._changes: dict[Element, _Change] = {}
        self._steps = 0
        self._read_at = 0

    def __bool__(self) -> bool:
        """Say whether anything has happened."""
        return bool(self._changes)

    def add(self, joins: Iterable[Element], leaves: Iterable[Element]) -> None:
        """Add one change."""
        self._steps += 1
        for element in joins:
            self._add(element, here=True)
        for element in leaves:
            self._add(element, here=False)

    def _add(self, element: Element, *, here: bool) -> None:
        change = self._changes.pop(element, None)
        if change is None:
            change = _Change(here, self._steps)
        else:
            if change.step <= self._read_at:  # somebody has seen it as it was until now
                change.known_present |= change.here
                change.known_absent |= not change.here
            change.here = here
            change.step = self._steps
        self._changes[element] = change

    def read(self) -> None:
        """Note that somebody has read the list: what it shows may have gone to a client."""
        self._read_at = self._steps

    def take(self) -> Changes:
        """Take out what is to be told."""
        changes = Changes()
        for element, change in self._changes.items():
            if change.here and change.known_absent:
                changes.joins.append(element)
            elif not change.here and change.known_present:
                changes.leaves.append(element)
        self._changes.clear()
        self._steps = self._read_at = 0
        return changes
