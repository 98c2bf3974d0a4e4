"""Slicing plain data frames out of the bytes of a connection, and making frames (RFC 6455 section 5.2).

A frame is *plain* if it is a whole text or binary message, masked and uncompressed: nearly all frames of clients are.
The slicer handles these itself, several times faster than a protocol object. Every other frame (control, fragmented,
compressed) comes out unchanged, for the protocol object. So does a frame with a wrong head, with all bytes behind it:
at once, even if its payload has not arrived. `fault` says what is wrong.
"""

from __future__ import annotations

from typing import Final, final

try:
    from websockets.speedups import apply_mask as apply_mask  # noqa: PLC0414 - re-exported
except ImportError:  # where websockets has no C extension
    from websockets.utils import apply_mask as apply_mask  # noqa: PLC0414 - the same

RAW: Final = 0
"""The slicer's mark, in place of an opcode, for bytes that the protocol object must handle."""
OPCODE: Final = 0x0F
"""The mask of the opcode in a frame's first byte."""
FIN: Final = 0x80
"""The bit in the first byte that says that no fragment follows."""

_FAULTS: Final = (
    "invalid opcode",
    "incorrect masking",
    "reserved bits must be 0",
    "control frame too long",
    "fragmented control frame",
    "payload length not in the shortest form",
)
"""The faults that the head of a frame may have, in the order of the checks."""

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
    """The reading side of a connection: bytes in, frames out. It keeps a frame that has not arrived whole."""

    __slots__ = ("_compressed", "_fragmented", "_max_size", "_needed", "_raw", "_rest")

    def __init__(self, max_size: int, *, compressed: bool = False) -> None:
        """Make a slicer for a new connection.

        Args:
            max_size: limit for a payload in bytes; a larger frame and all bytes behind it go to the protocol object,
                which refuses them.
            compressed: whether messages may be compressed; the first reserved bit says whether one is (RFC 7692).

        """
        self._max_size = max_size
        self._compressed = compressed
        self._rest: bytearray | None = None
        """The beginning of a frame; it grows in place, so that a large frame is not copied at each read."""
        self._needed = 0
        """Bytes that `_rest` must have before it is parsed again."""
        self._fragmented = False
        """Whether a fragmented message has begun: all frames inside it go to the protocol object, which checks them."""
        self._raw = False
        """Whether a frame was too large or had a wrong head: after it, nothing is sliced any more."""

    @property
    def missing(self) -> int:
        """Bytes still missing from an incomplete frame: until they arrive, `feed` returns no frame."""
        return 0 if self._rest is None else self._needed - len(self._rest)

    def feed(  # noqa: C901 - the hot loop: a function call a frame would cost as much as the slicing
        self, data: bytes
    ) -> list[tuple[int, bytes]]:
        """Take received bytes; return `(opcode, payload)` for plain frames and `(RAW, bytes)` for others, in order."""
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
        """Stop slicing: all further bytes go to the protocol object, or are dropped."""
        self._raw = True
        frames.append((RAW, rest))
        return frames


def head(opcode: int, size: int) -> bytes:
    """Return the head of the frame that `frame` makes of so many bytes."""
    if size < _SHORT:
        return bytes((FIN | opcode, size))
    if size < _MIDDLE:
        return bytes((FIN | opcode, _TWO_BYTES, size >> 8, size & 0xFF))
    return bytes((FIN | opcode, _EIGHT_BYTES)) + size.to_bytes(8, "big")


def fault(data: bytes, *, compressed: bool) -> str | None:
    """Return the fault of the frame head at the beginning of `data`, as far as it has arrived; None if it has none.

    The rules are RFC 6455 sections 5.1, 5.2 and 5.5. With `compressed`, messages may set the first reserved bit
    (RFC 7692 section 6). Not checked: whether a continuation frame continues a message, and whether a frame is too
    large.
    """
    if len(data) < 2:  # noqa: PLR2004 - the shortest head
        return None
    head, second = data[0], data[1]
    opcode = head & OPCODE
    allowed = _COMPRESSED if compressed and 0 < opcode < _CONTROL else 0
    size = second & _SIZE
    if head in _RIGHT and second & _MASKED and size <= _TOP:  # nearly all frames
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
    """Return the offset of a masked frame's payload and its size in bytes; the head must have no fault."""
    size = data[1] & _SIZE
    if size < _TWO_BYTES:
        return 6, size
    end = 4 if size == _TWO_BYTES else 10
    return end + 4, int.from_bytes(data[2:end], "big")


def _wasteful(size: int, data: bytes) -> bool:
    """Say whether a payload length is written in more bytes than it needs."""
    if size == _TWO_BYTES:
        return len(data) >= 4 and int.from_bytes(data[2:4], "big") < _SHORT  # noqa: PLR2004
    return size == _EIGHT_BYTES and len(data) >= 10 and int.from_bytes(data[2:10], "big") < _MIDDLE  # noqa: PLR2004


def frame(opcode: int, data: bytes) -> bytes:
    """Return a whole, unmasked frame, as a server sends it."""
    size = len(data)
    if size < _SHORT:
        return bytes((FIN | opcode, size)) + data
    if size < _MIDDLE:
        return bytes((FIN | opcode, _TWO_BYTES, size >> 8, size & 0xFF)) + data
    return bytes((FIN | opcode, _EIGHT_BYTES)) + size.to_bytes(8, "big") + data
