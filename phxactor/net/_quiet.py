"""Connections that seldom say anything. The reader reads a few of them in each pass.

They have an epoll object of their own. When ten thousand of them speak in the same moment, such as to join again, those
who are talking wait for none of them. A connection becomes quiet when it has said nothing for ten seconds, and is
talking again when it is read twice within one.
"""

from __future__ import annotations

import select
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

from phxactor.net._reading import QUIET, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

FEW: Final = 16
"""Connections that are read in one pass: each may cause the work of a join."""
LOOK: Final = 2.0
"""Seconds between two looks at all connections."""
LOOKS: Final = 4
"""Looks after which a connection that has said nothing is quiet."""
MANY: Final = 2000
"""Connections that become quiet in one look."""
SOON: Final = 1.0
"""Seconds between two reads of a connection that is talking, at most."""


@final
class Quiet:
    """The quiet connections of one reader; `talking` is the reader's own epoll object, `readings` its table."""

    __slots__ = ("_readings", "_talking", "poll")

    def __init__(self, talking: select.epoll, readings: Mapping[int, object]) -> None:
        self.poll = select.epoll()
        """Their epoll object; closed when the reader has ended."""
        self._talking = talking
        self._readings = readings

    def look(self) -> bool:
        """Move connections that have said nothing for a while; say whether others are left."""
        moved, left = 0, False
        for fileno, reading in self._readings.items():
            if type(reading) is Reading and reading.age < QUIET:
                reading.age += 1
                if reading.age > LOOKS and moved < MANY:
                    moved += 1
                    self._talking.unregister(fileno)
                    self.poll.register(fileno, select.EPOLLIN)
                    reading.age = QUIET
                    reading.last = 0.0
                else:
                    left = True
        return left

    def read(self) -> None:
        """Read from a few of them."""
        for fileno, _ in self.poll.poll(0, FEW):
            reading = self._readings.get(fileno)
            if type(reading) is Reading:
                reading.read()
                now = perf_counter()
                if now - reading.last < SOON:
                    self.poll.unregister(fileno)
                    self._talking.register(fileno, select.EPOLLIN)
                    reading.age = 0
                else:
                    reading.age = QUIET
                reading.last = now

    def wake(self, _: object) -> None:
        """Watch nobody any more, because the reader ends."""
        self.poll.close()
