"""Slow consumers that are not disconnected: they miss broadcasts while much waits for them."""

from __future__ import annotations

from typing import final

from phxactor.transport import events


@final
class SlowConsumer:
    """What one client misses; nothing while less than half of what may wait for it does."""

    __slots__ = ("_missed", "_peer", "above")

    def __init__(self, peer: str, max_output_bytes: int) -> None:
        self._peer = peer
        self.above = max_output_bytes // 2
        """Bytes from which on something is missed."""
        self._missed = 0

    def misses(self, waiting: int) -> bool:
        """Say whether a broadcast is to be dropped, when so many bytes wait."""
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
