"""The connections of all workers of one machine, counted in memory that they share.

The memory is a table of numbers with four bytes each. A row is a worker's slot: when it was last heard of, then its
count for each endpoint. Only the worker itself writes to its row, and its parent after its end. `Share` is what one
worker's endpoint sees of it: the sum of a column for `max_connections`, and the smallest number for evenness.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Callable
from typing import Final, final

COLUMNS: Final = 64
MAX_ENDPOINTS: Final = COLUMNS - 1
"""Most endpoints of a program whose connections workers count."""
SILENT: Final = 3
"""Seconds after which a worker that was not heard of is not waited for."""
MARGIN: Final = 2
"""Connections by which a worker may be ahead of another before it holds back; one in `PART` in addition."""
PART: Final = 16
ALONE: Final = 2**31
"""What a worker may take while no other accepts: as many as come."""
_TRIES: Final = 200
"""Attempts to get the lock. Its holder has it for two numbers only, unless the holder was stopped in that moment."""


def create_counts(slots: int) -> int:
    """Make the memory, empty, for this number of workers, and return its descriptor."""
    descriptor = os.memfd_create("phxactor counts")
    os.ftruncate(descriptor, slots * COLUMNS * 4)
    return descriptor


@final
class SharedCounts:
    """The table, in one process."""

    def __init__(self, descriptor: int, slots: int) -> None:
        """Map the memory of a descriptor, which stays the caller's and must stay open."""
        self._descriptor = descriptor
        self._cells = memoryview(mmap.mmap(descriptor, slots * COLUMNS * 4)).cast("I")

    def clear(self, slot: int) -> None:
        """Empty the row of a worker that has ended."""
        start = slot * COLUMNS
        for cell in range(start, start + COLUMNS):
            self._cells[cell] = 0

    def beat(self, slot: int) -> None:
        """Note that the worker of a slot accepts connections."""
        self._cells[slot * COLUMNS] = _now()

    def rest(self, slot: int) -> None:
        """Note that the worker of a slot accepts no more connections: nobody holds back for it."""
        self._cells[slot * COLUMNS] = 0

    def count(self, slot: int, column: int) -> int:
        """Return the number of connections of a worker's endpoint."""
        return self._cells[slot * COLUMNS + column]

    def note(self, slot: int, column: int, count: int) -> None:
        """Set that number."""
        self._cells[slot * COLUMNS + column] = count

    def total(self, column: int) -> int:
        """Return the number of connections of all workers to one endpoint."""
        return sum(self._cells[column::COLUMNS])

    def fewest_of_others(self, slot: int, column: int) -> int | None:
        """Return the smallest number that another worker has which accepts connections; None if no other does."""
        cells, own, since, fewest = self._cells, slot * COLUMNS, _now() - SILENT, None
        for start in range(0, len(cells), COLUMNS):
            if cells[start] > since and start != own and (fewest is None or cells[start + column] < fewest):
                fewest = cells[start + column]
        return fewest

    def enter(self, slot: int, column: int, limit: int) -> bool:
        """Count one more connection of a worker, unless the sum of the column has reached `limit`."""
        locked = self._lock()
        try:
            if self.total(column) >= limit:
                return False
            self._cells[slot * COLUMNS + column] += 1
            return True
        finally:
            if locked:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def leave(self, slot: int, column: int) -> None:
        """Count one connection less."""
        self._cells[slot * COLUMNS + column] -= 1

    def _lock(self) -> bool:
        """Take the lock; False if its holder has been stopped. The count may be one too high then, but nobody hangs."""
        for _ in range(_TRIES):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.sched_yield()
            else:
                return True
        return False


@final
class Share:
    """What an endpoint of one worker sees of the table."""

    __slots__ = ("_column", "_counts", "_slot", "own_count")

    def __init__(self, counts: SharedCounts, slot: int, column: int) -> None:
        self._counts = counts
        self._slot = slot
        self._column = column
        self.own_count: Callable[[], int] | None = None
        """Returns the worker's number of connections where no limit counts them."""

    def enter(self, limit: int) -> bool:
        """Take a place under a limit for all workers together; False if there is none."""
        return self._counts.enter(self._slot, self._column, limit)

    def leave(self) -> None:
        """Give it back."""
        self._counts.leave(self._slot, self._column)

    def total(self) -> int:
        """Return the number of connections of all workers."""
        return self._counts.total(self._column)

    def note(self) -> int:
        """Write down the worker's own count if no limit does so, and return it."""
        if self.own_count is None:
            return self._counts.count(self._slot, self._column)
        count = self.own_count()
        self._counts.note(self._slot, self._column, count)
        return count

    def rest(self) -> None:
        """Say that this worker accepts no more: nobody holds back for it."""
        self._counts.rest(self._slot)

    def beat(self) -> None:
        """Say that this worker accepts connections; at least each `SILENT` seconds."""
        self._counts.beat(self._slot)
        self.note()

    def room(self) -> int:
        """Return how many connections this worker may take until it is ahead of another one; `ALONE` if there is none.

        If it is negative, the next ones should be the other's.
        """
        count = self.note()
        fewest = self._counts.fewest_of_others(self._slot, self._column)
        return ALONE if fewest is None else fewest + MARGIN + fewest // PART - count


def _now() -> int:
    """Return seconds of the clock that all processes of the machine share, never 0."""
    return int(time.monotonic()) + 1
