"""The flow of data from one node to another: bodies and answers, in parts, of which only so much is on its way.

A node that reads slowly thus makes the transfers wait, and no line has to drop anything for them. The transfers take
turns, so that a large body does not hold up the others. All of it is pure.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

import attrs

from phxactor.endpoint._relay_frames import CHUNK, Frame, Verb

WINDOW: Final = 4 * CHUNK
"""Bytes of data that may be on their way to a node."""


@attrs.define(eq=False)
class Transfer:
    """Data of one request, and how much of it has been sent."""

    verb: Verb
    number: int
    data: bytes
    sent: int = 0


@final
class Flow:
    """The data that goes to one other node, and the count of what has come from it."""

    __slots__ = ("_chunk", "_come", "_on_its_way", "_waiting")

    def __init__(self, chunk: int = CHUNK) -> None:
        """Prepare a flow with parts of at most `chunk` bytes."""
        self._chunk = chunk
        self._waiting: deque[Transfer] = deque()
        self._on_its_way = 0
        self._come = 0

    def __len__(self) -> int:
        """Count the transfers that are not yet sent whole."""
        return len(self._waiting)

    def add(self, verb: Verb, number: int, data: bytes) -> None:
        """Queue data; its last part says so, and there is one even if there is no data."""
        self._waiting.append(Transfer(verb, number, data))

    def drop(self, number: int) -> None:
        """Send nothing more of a request."""
        for transfer in self._waiting:
            if transfer.number == number:
                self._waiting.remove(transfer)
                break

    def next(self) -> Frame | None:
        """Return the next part that may go now; None if there is none, or no room for it."""
        if not self._waiting or self._on_its_way >= WINDOW:
            return None
        transfer = self._waiting.popleft()
        data = transfer.data[transfer.sent : transfer.sent + self._chunk]
        transfer.sent += len(data)
        self._on_its_way += len(data)
        last = transfer.sent == len(transfer.data)
        if not last:
            self._waiting.append(transfer)
        return Frame(transfer.verb, transfer.number, value=int(last), data=data)

    def acknowledge(self, size: int) -> None:
        """Note that so many bytes have reached the other node."""
        self._on_its_way = max(0, self._on_its_way - size)

    def came(self, size: int) -> int:
        """Note that so many bytes came from the other node; return how many to acknowledge now, 0 for none yet."""
        self._come += size
        if self._come < WINDOW // 4:
            return 0
        come, self._come = self._come, 0
        return come

    def forget(self) -> None:
        """Note that what was on its way may be lost, and will not be acknowledged."""
        self._on_its_way = self._come = 0
