"""A wrapper around the byte stream of a WebSocket handshake, which records the server's answer and notices its end.

It is needed because trio-websocket waits for ever if the server hangs up in the middle of its answer, and reads the
body of a refusal without a limit.
"""

from __future__ import annotations

import re
from typing import Final, final

import trio

from phxactor.client._errors import ABNORMAL, PROTOCOL_ERROR, ConnectionLost, ConnectRefused

MAX_ANSWER: Final = 65536
"""Maximum bytes read of an answer that opens no WebSocket."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}).*?\r\n\r\n(.*)", re.DOTALL)


@final
class HandshakeStream(trio.abc.Stream):
    """A stream that keeps all received bytes in `answer` until `is_open` is set, and notices the end of the stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.is_open = False
        self.answer = b""
        self._ended = trio.Event()

    async def cancel_at_end(self, scope: trio.CancelScope) -> None:
        """Cancel `scope` when the stream has ended."""
        await self._ended.wait()
        scope.cancel()

    def refusal(self, url: str) -> ConnectRefused | ConnectionLost:
        """Return the error for a handshake that ended without success."""
        match = _STATUS.match(self.answer)
        if match is not None and match[1] != b"101":
            return ConnectRefused(url, int(match[1]), match[2])
        if not self._may_be_http():
            return self.no_websocket()
        return ConnectionLost(ABNORMAL, "the server hung up instead of completing the handshake")

    def no_websocket(self, error: Exception | None = None) -> ConnectionLost:
        """Return the error for a server that does not speak WebSocket, or that broke the protocol later."""
        return ConnectionLost(PROTOCOL_ERROR, str(error) if self.is_open else f"no WebSocket: {self.answer[:80]!r}")

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive bytes.

        While not `is_open`, the stream ends (b"") after `MAX_ANSWER` bytes, and at once if the answer is not HTTP.
        """
        data: bytes | bytearray = b""
        try:
            if self.is_open or len(self.answer) < MAX_ANSWER:
                data = await self._stream.receive_some(max_bytes)
        finally:
            if not data:
                self._ended.set()
        if not self.is_open:
            self.answer += data
            if not self._may_be_http():  # h11 would leave a reference cycle that holds the answer
                self._ended.set()
                return b""
        return data

    def _may_be_http(self) -> bool:
        return b"HTTP/1.1 ".startswith(self.answer[:9])

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes. A broken stream counts as ended."""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self._ended.set()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        """Wait as the wrapped stream does."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the wrapped stream."""
        self._ended.set()
        await self._stream.aclose()
