"""Numbers: gaps and replays, from the numbers that senders give to what they send. Pure, and bounded.

A sender counts all that it sends, from 1, and says with each message which number its last one on the same lane had. So
a receiver of a few lanes notices what it misses on them. A message with a number that is not higher than the highest
seen of its sender is a replay (CL33).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, final

Lane: TypeAlias = str | bytes
"""What a sequence of messages belongs to, as the carrier names it: a topic's lane, or a channel."""
Verdict: TypeAlias = Literal["new", "gap", "replayed", "old", "many"]
"""Take the message; take it, but something before it is missing; drop it: seen before, the first of its sender and more
than 5 minutes off, or of one sender too many."""

FRESH: Final = 300_000
"""Milliseconds that the time of a sender not heard before may be off (CL33)."""
SENDERS: Final = 20_000
"""Senders that are known at the same time, at most."""
LANES: Final = 200_000
"""Pairs of a sender and a lane that are known at the same time, at most; gaps of the oldest go unnoticed."""


@final
class _Sender:
    __slots__ = ("at", "covered", "first", "highest")

    def __init__(self, number: int, at: int) -> None:
        self.first: int | None = None
        """The first number that came since the start, or since `restart`."""
        self.highest = number
        self.covered = 0
        """All that was lost up to this number has been told."""
        self.at = at
        """The receiver's time of the last message, in milliseconds."""


@final
class Numbers:
    """What a receiver has seen of each sender."""

    __slots__ = ("_always", "_from_start", "_lanes", "_pairs", "_senders")

    def __init__(self, *, from_start: bool = False, always: Lane | None = None) -> None:
        """Start without senders.

        With `from_start` a lane whose first message comes after another one has a gap: that is so of a lane that only
        this receiver reads. Without it, what was said on a lane before its first message here is nobody's loss. But the
        lane `always` is read whenever any is: once a sender was heard on another lane, all that it says there counts.
        """
        self._from_start = from_start
        self._always = always
        self._senders: dict[bytes, _Sender] = {}
        self._lanes: OrderedDict[Lane, dict[bytes, int]] = OrderedDict()
        """The last number of each sender on each lane; the lane that was last heard is the last."""
        self._pairs = 0

    def __len__(self) -> int:
        """Count the senders, and their lanes."""
        return len(self._senders) + self._pairs

    def check(self, sender: bytes, lane: Lane, number: int, previous: int, *, sent_at: int, now: int) -> Verdict:
        """Judge a message; `sent_at` and `now` are milliseconds since 1970, by the sender's and the receiver's clock.

        A loss that several lanes show is a gap on the first of them only.
        """
        known = self._senders.get(sender)
        if known is None:
            if abs(now - sent_at) > FRESH:
                return "old"
            if len(self._senders) >= SENDERS and not self._make_room(now):
                return "many"
            known = self._senders[sender] = _Sender(number, now)
        elif number <= known.highest:
            return "replayed"
        known.highest, known.at = number, now
        numbers = self._lanes.get(lane)
        if numbers is None:
            numbers = self._lanes[lane] = {}
        else:
            self._lanes.move_to_end(lane)
        last = numbers.get(sender)
        numbers[sender] = number
        if last is None:
            self._pairs += 1
            while self._pairs > LANES:
                self._pairs -= len(self._lanes.popitem(last=False)[1])
            if known.first is None:
                known.first = number
            if self._from_start:
                last = 0
            elif lane == self._always:
                last = known.first
            else:
                return "new"
        if previous <= last or previous <= known.covered:
            return "new"
        known.covered = number
        return "gap"

    def cover(self, sender: bytes) -> None:
        """Note that all that a sender has lost so far is told."""
        known = self._senders.get(sender)
        if known is not None:
            known.covered = known.highest

    def restart(self) -> None:
        """Forget what came last on each lane: what was missed until now is told otherwise. Replays stay known."""
        self._lanes.clear()
        self._pairs = 0
        for one in self._senders.values():
            one.first = None

    def forget(self, lanes: Iterable[Lane]) -> None:
        """Forget lanes that are no longer watched."""
        for lane in lanes:
            self._pairs -= len(self._lanes.pop(lane, ()))

    def _make_room(self, now: int) -> bool:
        """Forget senders whose messages are all too old to be replayed. Returns whether there were any."""
        gone = [sender for sender, one in self._senders.items() if abs(now - one.at) > 2 * FRESH]
        for sender in gone:
            del self._senders[sender]
        return bool(gone)
