"""Which watched lanes all other nodes know: batches of watches, and how far each line has confirmed them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from phxactor.cluster.carriers.workers._line import Line


@final
class Confirmations:
    """The batches that not all nodes have confirmed."""

    __slots__ = ("_waiting", "batch")

    def __init__(self) -> None:
        self.batch = 0
        """The number of the last batch."""
        self._waiting: deque[tuple[int, Sequence[str]]] = deque()
        """The batches with their lanes, the oldest first."""

    def wait_for(self, lanes: Sequence[str]) -> None:
        """Have the lanes of the last batch be confirmed by all nodes."""
        self._waiting.append((self.batch, lanes))

    def forget(self) -> None:
        """Wait for none any more."""
        self._waiting.clear()

    def settled(self, lines: Collection[Line]) -> Iterator[Sequence[str]]:
        """Take the lanes that each node has confirmed, but for nodes that are silent or leave.

        A new node counts too, although it may not have said anything yet: it may know the list of this node already,
        and serve.
        """
        waiting = self._waiting
        if not waiting:
            return
        least = self.batch
        for line in lines:
            if line.confirmed < least and not line.is_silent and not line.has_left:
                least = line.confirmed
        while waiting and waiting[0][0] <= least:
            yield waiting.popleft()[1]
