"""Frames as clients make them, right and wrong (RFC 6455 section 5.2)."""

from __future__ import annotations

from typing import Final

from websockets.utils import apply_mask

FIN: Final = 0x80
RSV1: Final = 0x40
CONT: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
MASK: Final = b"\x11\x22\x33\x44"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, bits: int = 0, masked: bool = True, size: int | None = None
) -> bytes:
    """Make one; `size` is what its head says, if not the truth."""
    size = len(payload) if size is None else size
    head = bytes([(FIN if fin else 0) | bits | opcode])
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65536:
        head += bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask_bit | 127]) + size.to_bytes(8, "big")
    return head + (MASK + apply_mask(payload, MASK) if masked else payload)


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """Make a close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)
