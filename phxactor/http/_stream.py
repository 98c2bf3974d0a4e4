"""The stream interface that HTTP reads and writes through."""

from __future__ import annotations

from typing import Protocol


class Stream(Protocol):
    """A connected stream of bytes: a trio stream (TCP, TLS, in memory), or a connection of this package.

    Both methods raise `trio.BrokenResourceError` when the other side has reset the connection.
    """

    async def receive_some(self, max_bytes: int, /) -> bytes | bytearray:
        """Wait for bytes and return at most `max_bytes` of them; b"" means that the other side has closed."""
        ...

    async def send_all(self, data: bytes, /) -> None:
        """Send `data`, and wait until the stream has taken all of it."""
        ...
