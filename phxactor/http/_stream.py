"""What a connection reads and writes through."""

from __future__ import annotations

from typing import Protocol


class Stream(Protocol):
    """A connected stream of bytes: any of trio's (TCP, TLS, in memory), or the listener's own.

    Both methods raise `trio.BrokenResourceError` when the other side has reset the connection.
    """

    async def receive_some(self, max_bytes: int, /) -> bytes | bytearray:
        """Wait for bytes and return at most `max_bytes` of them; none at all means the end."""
        ...

    async def send_all(self, data: bytes, /) -> None:
        """Send all of `data`, waiting for the other side to take it."""
        ...
