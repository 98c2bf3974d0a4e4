"""What a runtime tells of itself: counts at one moment."""

from __future__ import annotations

import attrs


@attrs.frozen
class RuntimeStatistics:
    """A snapshot of a runtime."""

    processes: int
    """Number of processes that have not wholly ended, including `main`."""
    zombies: int
    """Number of killed processes that count as dead while their tasks still run."""
    names: int
    """Number of registered names."""
    timers: int
    """Number of pending timers."""
    messages: int
    """Number of waiting messages in all mailboxes."""
