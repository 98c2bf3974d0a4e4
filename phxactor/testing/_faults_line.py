"""A connection that can be slow, stall and break: two ends of one line, in memory.

    line = FaultyLine()
    await endpoint.serve_stream(line.server)
    async with connect("ws://app.test/socket/websocket", open_stream=line.open): ...

    line.latency = 0.2       seconds that everything takes from now on
    line.stall()             nothing arrives, until `line.go_on()`
    line.drop()              both ends find it broken

Time is trio's clock, so that a mock clock makes light of it.
"""

from __future__ import annotations

import trio
from trio.testing import memory_stream_pair


class FaultyLine:
    """Two streams: what is sent into one comes out of the other, as long as the line lets it."""

    def __init__(self) -> None:
        """Start in good order."""
        client, server = memory_stream_pair()
        self.client = FaultyStream(self, client)
        self.server = FaultyStream(self, server)
        self.latency = 0.0
        """Seconds from the sending to the arrival of bytes."""
        self.broken = False
        self._waits: set[trio.CancelScope] = set()
        self._open = trio.Event()
        self._open.set()

    async def open(self) -> trio.abc.Stream:
        """Return the client's end: for the option `open_stream` of `connect`."""
        return self.client

    def drop(self) -> None:
        """Break it: who sends or receives, now or later, gets trio.BrokenResourceError; nothing arrives any more."""
        self.broken = True
        for wait in self._waits:
            wait.cancel(reason="the line is broken")

    def stall(self) -> None:
        """Let nothing arrive any more; senders do not notice."""
        self._open = trio.Event()

    def go_on(self) -> None:
        """Let arrive what has been sent, and will be."""
        self._open.set()

    def check(self) -> None:
        """Raise trio.BrokenResourceError if it is broken."""
        if self.broken:
            raise trio.BrokenResourceError("the line is broken")

    async def arrive(self, end: trio.abc.ReceiveStream, max_bytes: int | None) -> bytes | bytearray:
        """Receive at one end, when the line lets it; raises trio.BrokenResourceError."""
        self.check()
        with trio.CancelScope() as wait:
            self._waits.add(wait)
            try:
                data = await end.receive_some(max_bytes)
                await trio.sleep(self.latency)
                await self._open.wait()
            finally:
                self._waits.remove(wait)
            return data
        raise trio.BrokenResourceError("the line broke")


class FaultyStream(trio.abc.Stream):
    """One end of a line."""

    def __init__(self, line: FaultyLine, inner: trio.abc.Stream) -> None:
        """Be the end of this line."""
        self._line = line
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send; raises trio.BrokenResourceError."""
        self._line.check()
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: it has room for everything."""
        self._line.check()
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive what has arrived; raises trio.BrokenResourceError."""
        return await self._line.arrive(self._inner, max_bytes)

    async def aclose(self) -> None:
        """Close this end: the other one receives an end of file."""
        await self._inner.aclose()
