"""The publish requests of a long-poll session: a queue of request bodies, and the messages in them.

A body stays undecoded until its messages are handed out one by one; decoded messages are in the multiplexer's backlog.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Final, TypeAlias, final

import attrs

from phxactor.runtime import From, Pid
from phxactor.socket import BINARY, SMALL, TEXT, Decode, DecodeError, Message, Mistyped, Multiplexer

MAX_LINES: Final = 100
"""Most messages of one request (Phoenix 1.8)."""
STEP: Final = 16384
"""Bytes of bodies that are handled in one turn; the message that exceeds this is the turn's last."""

Piece: TypeAlias = tuple[int, int, bytes | None]
"""A number of parsed bytes of a body, and the message in them: its opcode and its data, None for line breaks only."""

_JSON: Final = (b"[", b"{")
_BREAKS: Final = re.compile(rb"[\r\n]*")
_LINE: Final = re.compile(rb"[^\r\n]+")


@attrs.frozen(eq=False)
class Publish:
    """A call to a session: the reply is True once all messages of a body are handed out, False if one is invalid."""

    body: bytes = attrs.field(repr=False)
    lines: bool
    """Whether each line is a message; otherwise the whole body is one message."""


@attrs.frozen(eq=False)
class GaveUp:
    """A message to a session: the sender of a body has left; the rest of the body is dropped."""

    publish: Publish


class Progress(Enum):
    """The state of the queue after a call of `hand_out`."""

    DONE = "nothing is left"
    TURN = "other processes get a turn"
    FULL = "too much waits for the channels"


@final
class Publication:
    """A body that waits, or whose messages are being handed out."""

    __slots__ = ("from_", "left", "messages", "request")

    def __init__(self, request: Publish, from_: From, max_message_size: int) -> None:
        self.request = request
        self.from_ = from_
        self.messages = split(request, max_message_size)
        self.left: Piece | None = None
        """The next message, if the backlog had no room for it."""


@final
class Publications:
    """The bodies of one session, in order."""

    __slots__ = ("_decode", "_max_message_size", "_multiplexer", "_waiting", "_window")

    def __init__(self, decode: Decode, multiplexer: Multiplexer, max_message_size: int) -> None:
        self._decode = decode
        self._multiplexer = multiplexer
        self._max_message_size = max_message_size
        self._waiting: deque[Publication] = deque()
        self._window = STEP
        """Bytes to hand out until the next check whether the channels keep up."""

    def __len__(self) -> int:
        """Count the bodies."""
        return len(self._waiting)

    def add(self, request: Publish, from_: From) -> None:
        """Queue a body behind the others."""
        self._waiting.append(Publication(request, from_, self._max_message_size))

    def give_up(self, request: Publish) -> None:
        """Drop the rest of a body whose sender has left."""
        for publication in self._waiting:
            if publication.request is request:
                self._waiting.remove(publication)
                break

    def hand_out(self, pid: Pid) -> Progress:
        """Hand messages to the channels while the session is alive, and reply to requests; return why it stopped.

        Raises DecodeError for an invalid message; its request, the first in the queue, has no reply yet.
        """
        left = STEP
        while self._waiting and pid.alive:
            if left <= 0:
                return Progress.TURN
            publication = self._waiting[0]
            piece = publication.left or next(publication.messages, None)
            publication.left = None
            if piece is None:
                self._waiting.popleft()
                publication.from_.reply(value=True)
                continue
            size, opcode, data = piece
            left -= size
            if data is not None and not self._take(opcode, data):
                publication.left = piece
                return Progress.FULL
        return Progress.DONE

    def refuse(self) -> None:
        """Reply to the first request that it has an invalid message."""
        self._waiting.popleft().from_.reply(value=False)

    def _take(self, opcode: int, data: bytes) -> bool:
        """Decode a message and put it into its channel's mailbox; return False if the backlog has no room for it."""
        try:
            message = self._decoded(opcode, data)
        except Mistyped as mistyped:
            self._multiplexer.handle_mistyped(mistyped)
            return True
        if message is None:
            return False
        self._multiplexer.handle_limited(message)
        return True

    def _decoded(self, opcode: int, data: bytes) -> Message | None:
        backlog = self._multiplexer.backlog
        if len(data) > SMALL:
            return backlog.decode(self._decode, data, opcode)
        if self._window <= 0:
            if backlog.exceeds():
                return None
            self._window = STEP
        self._window -= len(data)
        return self._decode(data, opcode)


def split(request: Publish, max_message_size: int) -> Iterator[Piece]:
    """Yield the messages of a body, one by one. Raises DecodeError for a message that is too long, and for too many."""
    body = request.body
    if not request.lines:
        yield len(body), TEXT, _checked(body, max_message_size)
        return
    longest = max_message_size * 4 // 3 + 4  # the longest message in base64
    position = lines = 0
    while True:
        breaks = _BREAKS.match(body, position, position + STEP)
        assert breaks is not None  # noqa: S101 - the pattern also matches the empty text
        if breaks.end() > position:
            yield breaks.end() - position, TEXT, None
        elif position == len(body):
            return
        position = breaks.end()
        line = _LINE.match(body, position, position + longest + 1)
        if line is None:
            continue
        lines += 1
        if lines > MAX_LINES:
            raise DecodeError(f"the request has more than {MAX_LINES} messages")
        opcode, data = _message(line[0])
        yield line.end() - position, opcode, _checked(data, max_message_size)
        position = line.end()


def _message(line: bytes) -> tuple[int, bytes]:
    if line.startswith(_JSON):
        return TEXT, line
    try:
        return BINARY, b64decode(line, validate=True)
    except binascii.Error:
        return TEXT, line


def _checked(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise DecodeError(f"the message has {len(data)} bytes; the limit is {most}")
    return data
