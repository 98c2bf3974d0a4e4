"""What waits of a client's messages, in bytes: from the moment one is decoded until its channel has handled it.

A decoded message may take 40 times its text: 5 bytes of objects within objects become 184. What counts is what it takes
in memory, or more, never less:

- small ones are counted in the mailboxes, without a look at any, and each counts as the largest of them;
- each larger one is weighed by its text before it is decoded, and counts until nobody has it any more: no mailbox, no
  join that waits for its answer, no handler.

What a program keeps itself is its own affair: it counts no longer once the channel waits for its next message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias, final
from weakref import ref

from phxactor.runtime import Pid
from phxactor.socket.messages import BINARY, TEXT, Message
from phxactor.socket.serializer import Mistyped
from phxactor.socket.topics import Joined, Joining

SMALL: Final = 255
"""Bytes of a message that is not weighed."""
DENSE: Final = 40
"""Bytes of memory that a byte of JSON takes at the most: 36.6 were measured, for objects within objects."""
OVERHEAD: Final = 512
"""Bytes that a message takes beside its payload."""
SMALL_WEIGHT: Final = DENSE * SMALL + OVERHEAD
"""Bytes that a small message counts."""

_COUNTED: Final = 10_000
"""Messages of a mailbox that are looked at: all that wait behind so many count as the client's."""
_SCANNED: Final = 1024
"""Bytes of a text from which on it is looked at; one that is shorter is taken to be as dense as can be."""
_VALUE: Final = 72
"""Bytes of an array, or of a value in one or in an object, beside its text."""
_OBJECT: Final = 128
"""Bytes of an object beside its values."""
_WIDE: Final = 5
"""Bytes that a character takes in a text with an emoji: four for each, and the UTF-8 of those that are sent on."""

Decode: TypeAlias = Callable[[bytes, int], Message]
"""A serializer's `decode`."""


def weigh(text: bytes) -> int:
    """Return how many bytes the message of a JSON text takes, at the most; decoding it would take ten times as long."""
    size = len(text)
    most = DENSE * size
    if size > _SCANNED:
        structure = size - len(text.translate(None, b"{[,:"))
        width = 1 if text.isascii() and b"\\u" not in text else _WIDE
        most = min(most, width * size + _VALUE * structure + (_OBJECT - _VALUE) * text.count(b"{"))
    return most + OVERHEAD


@final
class Backlog:
    """The backlog of one client; `topics` is its multiplexer's table."""

    __slots__ = ("_leaving", "_needed", "_topics", "_weighed", "large", "limit")

    def __init__(self, topics: Mapping[str, Joined | Joining], limit: int) -> None:
        self._topics = topics
        self._leaving: dict[Pid, str] = {}
        """Channels that have closed, and have not taken what waits for them."""
        self._weighed: dict[int, tuple[ref[Message], int]] = {}
        """The larger messages by the ids of their references: a reference to what has no hash has none."""
        self._needed = 0
        """Bytes that a message weighs for which there was no room."""
        self.large = 0
        """Bytes of the larger messages."""
        self.limit = limit
        """Bytes that may wait before nothing more is taken of the client."""

    def decode(self, decode: Decode, data: bytes, opcode: int) -> Message | None:
        """Decode a larger message, which counts as long as anybody has it; None when there is no room for it.

        Raises what `decode` raises.
        """
        weight = weigh(data) if opcode == TEXT else len(data) + OVERHEAD
        if not self._has_room(weight):
            self._needed = weight
            return None
        try:
            message = decode(data, opcode)
        except Mistyped as mistyped:
            self._count(mistyped.message, weight)
            raise
        if opcode == BINARY and type(message.payload) is not bytes:  # a serializer of the program's
            weight *= 2 * DENSE
        self._count(message, weight)
        return message

    def leave(self, topic: str, pid: Pid) -> None:
        """Go on counting what waits for a channel that has closed."""
        self._forget_ended()
        self._leaving[pid] = topic

    def exceeds(self) -> bool:
        """Say whether too much waits. A look at each mailbox's length says no, nearly always."""
        small = sum(map(len, self._mailboxes()))
        return self.large + SMALL_WEIGHT * small > self.limit and self.held() > self.limit

    def held(self) -> int:
        """Count the bytes that wait: what others have sent to the channels counts nothing."""
        self._let_go()
        small = sum(map(_count, self._mailboxes()))
        joins = sum(type(entry) is Joining for entry in self._topics.values())
        return self.large + SMALL_WEIGHT * (small + joins)

    def has_eased(self, waiting: int) -> bool:
        """Say whether one that was exceeded, or had no room for a message, has by now, when so much waits."""
        if waiting and (2 * waiting > self.limit or waiting + self._needed > self.limit):
            return False
        self._needed = 0
        return True

    def clear(self) -> None:
        """Forget all of it, with the connection."""
        self._weighed.clear()
        self._leaving.clear()
        self.large = 0

    def _count(self, message: Message, weight: int) -> None:
        reference = ref(message, self._gone)
        self._weighed[id(reference)] = reference, weight
        self.large += weight

    def _has_room(self, weight: int) -> bool:
        """Say whether a larger message fits; alone, any does."""
        if self.large and self.large + weight > self.limit:
            self._let_go()
        return not self.large or self.large + weight <= self.limit

    def _gone(self, reference: ref[Message]) -> None:
        _, weight = self._weighed.pop(id(reference), (None, 0))
        self.large -= weight

    def _let_go(self) -> None:
        """Count no more what the channels have taken and keep."""
        self._forget_ended()
        leaving = set(self._leaving.values())
        for reference, _ in list(self._weighed.values()):
            message = reference()
            if message is not None and message.topic not in leaving and self._is_kept(message.topic):
                self._gone(reference)

    def _forget_ended(self) -> None:
        for pid in [pid for pid in self._leaving if not pid.mailbox]:
            del self._leaving[pid]

    def _is_kept(self, topic: str) -> bool:
        """Say whether nobody is busy with what came on a topic."""
        entry = self._topics.get(topic)
        if type(entry) is Joined:
            pid = entry.pid
            idle = pid.port is not None or (pid.waiter is not None and pid.wanted is None)
            return not pid.mailbox and (idle or not pid.alive)
        return entry is None

    def _mailboxes(self) -> Iterator[Collection[object]]:
        for entry in self._topics.values():
            if type(entry) is Joined:
                yield entry.pid.mailbox
            elif type(entry) is Joining:
                yield entry.waiting
                if entry.old is not None:
                    yield entry.old.pid.mailbox
        for pid in self._leaving:
            yield pid.mailbox


def _count(mailbox: Collection[object]) -> int:
    """Count a client's messages in a mailbox."""
    rest = max(0, len(mailbox) - _COUNTED)
    return rest + sum(issubclass(type(message), Message) for message in islice(mailbox, _COUNTED))
