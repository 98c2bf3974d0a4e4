"""A stream that is overheard while hands are shaken.

trio-websocket waits for ever when a server hangs up in the middle of its answer, and reads a refusal to its end.
"""

from __future__ import annotations

import re
from typing import Final, final

import trio

from phxactor.client._errors import ABNORMAL, PROTOCOL_ERROR, ConnectionLost, ConnectRefused

MAX_ANSWER: Final = 65536
"""Bytes that are read of an answer which opens no WebSocket."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}).*?\r\n\r\n(.*)", re.DOTALL)


@final
class HandshakeStream(trio.abc.Stream):
    """A stream whose end is noticed, and whose first bytes are kept until `is_open` is set."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.is_open = False
        self.answer = b""
        self._ended = trio.Event()

    async def cancel_at_end(self, scope: trio.CancelScope) -> None:
        """Wait until nothing more comes."""
        await self._ended.wait()
        scope.cancel()

    def refusal(self, url: str) -> ConnectRefused | ConnectionLost:
        """Say what became of a handshake that has ended without success."""
        match = _STATUS.match(self.answer)
        if match is not None and match[1] != b"101":
            return ConnectRefused(url, int(match[1]), match[2])
        if not b"HTTP/1.1 ".startswith(self.answer[:9]):
            return self.no_websocket()
        return ConnectionLost(ABNORMAL, "the server hung up instead of completing the handshake")

    def no_websocket(self, error: Exception | None = None) -> ConnectionLost:
        """Say that what answered does not speak the protocol, or not any more."""
        return ConnectionLost(PROTOCOL_ERROR, str(error) if self.is_open else f"no WebSocket: {self.answer[:80]!r}")

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read."""
        data: bytes | bytearray = b""
        try:
            if self.is_open or len(self.answer) < MAX_ANSWER:
                data = await self._stream.receive_some(max_bytes)
        finally:
            if not data:
                self._ended.set()
        if not self.is_open:
            self.answer += data
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write."""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self._ended.set()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        """Wait."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close."""
        self._ended.set()
        await self._stream.aclose()
