"""The backlog of a client: the bytes of its messages from when they are decoded until their channels have handled them.

A decoded message may take 40 times its text: 5 bytes of nested objects become 184. The backlog counts at least the
bytes that a message takes in memory:

- Small messages are counted in the mailboxes, and each counts as a small message of the largest size.
- Each larger message is weighed by its text before it is decoded. It counts until nothing refers to it: no mailbox, no
  join that waits for an answer, no handler.

A message that the program itself keeps does not count once its channel waits for the next message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias, final
from weakref import ref

from phxactor.runtime import Pid, unlooked
from phxactor.socket._messages import BINARY, TEXT, Message
from phxactor.socket._serializer import Mistyped, TooComplex
from phxactor.socket._topics import Joined, Joining

SMALL: Final = 255
"""Bytes of a message that is not weighed."""
DENSE: Final = 40
"""Bytes of memory that a byte of JSON takes at most: 36.6 were measured, for nested objects."""
OVERHEAD: Final = 512
"""Bytes that a message takes beside its payload."""
SMALL_WEIGHT: Final = DENSE * SMALL + OVERHEAD
"""Bytes that a small message counts."""

_COUNTED: Final = 10_000
"""Messages of a mailbox that are looked at; all later ones count as the client's."""
_SCANNED: Final = 1024
"""Bytes of a text above which its structure is counted; a shorter text counts as the densest one."""
_UNLOOKED: Final = 16384
"""Bytes of a message from which on the collector does not look while it is decoded."""
_VALUE: Final = 72
"""Bytes of an array, or of a value in one or in an object, beside its text."""
_OBJECT: Final = 192
"""Bytes of an object beside its values."""
_WIDE: Final = 5
"""Bytes that a character takes in a text with an emoji: four in the string, and those of its cached UTF-8."""

_NOT_MARKS: Final = bytes(set(range(256)) - set(b'"[{'))

Decode: TypeAlias = Callable[[bytes, int], Message]
"""A serializer's `decode`."""


def weigh(text: bytes) -> int:
    """Return the bytes that the message of a JSON text takes at most. Decoding it would take ten times as long."""
    size = len(text)
    most = DENSE * size
    if size > _SCANNED:
        structure = size - len(text.translate(None, b"{[,:"))
        width = 1 if text.isascii() and b"\\u" not in text else _WIDE
        most = min(most, width * size + _VALUE * structure + (_OBJECT - _VALUE) * text.count(b"{"))
    return most + OVERHEAD


def containers(text: bytes, most: int) -> int:
    """Count the arrays and objects of a JSON text; brackets in its strings count only if there are at most `most`."""
    count = text.count(b"[") + text.count(b"{")
    if count <= most:
        return count
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = text.translate(None, _NOT_MARKS).replace(b'""', b"")  # what stands outside of strings still does
    return len(b"".join(marks.split(b'"')[::2]))


@final
class Backlog:
    """The backlog of one client; `topics` is its multiplexer's table."""

    __slots__ = ("_containers", "_leaving", "_needed", "_topics", "_weighed", "large", "limit")

    def __init__(self, topics: Mapping[str, Joined | Joining], limit: int, containers: int | None) -> None:
        self._topics = topics
        self._containers = containers
        """Arrays and objects that a message may have; None for any number."""
        self._leaving: dict[Pid, str] = {}
        """Channels that have closed, and still have messages in their mailboxes."""
        self._weighed: dict[int, tuple[ref[Message], int]] = {}
        """The larger messages by the ids of their references: a reference to what has no hash has none."""
        self._needed = 0
        """Bytes of the message for which there was no room."""
        self.large = 0
        """Bytes of the larger messages."""
        self.limit = limit
        """Bytes that may wait; above it, no more of the client is read."""

    def decode(self, decode: Decode, data: bytes, opcode: int) -> Message | None:
        """Decode a larger message, and count it as long as anything refers to it; None when there is no room for it.

        Raises what `decode` raises, and TooComplex for a text with too many arrays and objects: decoding is one step,
        for which all clients wait, and these are what takes long in it.
        """
        most = self._containers
        if most is not None and len(data) > most and opcode == TEXT and (count := containers(data, most)) > most:
            raise TooComplex(f"the message has {count} arrays and objects; the limit (max_containers) is {most}")
        weight = weigh(data) if opcode == TEXT else len(data) + OVERHEAD
        if not self._has_room(weight):
            self._needed = weight
            return None
        try:
            if len(data) < _UNLOOKED:
                message = decode(data, opcode)
            else:
                with unlooked():
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
        """Say whether too much waits. The lengths of the mailboxes nearly always say no."""
        small = sum(map(len, self._mailboxes()))
        return self.large + SMALL_WEIGHT * small > self.limit and self.held() > self.limit

    def held(self) -> int:
        """Count the bytes that wait; messages of other processes to the channels do not count."""
        self._let_go()
        small = sum(map(_count, self._mailboxes()))
        joins = sum(type(entry) is Joining for entry in self._topics.values())
        return self.large + SMALL_WEIGHT * (small + joins)

    def has_eased(self, waiting: int) -> bool:
        """Say whether `waiting` bytes leave room again, after the limit was exceeded or a message had no room."""
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
        """Stop counting the messages that idle channels have taken and keep."""
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
        """Say whether the channel of a topic is idle: the program keeps its messages."""
        entry = self._topics.get(topic)
        if type(entry) is Joined:
            pid = entry.pid
            idle = pid.port is not None or pid.idle
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
