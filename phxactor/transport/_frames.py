"""Taking plain data frames out of the bytes of a connection, and making them (RFC 6455 section 5.2).

A frame is *plain* when it is a whole text or binary message, masked, uncompressed: nearly all that clients send.
Slicing it by hand takes 0.4 to 0.9 µs where a protocol object takes 4 to 5. Every other frame (control, fragmented,
compressed) comes out as it is, for the protocol object, which has the last word. So does a frame whose head is wrong,
and all that follows it: at once, however much of its payload is still to come, and `fault` says what is wrong.
"""

from __future__ import annotations

from typing import Final, final

try:
    from websockets.speedups import apply_mask as apply_mask  # noqa: PLC0414 - others take it from here
except ImportError:  # where websockets has no C extension
    from websockets.utils import apply_mask as apply_mask  # noqa: PLC0414 - the same

RAW: Final = 0
"""In place of an opcode: bytes that are for the protocol object."""
OPCODE: Final = 0x0F
"""The bits of a frame's first byte that are its opcode."""
FIN: Final = 0x80
"""The bit of it that says that no fragment follows."""

_FAULTS: Final = (
    "invalid opcode",
    "incorrect masking",
    "reserved bits must be 0",
    "control frame too long",
    "fragmented control frame",
    "payload length not in the shortest form",
)
"""What can be wrong with the head of a frame, in the order in which it is looked at."""

_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_COMPRESSED: Final = 0x40
_SIZE: Final = 0x7F
_KNOWN: Final = frozenset({0, 1, 2, 8, 9, 10})
_RIGHT: Final = frozenset({0, 1, 2, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A})
_TOP: Final = 125
_WHOLE_TEXT: Final = 0x81
_WHOLE_BINARY: Final = 0x82
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_SHORT: Final = 126
_MIDDLE: Final = 65536
_CONTROL: Final = 8


@final
class FrameSlicer:
    """The reading side of one connection: bytes in, frames out; remembers a frame that has not come whole."""

    __slots__ = ("_compressed", "_fragmented", "_max_size", "_needed", "_raw", "_rest")

    def __init__(self, max_size: int, *, compressed: bool = False) -> None:
        """Begin.

        Args:
            max_size: bytes of a payload above which the protocol object gets all that follows, and refuses it.
            compressed: whether a message may be compressed, and say so in its first reserved bit (RFC 7692).

        """
        self._max_size = max_size
        self._compressed = compressed
        self._rest: bytearray | None = None
        """The beginning of a frame; it grows in place, so that a large frame is not copied once a read."""
        self._needed = 0
        """Bytes that `_rest` must have before it is worth another look."""
        self._fragmented = False
        """Inside a fragmented message all frames are the protocol object's: it knows which are allowed."""
        self._raw = False
        """From a frame on that is too large, or wrong in its head, nothing is sliced any more."""

    @property
    def missing(self) -> int:
        """Bytes that a frame still lacks of which the beginning has come: until they are there, no frame comes out."""
        return 0 if self._rest is None else self._needed - len(self._rest)

    def feed(  # noqa: C901 - the hot loop: a function call a frame would cost as much as the slicing
        self, data: bytes
    ) -> list[tuple[int, bytes]]:
        """Take what was read; return `(opcode, payload)` for plain frames, `(RAW, bytes)` for all else, in order."""
        rest = self._rest
        if rest is not None:
            rest += data
            if len(rest) < self._needed:
                return []
            data = bytes(rest)
            self._rest = None
        if self._raw:
            return [(RAW, data)]
        frames: list[tuple[int, bytes]] = []
        position, end = 0, len(data)
        while end - position >= 2:  # noqa: PLR2004 - the shortest head
            head, second = data[position], data[position + 1]
            size = second & _SIZE
            start = position + 2
            if size >= _TWO_BYTES:
                start += 2 if size == _TWO_BYTES else 8
                if start > end:
                    break
                size = int.from_bytes(data[position + 2 : start], "big")
                if size < _SHORT or (size < _MIDDLE and second & _SIZE == _EIGHT_BYTES):
                    return self._give_up(data[position:], frames)
            if size > self._max_size:
                return self._give_up(data[position:], frames)
            if second & _MASKED:
                start += 4
            stop = start + size
            if stop > end:
                return self._keep(data[position:], stop - position, frames)
            if (head == _WHOLE_TEXT or head == _WHOLE_BINARY) and second & _MASKED and not self._fragmented:  # noqa: PLR1714, SIM109 - no set is made
                frames.append((head & OPCODE, apply_mask(data[start:stop], data[start - 4 : start])))
            else:
                if fault(data[position:start], compressed=self._compressed) is not None:
                    return self._give_up(data[position:], frames)
                if head & OPCODE < _CONTROL:
                    self._fragmented = not head & FIN
                frames.append((RAW, data[position:stop]))
            position = stop
        return self._keep(data[position:], 0, frames) if position < end else frames

    def _keep(self, rest: bytes, needed: int, frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Keep the beginning of a frame, unless its head is wrong."""
        if fault(rest, compressed=self._compressed) is not None:
            return self._give_up(rest, frames)
        self._rest = bytearray(rest)
        self._needed = needed
        return frames

    def _give_up(self, rest: bytes, frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Slice nothing any more: the protocol object's is all that follows, or nobody's."""
        self._raw = True
        frames.append((RAW, rest))
        return frames


def fault(data: bytes, *, compressed: bool) -> str | None:
    """Say what is wrong with the head of the frame that `data` begins with, or with as much of it as there is.

    RFC 6455 sections 5.1, 5.2, 5.5. With `compressed`, messages may have the first reserved bit (RFC 7692 section 6).
    That a frame continues nothing, or is too large, is not looked at.
    """
    if len(data) < 2:  # noqa: PLR2004 - the shortest head
        return None
    head, second = data[0], data[1]
    opcode = head & OPCODE
    allowed = _COMPRESSED if compressed and 0 < opcode < _CONTROL else 0
    size = second & _SIZE
    if head in _RIGHT and second & _MASKED and size <= _TOP:  # as nearly all are
        return None
    wrong = (
        opcode not in _KNOWN,
        not second & _MASKED,
        head & _RESERVED & ~allowed,
        opcode >= _CONTROL and size > _TOP,
        opcode >= _CONTROL and not head & FIN,
        _wasteful(size, data),
    )
    return next((words for words, is_so in zip(_FAULTS, wrong, strict=True) if is_so), None)


def extent(data: bytes) -> tuple[int, int]:
    """Return where the payload of a masked frame begins, and how many bytes it has; its head is right."""
    size = data[1] & _SIZE
    if size < _TWO_BYTES:
        return 6, size
    end = 4 if size == _TWO_BYTES else 10
    return end + 4, int.from_bytes(data[2:end], "big")


def _wasteful(size: int, data: bytes) -> bool:
    """Tell whether a length is written in more bytes than it needs."""
    if size == _TWO_BYTES:
        return len(data) >= 4 and int.from_bytes(data[2:4], "big") < _SHORT  # noqa: PLR2004
    return size == _EIGHT_BYTES and len(data) >= 10 and int.from_bytes(data[2:10], "big") < _MIDDLE  # noqa: PLR2004


def frame(opcode: int, data: bytes) -> bytes:
    """Make a server's whole, unmasked frame."""
    size = len(data)
    if size < _SHORT:
        return bytes((FIN | opcode, size)) + data
    if size < _MIDDLE:
        return bytes((FIN | opcode, _TWO_BYTES, size >> 8, size & 0xFF)) + data
    return bytes((FIN | opcode, _EIGHT_BYTES)) + size.to_bytes(8, "big") + data
