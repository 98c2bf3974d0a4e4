"""Which channels to subscribe and unsubscribe next, in pieces: pure.

One piece is under way at a time, and the next one follows its last confirmation. So Redis never holds more than one
piece's confirmations for us, however many lanes there are, and lanes that are watched meanwhile make one piece.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

PIECE: Final = 2048
"""Channels of one piece at most."""
PIECE_BYTES: Final = 256 * 1024
"""Bytes of the channels' names in one piece; a piece of one channel may have more."""


@final
class Subscriptions:
    """The lanes of one connection that are to be watched, and the piece under way."""

    def __init__(self, channel_of: Callable[[str], bytes], lanes: Iterable[str]) -> None:
        """Begin with the lanes that are watched already: the backlog, which others overtake."""
        self._channel_of = channel_of
        self._backlog: Iterator[str] | None = iter(lanes)
        self._left_out: set[str] = set()
        """Lanes that were unwatched while they may still be in the backlog."""
        self._queue: OrderedDict[str, bool] = OrderedDict()
        """Lanes to subscribe (True) or unsubscribe; the last word counts. Redis confirms either in any case. (A `dict`
        would look for its first lane in the places of all that were taken before.)"""
        self._under_way: dict[bytes, str] = {}
        """The lane of each channel whose confirmation has not come."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to ask for, and nothing to be confirmed."""
        return self._backlog is None and not self._queue and not self._under_way

    def watch(self, lane: str) -> None:
        """Subscribe a lane with one of the next pieces."""
        self._queue[lane] = True
        self._left_out.discard(lane)

    def unwatch(self, lane: str) -> None:
        """Unsubscribe a lane with one of the next pieces."""
        self._queue[lane] = False
        if self._backlog is not None:
            self._left_out.add(lane)

    def next_piece(self) -> tuple[list[bytes], list[bytes]]:
        """Return the channels to subscribe and those to unsubscribe now; both empty while a piece is under way."""
        subscribe: list[bytes] = []
        unsubscribe: list[bytes] = []
        if self._under_way:
            return subscribe, unsubscribe
        room = PIECE_BYTES
        for lane, wanted in self._next_lanes():
            channel = self._channel_of(lane)
            self._under_way[channel] = lane
            (subscribe if wanted else unsubscribe).append(channel)
            room -= len(channel)
            if room <= 0 or len(self._under_way) >= PIECE:
                break
        return subscribe, unsubscribe

    def confirmed(self, channel: bytes, *, subscribed: bool) -> str | None:
        """Note Redis's confirmation; return the lane if it is watched from now on, else None."""
        lane = self._under_way.pop(channel, None)
        if lane is None or not subscribed or self._queue.get(lane) is False:
            return None
        return lane

    def _next_lanes(self) -> Iterator[tuple[str, bool]]:
        queue = self._queue
        while queue:
            yield queue.popitem(last=False)
        if self._backlog is None:
            return
        for lane in self._backlog:
            if lane not in self._left_out:
                yield lane, True
        self._backlog = None
        self._left_out = set()
