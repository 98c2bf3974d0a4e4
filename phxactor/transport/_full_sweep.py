"""Full sweeps: a garbage collection after every so many messages of a connection.

On the BEAM each process has its own heap, and collecting one heap stops no other process. CPython has one heap, and
frees most objects at once, when their last reference goes; only reference cycles wait for a collection. A full
collection visits every container of the program, and nothing else runs meanwhile. It pays if handlers leave large
cycles behind and memory matters more than latency.
"""

from __future__ import annotations

from typing import final

from phxactor.runtime import Pid, sweep
from phxactor.socket import events


@final
class FullSweep:
    """Counts the messages of a connection, and collects garbage when the count is reached."""

    __slots__ = ("_after", "_left", "_pid")

    def __init__(self, after: int, pid: Pid) -> None:
        """Collect garbage after every `after` messages; 0 means after each message, like 1."""
        self._after = self._left = max(1, after)
        self._pid = pid

    def count(self) -> None:
        """Count a handled message; collect garbage if it is time."""
        self._left -= 1
        if not self._left:
            self._left = self._after
            found = sweep()
            if events.collected.handlers:
                events.collected.emit(pid=self._pid, objects=found)


def full_sweep(after: int | None, pid: Pid) -> FullSweep | None:
    """Return the counter for the option `fullsweep_after`; None if the option is None."""
    return None if after is None else FullSweep(after, pid)
