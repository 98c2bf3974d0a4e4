"""The server's side of an HTTP/1.1 connection: requests in, responses out, until a side closes or an upgrade.

A request's body is read on demand, so that the caller can judge the head first. A response to a request whose body has
not arrived whole is the last one on the connection.

h11 does the protocol: it parses heads, refuses malformed ones (request smuggling among them), and decides whether the
connection may be used again. This module adds limits for size and time, and answers the clients that break them. A
connection that begins with a plain upgrade request does not need this module (`plain_head`).

    idle ──first byte──> head ──(body)──> answer ──> idle
      │ HEAD_TIMEOUT,     │ HEAD_TIMEOUT: 408   │ BODY_TIMEOUT: 408
      │ then KEEP_ALIVE   │ MAX_HEAD(ERS): 431  │ too long: 413
      └> None             └> BadRequest         └> BadRequest
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, Literal, TypeVar

import attrs
import h11
import trio

from phxactor.http._h11_stream import MAX_HEAD, BadRequest, H11Stream
from phxactor.http._request import PeerData, Request
from phxactor.http._response import Response
from phxactor.http._stream import Stream

LEFT_OVER: Final = 12 * 1024 * 1024
"""Bytes read and discarded at most after the last answer: some clients send a whole body before they read it."""
MAX_HEADERS: Final = 100
"""Most headers of a request: small headers take many times their bytes in memory."""
MUCH: Final = 2048
"""A head of more received bytes than this waits for a turn before it is parsed, since that takes long."""
HEAD_TIMEOUT: Final = 10.0
"""Seconds to the first byte of the first request; also seconds from the first byte of a request to its head's end."""
BODY_TIMEOUT: Final = 60.0
"""Seconds that a client has to send a whole body."""
KEEP_ALIVE: Final = 60.0
"""Seconds that a connection may be silent between two requests."""

_PIECES: Final = 100
"""Events of h11 that are taken without a checkpoint."""
_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
_BOTH_DONE: Final = {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}
_LAST: Final = [("connection", "close")]
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

T = TypeVar("T")


class HTTPConnection:
    """The server's side of one connection. Call `next_request`, `read_body` if wanted, and `respond` in turn.

    The caller closes the stream.

    Args:
        stream: a connected stream.
        peer: the address of the client, for the requests.
        scheme: `https` if the stream is encrypted.
        first: bytes that were received already.
        move_on_after: a context manager that ends its block after some seconds, like trio's function of this name.
        wait_for_turn: waits until a long head may be parsed.

    """

    def __init__(
        self,
        stream: Stream,
        *,
        peer: PeerData,
        scheme: Literal["http", "https"] = "http",
        first: bytes = b"",
        move_on_after: Callable[[float], AbstractContextManager[trio.CancelScope, bool]] = trio.move_on_after,
        wait_for_turn: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        self._move_on_after = move_on_after
        self._wait_for_turn = wait_for_turn
        self._peer = peer
        self._scheme = scheme
        self._wire = H11Stream(stream, first, move_on_after)
        self._silence = HEAD_TIMEOUT
        self._method = ""
        self._body: int | None = 0
        """Length of the last request's body in bytes; None if its head does not say (chunked)."""

    @property
    def lost(self) -> bool:
        """Whether the client has left, or a write was broken off: then nothing more may be written."""
        return self._wire.lost

    def give_up(self) -> None:
        """Write nothing more."""
        self._wire.lost = True

    async def next_request(self) -> Request | None:
        """Read the head of the next request; None if there is none: the client left, or was silent for too long.

        Raises:
            BadRequest: the client made a mistake, was too slow, or left in the middle of a head. It was answered.
            RuntimeError: `respond` was not called for the last request.

        """
        return await self._or_refuse(self._request())

    @property
    def has_body(self) -> bool:
        """Whether the last request has a body; `content-length: 0` counts as none."""
        return self._body != 0

    @property
    def is_idle(self) -> bool:
        """Whether the connection waits for the next request, and has received nothing of it."""
        return not self._wire.lost and self._wire.h11.states == _BOTH_DONE and not self._wire.h11.trailing_data[0]

    async def read_body(self, most: int) -> bytes:
        """Read the body of the last request; call it once at most.

        Raises:
            BadRequest: the body has more than `most` bytes; or the client made a mistake, was too slow, or left.

        """
        return await self._or_refuse(self._read_body(most))

    async def respond(self, response: Response) -> bool:
        """Send the response to the last request. A client that leaves meanwhile is no error.

        Returns whether the stream has taken the whole response.

        Raises:
            h11.LocalProtocolError: there is no request to respond to.

        """
        self._silence = KEEP_ALIVE
        if self._wire.h11.their_state is h11.SEND_BODY and not self._skip_body():
            response = attrs.evolve(response, headers=[*response.headers, *_LAST])
        await self._send(response)
        return not self._wire.lost

    def lend(self) -> H11Stream:
        """Return the h11 object and its stream, for a caller that answers the last request by itself."""
        self._silence = KEEP_ALIVE
        return self._wire

    @property
    def status(self) -> int:
        """The status of the answer to the last request; 0 before it is sent."""
        return self._wire.status

    @property
    def body_bytes(self) -> int:
        """Bytes of that answer's body that were sent."""
        return self._wire.body_bytes

    @property
    def body_size(self) -> int | None:
        """The length of the last request's body in bytes, as its head says; None if its head does not (chunked)."""
        return self._body

    def trailing(self) -> bytes:
        """Return the bytes received after the request: the first frames, if it was an upgrade request."""
        return self._wire.h11.trailing_data[0]

    async def _request(self) -> Request | None:
        if not self._ready():
            return None
        head = await self._read_head()
        if head is None:
            return None
        self._method = head.method.decode()
        if not head.http_version.startswith(b"1."):
            version = head.http_version.decode()
            raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"this server speaks HTTP/1.1, not HTTP/{version}")
        self._body = _declared(head)
        try:
            return Request(
                self._method,
                head.target.decode(),
                tuple(head.headers),
                peer=self._peer,
                scheme=self._scheme,
                http_version=head.http_version.decode(),
            )
        except ValueError as error:
            raise BadRequest(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _ready(self) -> bool:
        """Prepare for another request; return False if the connection cannot have one."""
        states = {self._wire.h11.our_state, self._wire.h11.their_state}
        if self._wire.lost or states & {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:
            return False
        if states == {h11.DONE}:
            self._wire.next_cycle()
            self._method = ""
        elif states != {h11.IDLE}:
            raise RuntimeError("next_request was called before respond; respond to each request first")
        return True

    async def _read_head(self) -> h11.Request | None:
        begun = self._wire.begun()
        if begun is None:
            with self._move_on_after(self._silence):
                while begun is None:
                    await self._wire.receive()
                    begun = self._wire.begun()
        if not begun:
            return None
        before = self._wire.received - begun
        if begun > MUCH:
            await self._wait_for_turn()
        event = self._wire.event_at_hand()  # nearly always the head is whole: this saves a cancel scope
        if event is None:
            with self._move_on_after(HEAD_TIMEOUT):
                event = await self._wire.event()
        if event is None:
            raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"the head was not complete within {HEAD_TIMEOUT:g} seconds")
        size = self._wire.received - before
        # h11 limits incomplete heads only; the read that completes a head may also take it over the limit.
        if size > MAX_HEAD and size - len(self._wire.h11.trailing_data[0]) > MAX_HEAD:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head has more than {MAX_HEAD} bytes")
        if not isinstance(event, h11.Request):
            return None
        if len(event.headers) > MAX_HEADERS:
            del event  # else the exception's traceback keeps it in memory until the refusal is sent
            raise BadRequest(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head has more than {MAX_HEADERS} headers"
            )
        return event

    async def _read_body(self, most: int) -> bytes:
        if not self.has_body:
            return b""  # `respond` takes h11's end of the message; an upgrade request never gets here
        body, pieces = bytearray(), 0
        expected = self._body or 0
        with self._move_on_after(BODY_TIMEOUT):
            while max(expected, len(body)) <= most:
                if self._wire.h11.they_are_waiting_for_100_continue:
                    await self._wire.write(self._wire.send(h11.InformationalResponse(status_code=100, headers=[])))
                event = await self._wire.event()
                if not isinstance(event, h11.Data):
                    return bytes(body)
                body += event.data
                pieces += 1
                if not pieces % _PIECES:  # a body of very small chunks gives many events without waiting
                    await trio.lowlevel.checkpoint()
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {most} bytes")
        raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"the body was not complete within {BODY_TIMEOUT:g} seconds")

    def _skip_body(self) -> bool:
        """Drop a body that was not read; return whether it had arrived whole, in fewer than `_PIECES` events."""
        try:
            for _ in range(_PIECES):
                event = self._wire.event_at_hand()
                if not isinstance(event, h11.Data):
                    return event is not None
        except BadRequest:
            pass
        return False

    async def _send(self, response: Response) -> None:
        headers = [(b"date", formatdate(usegmt=True).encode()), *response.headers]
        if response.status not in _WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(response.body)))
        parts = [self._wire.send(h11.Response(status_code=response.status, headers=headers))]
        if self._method != "HEAD" and response.status not in _WITHOUT_BODY:
            parts.append(self._wire.send(h11.Data(data=response.body)))
        parts.append(self._wire.send(h11.EndOfMessage()))
        await self._wire.write(b"".join(parts))

    async def _or_refuse(self, reading: Awaitable[T]) -> T:
        """Await `reading`; if the client made a mistake, answer it and raise BadRequest."""
        try:
            return await reading
        except BadRequest as bad:
            await self._refuse(bad)
            raise

    async def _refuse(self, bad: BadRequest) -> None:
        if self._wire.lost or self._wire.h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._send(Response.text(f"{bad.why}\n", status=bad.status, headers=_LAST))


def _declared(head: h11.Request) -> int | None:
    """Return the size of a request's body in bytes; None if it is chunked. Raises BadRequest for two framings."""
    framing = {name: value for name, value in head.headers if name in _BODY}
    if len(framing) > 1:  # a proxy may have used the other header: request smuggling (RFC 9112 section 6.1)
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the head has both Content-Length and Transfer-Encoding")
    return None if b"transfer-encoding" in framing else int(framing.get(b"content-length", 0))
