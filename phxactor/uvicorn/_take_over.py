"""Takes WebSocket connections over from uvicorn: the socket itself, with the request that uvicorn has read.

uvicorn makes a protocol object for each upgrade request, of the class of its option `ws`, and gives it the transport
and the bytes of the request. If the path is an endpoint's, the connection leaves asyncio:

    plain       the socket is duplicated, uvicorn's transport is aborted (without sending anything), and the endpoint
                serves the duplicate as one that its own listener has accepted
    encrypted   TLS is in asyncio's transport, so the connection stays there: a `HostStream` carries its bytes

For any other path the object stands in front of an object of uvicorn's own class. uvicorn makes this object the
transport's protocol after it has given it the request, so all calls of the transport come here first.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from phxactor.guest import AsyncioSide, HostStream
from phxactor.http import last_answer
from phxactor.net import events, peer_of

if TYPE_CHECKING:
    from phxactor.endpoint import Endpoint
    from phxactor.uvicorn._door import Door


class TakeOver(asyncio.Protocol):
    """One upgrade request, and what becomes of its connection."""

    def __init__(self, door: Door, make_other: Callable[[], asyncio.Protocol] | None) -> None:
        self._door = door
        self._make_other = make_other
        self._other: asyncio.Protocol | None = None
        """uvicorn's own protocol object, for a path that is not an endpoint's."""
        self._stream: HostStream | None = None
        """The stream of an encrypted connection."""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take the request, and what comes after it."""
        if self._other is not None:
            self._other.data_received(data)
        elif self._stream is not None:
            if not self._stream.feed(data):
                self._transport.pause_reading()
        elif not self._transport.is_closing():
            endpoint = self._door.of_websocket(_path_of(data))
            if endpoint is None:
                self._leave_to_uvicorn(data)
            else:
                self._hand_over(endpoint, data)

    def eof_received(self) -> bool | None:
        """Take the end of the client's output."""
        if self._other is not None:
            return self._other.eof_received()
        if self._stream is not None:
            self._stream.feed_eof()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        if self._other is not None:
            self._other.connection_lost(exc)
        elif self._stream is not None:
            self._stream.lose(reset=exc is not None)

    def pause_writing(self) -> None:
        """Have the writer wait."""
        if self._other is not None:
            self._other.pause_writing()
        elif self._stream is not None:
            self._stream.pause()

    def resume_writing(self) -> None:
        """Let the writer go on."""
        if self._other is not None:
            self._other.resume_writing()
        elif self._stream is not None:
            self._stream.resume()

    def _leave_to_uvicorn(self, data: bytes) -> None:
        if self._make_other is None:  # uvicorn has no WebSockets: ws="none", or no library for them
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._other = self._make_other()
        self._other.connection_made(self._transport)
        self._other.data_received(data)

    def _hand_over(self, endpoint: Endpoint, data: bytes) -> None:
        entrance = self._door.entrance(endpoint)
        if entrance is None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        transport = self._transport
        peer = peer_of(transport.get_extra_info("peername"))
        encrypted = transport.get_extra_info("sslcontext") is not None
        theirs = transport.get_extra_info("socket")
        if encrypted or theirs is None or transport.get_write_buffer_size():
            self._stream = HostStream(Transport(transport))
            entrance.hand_over(self._stream, peer, data, "https" if encrypted else "http")
        else:
            try:
                ours = socket.socket(fileno=os.dup(theirs.fileno()))
            except OSError as error:  # the system has no descriptor left
                events.tell_accept_failed(str(error), self._door.failures.note(time.monotonic()))
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
                return
            transport.abort()
            entrance.hand_over(ours, peer, data, "http")

    def _refuse(self, status: HTTPStatus) -> None:
        self._transport.write(last_answer(status))
        self._transport.close()


class Transport(AsyncioSide):
    """A transport of asyncio as its side of a stream."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Write; the transport calls `pause_writing` of its protocol if it has much."""
        self._transport.write(data)

    def write_eof(self) -> None:
        """Close this side after the output; TLS closes both."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def close(self) -> None:
        """Close at once."""
        self._transport.abort()

    def wants_input(self) -> None:
        """Read again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()


def _path_of(request: bytes) -> str:
    """Return the path of a request that uvicorn has parsed."""
    target = request.split(b" ", 2)[1].decode("latin-1")
    return target.partition("?")[0]
