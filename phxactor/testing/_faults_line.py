"""A connection in memory that can be slow, stall and break, with two ends.

    line = FaultyLine()
    await endpoint.serve_stream(line.server)
    async with connect("ws://app.test/socket/websocket", open_stream=line.open): ...

    line.latency = 0.2       seconds from sending to arrival, from now on
    line.stall()             nothing arrives until `line.go_on()`
    line.drop()              both ends get trio.BrokenResourceError

A schedule with `Faults(drops=1)` breaks it at any time.

Latency is measured by trio's clock, so a mock clock skips it.
"""

from __future__ import annotations

import trio
from trio.testing import memory_stream_pair


def drops_now() -> bool:
    """Return whether a line breaks now; a schedule that plays with faults replaces this function."""
    return False


class FaultyLine:
    """Two connected streams: bytes sent into one come out of the other."""

    def __init__(self) -> None:
        """Start without latency, not stalled and not broken."""
        client, server = memory_stream_pair()
        self.client = FaultyStream(self, client)
        self.server = FaultyStream(self, server)
        self.latency = 0.0
        """Seconds from the sending of bytes to their arrival."""
        self.broken = False
        self._waits: set[trio.CancelScope] = set()
        self._open = trio.Event()
        self._open.set()

    async def open(self) -> trio.abc.Stream:
        """Return the client's end: for the option `open_stream` of `connect`."""
        return self.client

    def drop(self) -> None:
        """Break the line: from now on, sending and receiving at both ends raise trio.BrokenResourceError."""
        self.broken = True
        for wait in self._waits:
            wait.cancel(reason="the line is broken")

    def stall(self) -> None:
        """Hold back all bytes from now on; senders do not notice."""
        self._open = trio.Event()

    def go_on(self) -> None:
        """End a stall: held back and later bytes arrive."""
        self._open.set()

    def check(self) -> None:
        """Raise trio.BrokenResourceError if the line is broken, or breaks now."""
        if not self.broken and drops_now():
            self.drop()
        if self.broken:
            raise trio.BrokenResourceError("the line is broken")

    async def arrive(self, end: trio.abc.ReceiveStream, max_bytes: int | None) -> bytes | bytearray:
        """Receive at one end, after latency and stalls. Raises trio.BrokenResourceError if the line breaks."""
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
        """Store the line and the stream below."""
        self._line = line
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes. Raises trio.BrokenResourceError if the line is broken."""
        self._line.check()
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once, since the line has no limit. Raises trio.BrokenResourceError if the line is broken."""
        self._line.check()
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive bytes that have arrived. Raises trio.BrokenResourceError if the line is broken."""
        return await self._line.arrive(self._inner, max_bytes)

    async def aclose(self) -> None:
        """Close this end. The other end receives the end of the stream."""
        await self._inner.aclose()
