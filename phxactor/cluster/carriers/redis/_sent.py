"""The numbers that this node gives to what it says: pure."""

from __future__ import annotations

from typing import Final, final

MOST_CHANNELS: Final = 16384
"""Channels of which the last number is remembered. Beyond it all are forgotten, and the next message claims nothing."""
LONGEST: Final = 512
"""Bytes of a channel's name that is remembered at most."""


@final
class Sent:
    """Numbers, from 1. They outlive a connection, and the process that holds it."""

    __slots__ = ("_channels", "number")

    def __init__(self) -> None:
        self.number = 0
        """The last number that was given."""
        self._channels: dict[bytes, int] = {}

    def next(self, channel: bytes) -> tuple[int, int]:
        """Return the number of the next message, and that of the one before it on this channel, or 0."""
        number = self.number = self.number + 1
        channels = self._channels
        previous = channels.get(channel, 0)
        if previous or len(channel) <= LONGEST:
            if len(channels) >= MOST_CHANNELS:
                channels.clear()
            channels[channel] = number
        return number, previous

    def claim_nothing(self) -> None:
        """Say of no channel what came before: what was lost is told by the next beat, and would be told twice."""
        self._channels.clear()
