"""h11 over a stream: events of what arrives, in limits of size; bytes to the stream, in limits of time."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Final

import h11
import trio

from phxactor.http._stream import Stream

MAX_HEAD: Final = 64 * 1024
"""Most bytes of a request line and its headers."""
SEND_TIMEOUT: Final = 30.0
"""Seconds that a client has to take each 64 KiB of a response."""

_CHUNK: Final = 64 * 1024
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+")
_OF_H11: Final = re.compile(r"bytearray\((.*)\)", re.DOTALL)
"""How h11 shows bytes in its errors; only what is in the parentheses is for people."""
_UNDECIDED: Final = (b"", b"\r")


class BadRequest(Exception):
    """A client's mistake, answered already: the caller has only to log it, and to close the connection.

    Args:
        status: the HTTP status of the answer; if the client has left, there was no answer.
        why: the mistake, in words.

    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status
        self.why = why


class H11Stream:
    """One connection's h11 object and its stream.

    Args:
        stream: a connected stream.
        first: bytes that were received already.
        move_on_after: a context manager that ends its block after some seconds, like trio's function of this name.

    """

    def __init__(
        self,
        stream: Stream,
        first: bytes,
        move_on_after: Callable[[float], AbstractContextManager[trio.CancelScope, bool]],
    ) -> None:
        self._stream = stream
        self._move_on_after = move_on_after
        self.h11 = _new_h11(first)
        self.received = len(first)
        """Number of bytes received on the connection."""
        self._skipped = 0
        """Bytes of empty lines before the next request."""
        self.lost = False
        """Whether the client has left, or a write was broken off: then nothing more may be written."""
        self.status = 0
        """The status of the answer to the last request; 0 before it is sent."""
        self.body_bytes = 0
        """Bytes of the answer's body that were sent."""

    def next_cycle(self) -> None:
        """Prepare for another request, after a whole request and its whole response."""
        self.h11.start_next_cycle()
        self._skipped = 0
        self.status = self.body_bytes = 0

    def send(self, event: h11.Event) -> bytes:
        """Return the bytes of a part of the answer, as h11's `send` does; the status and the size are noted."""
        kind = type(event)
        if kind is h11.Response:
            self.status = event.status_code  # type: ignore[attr-defined]
        elif kind is h11.Data:
            self.body_bytes += len(event.data)  # type: ignore[attr-defined]
        return self.h11.send(event) or b""

    async def event(self) -> h11.Event:
        """Wait for the next event. Raises BadRequest for input that h11 refuses."""
        while (event := self.event_at_hand()) is None:
            await self.receive()
        return event

    def event_at_hand(self) -> h11.Event | None:
        """Return the next event; None if more bytes are needed. Raises BadRequest for input that h11 refuses."""
        try:
            event = self.h11.next_event()
        except h11.RemoteProtocolError as error:
            error.__traceback__ = None  # a frame of h11 in it refers to the error: a reference cycle
            raise BadRequest(error.error_status_hint, _OF_H11.sub(r"\1", str(error))) from None
        return event if isinstance(event, h11.Event) else None

    async def receive(self) -> None:
        """Read once from the stream. A reset counts as the end of the stream."""
        try:
            data = await self._stream.receive_some(_CHUNK)
        except trio.BrokenResourceError:
            self.lost = True
            data = b""
        self.received += len(data)
        self.h11.receive_data(bytes(data))

    def begun(self) -> int | None:
        """Return the number of received bytes of a head: 0 if the client has closed, None if nothing has arrived yet.

        Empty lines before a request line are skipped (RFC 9112 section 2.2). h11 refuses them, so a new h11 connection
        begins behind them.
        """
        pending, ended = self.h11.trailing_data
        empty = _EMPTY_LINES.match(pending)
        if empty is not None:
            self._skipped += empty.end()
            if self._skipped > MAX_HEAD:
                raise BadRequest(HTTPStatus.BAD_REQUEST, f"more than {MAX_HEAD} bytes of empty lines before a request")
            pending = pending[empty.end() :]
            self.h11 = _new_h11(pending)
            if ended:
                self.h11.receive_data(b"")
        if pending in _UNDECIDED:
            return 0 if ended else None
        return len(pending)

    async def write(self, data: bytes) -> None:
        """Write bytes; give up, and set `lost`, if the client has left or takes them too slowly."""
        lost, self.lost = self.lost, True  # a cancelled write leaves `lost` True
        try:
            for start in range(0, len(data), _CHUNK):
                with self._move_on_after(SEND_TIMEOUT) as scope:
                    await self._stream.send_all(data[start : start + _CHUNK])
                if scope.cancelled_caught:
                    return
        except trio.BrokenResourceError:
            return
        self.lost = lost


def _new_h11(data: bytes) -> h11.Connection:
    """Return a new h11 connection with bytes that were received already."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    if data:  # h11 takes b"" for the end of the stream
        connection.receive_data(data)
    return connection
