"""What a client publishes by long poll: the bodies of its requests, which wait in line, and the messages in them.

A body stays as it came until its messages are taken one by one: what is decoded is in the backlog of the multiplexer.
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
"""Messages in one request (Phoenix 1.8)."""
STEP: Final = 16384
"""Bytes of bodies that are worked on before others get a turn, or the message that goes over it."""

Piece: TypeAlias = tuple[int, int, bytes | None]
"""Bytes of a body that were looked at, and the message that stood there, if one did: its opcode and its data."""

_JSON: Final = (b"[", b"{")
_BREAKS: Final = re.compile(rb"[\r\n]*")
_LINE: Final = re.compile(rb"[^\r\n]+")


@attrs.frozen(eq=False)
class Publish:
    """A call: True when all messages of a body have been handed to their channels, False if they cannot be read."""

    body: bytes = attrs.field(repr=False)
    lines: bool
    """Whether each line is a message; otherwise all of it is one."""


@attrs.frozen(eq=False)
class GaveUp:
    """A message: whoever has sent a body has gone, and what has not been taken of it is dropped."""

    publish: Publish


class Progress(Enum):
    """How far the taking of bodies has come."""

    DONE = "nothing is left"
    TURN = "others get a turn"
    FULL = "too much waits for the channels"


@final
class Publication:
    """A body that waits, or is being taken."""

    __slots__ = ("from_", "left", "messages", "request")

    def __init__(self, request: Publish, from_: From, max_message_size: int) -> None:
        self.request = request
        self.from_ = from_
        self.messages = split(request, max_message_size)
        self.left: Piece | None = None
        """A message for which there was no room."""


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
        """Bytes that are still taken before the channels are looked at."""

    def __len__(self) -> int:
        """Count the bodies."""
        return len(self._waiting)

    def add(self, request: Publish, from_: From) -> None:
        """Put a body behind the others."""
        self._waiting.append(Publication(request, from_, self._max_message_size))

    def give_up(self, request: Publish) -> None:
        """Drop what has not been taken of a body: its sender has gone."""
        for publication in self._waiting:
            if publication.request is request:
                self._waiting.remove(publication)
                break

    def hand_out(self, pid: Pid) -> Progress:
        """Hand messages to the channels of a session that is alive, and answer the requests; some, then it says why.

        Raises DecodeError for what is no message; its request, the first one, has not been answered.
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
        """Answer the first request that it cannot be read."""
        self._waiting.popleft().from_.reply(value=False)

    def _take(self, opcode: int, data: bytes) -> bool:
        """Decode a message and hand it to its channel, if there is room for it."""
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
    """Take the messages out of a body, one by one; raises DecodeError for one that is too long, or one too many."""
    body = request.body
    if not request.lines:
        yield len(body), TEXT, _checked(body, max_message_size)
        return
    longest = max_message_size * 4 // 3 + 4  # of base64
    position = lines = 0
    while True:
        breaks = _BREAKS.match(body, position, position + STEP)
        assert breaks is not None  # noqa: S101 - it matches nothing at all
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
            raise DecodeError(f"more than {MAX_LINES} messages in one request")
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
        raise DecodeError(f"a message of {len(data)} bytes, more than {most}")
    return data
