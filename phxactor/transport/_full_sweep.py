"""Full sweeps: garbage that is collected after so many messages of a connection.

On the BEAM each process has a heap of its own, and sweeping one stops nobody else. CPython has one heap for all, and
frees nearly everything at once when nobody refers to it any more; what waits for a collection are cycles. A full one
looks at every container of the program: some 10 ms for a hundred thousand of them, in which nothing else runs. It pays
where handlers leave large cycles behind, and memory matters more than latency.
"""

from __future__ import annotations

from typing import final

from phxactor.runtime import Pid, sweep
from phxactor.socket import events


@final
class FullSweep:
    """Counts the messages of one connection."""

    __slots__ = ("_after", "_left", "_pid")

    def __init__(self, after: int, pid: Pid) -> None:
        """Collect after so many messages, or after each."""
        self._after = self._left = max(1, after)
        self._pid = pid

    def count(self) -> None:
        """Count a message that was handled."""
        self._left -= 1
        if not self._left:
            self._left = self._after
            found = sweep()
            if events.collected.handlers:
                events.collected.emit(pid=self._pid, objects=found)


def full_sweep(after: int | None, pid: Pid) -> FullSweep | None:
    """Make what an option says; None for none."""
    return None if after is None else FullSweep(after, pid)
