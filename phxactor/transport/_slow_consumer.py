"""The policy `slow_consumer="drop"`: a slow client misses broadcasts while much output waits for it."""

from __future__ import annotations

from typing import final

from phxactor.transport import events


@final
class SlowConsumer:
    """Decides which broadcasts a client misses: none while at most half of `max_output_bytes` waits."""

    __slots__ = ("_missed", "_peer", "above")

    def __init__(self, peer: str, max_output_bytes: int) -> None:
        self._peer = peer
        self.above = max_output_bytes // 2
        """Bytes of waiting output above which broadcasts are dropped."""
        self._missed = 0

    def misses(self, waiting: int) -> bool:
        """Say whether to drop a broadcast, given the bytes of output that wait; count it, and emit the events."""
        if waiting > self.above:
            if not self._missed and events.slow_consumer.handlers:
                events.slow_consumer.emit(peer=self._peer, waiting=waiting, policy="drop")
            self._missed += 1
            return True
        if self._missed:
            if events.caught_up.handlers:
                events.caught_up.emit(peer=self._peer, missed=self._missed)
            self._missed = 0
        return False
