"""The frames of a line, as bytes. Pure.

    4 bytes   length of the body
    1 byte    kind of the frame
    8 bytes   number
    body

Numbers are big endian. What the number means depends on the kind (`FrameKind`). A frame whose length is above the limit
of its kind is refused before anything is allocated for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Final, final

import orjson

from phxactor.envelope import MAX_MESSAGE_BYTES

HEAD: Final = Struct(">IBQ")
"""Length, kind, number."""
HEAD_BYTES: Final = HEAD.size
MAX_LANES_BYTES: Final = 1024 * 1024
"""Most bytes of a body of lanes: senders stay well below it, also where JSON escapes each character."""
MAX_SKIPPED: Final = 64 * 1024 * 1024
"""Most bytes of a message above the limit that are skipped; a line with a longer one is broken."""


class FrameKind(IntEnum):
    """What a frame is."""

    MESSAGE = 1
    """A message. Messages are numbered from 1; those that the sender had to drop have numbers too."""
    LIST = 2
    """The lanes that follow in WATCH frames are all that the sender watches. The body is empty."""
    LIST_END = 3
    """They were all of them. The number is to be confirmed. The body is empty."""
    WATCH = 4
    """The sender watches these lanes: a JSON array of texts. The number is to be confirmed if it is not 0."""
    UNWATCH = 5
    """The sender watches these lanes no more."""
    CONFIRM = 6
    """Whatever comes up to this number of LIST_END or WATCH is known. The body is empty."""
    BEAT = 7
    """A sign of life. The number is that of the message before it, so that a loss at the end shows too."""
    GOODBYE = 8
    """The sender leaves in order: the last frame. The body is empty."""


class LineError(Exception):
    """What came on a line is no frame that may come there; the text says why. The line is of no more use."""


@final
class FrameReader:
    """Cuts the bytes of a line into frames."""

    __slots__ = ("_at", "_data", "_have", "_limits", "_need", "_parts", "_skip")

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Begin a line whose messages have at most so many bytes."""
        self._limits = {int(kind): 0 for kind in FrameKind}
        self._limits |= {int(kind): MAX_LANES_BYTES for kind in (FrameKind.WATCH, FrameKind.UNWATCH)}
        self.limit(max_message_bytes)
        self._data = b""
        self._at = 0
        """Where the next frame begins in `_data`."""
        self._parts: list[bytes] = []
        """The pieces of a frame that is not whole yet."""
        self._have = 0
        """Their bytes."""
        self._need = HEAD_BYTES
        """How many bytes make the next frame whole, or its head."""
        self._skip = 0
        """Bytes of a message above the limit that are still to come."""

    def limit(self, max_message_bytes: int) -> None:
        """Skip messages that are longer."""
        self._limits[FrameKind.MESSAGE] = max_message_bytes

    def feed(self, data: bytes) -> None:
        """Take bytes that were received."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._at < len(self._data):
            self._parts.append(self._data[self._at :])
            self._have = len(self._parts[0])
            self._data, self._at = b"", 0
        if not self._parts:
            self._data, self._at = data, 0
            return
        self._parts.append(data)
        self._have += len(data)
        if self._have >= self._need:
            self._data, self._at = b"".join(self._parts), 0
            self._parts.clear()

    def next(self) -> tuple[int, int, bytes | None] | None:
        """Return kind, number and body of the next whole frame; None if there is none yet.

        The body of a message above the limit is None: it is skipped. Raises LineError for anything that is no frame.
        """
        data, at = self._data, self._at
        body = at + HEAD_BYTES
        if body > len(data):
            self._need = HEAD_BYTES
            return None
        size, kind, number = HEAD.unpack_from(data, at)
        limit = self._limits.get(kind)
        if limit is None:
            raise LineError(f"a frame of the unknown kind {kind}")
        if size > limit:
            if kind != FrameKind.MESSAGE or size > MAX_SKIPPED:
                raise LineError(f"a {FrameKind(kind).name} of {size} bytes: at most {limit} are allowed")
            self._skip = max(0, body + size - len(data))
            self._at = min(len(data), body + size)
            return kind, number, None
        end = body + size
        if end > len(data):
            self._need = end - at
            return None
        self._at = end
        return kind, number, data[body:end]


def frame(kind: FrameKind, number: int = 0, body: bytes = b"") -> bytes:
    """Return the bytes of a frame."""
    return HEAD.pack(len(body), kind, number) + body


def encode_lanes(lanes: Iterable[str]) -> bytes:
    """Return lanes as a JSON array.

    A lane that is no text (half of a surrogate pair) is left out: nobody can publish on it, since no message names it.
    """
    listed = list(lanes)
    try:
        return orjson.dumps(listed)
    except TypeError:
        return orjson.dumps([lane for lane in listed if lane.isascii() or _is_text(lane)])


def decode_lanes(body: bytes) -> list[str]:
    """Return the lanes of a JSON array. Raises LineError for anything else."""
    try:
        lanes = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise LineError(f"lanes that are no JSON: {error}") from None
    if not isinstance(lanes, list) or not all(type(lane) is str for lane in lanes):
        raise LineError("lanes that are no array of texts")
    return lanes


def _is_text(lane: str) -> bool:
    try:
        lane.encode()
    except UnicodeEncodeError:
        return False
    return True
