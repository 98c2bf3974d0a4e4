"""One connection that speaks HTTP/1.1: requests in, responses out, until one side has enough or it becomes a WebSocket.

The body of a request is read when somebody asks for it, so that who answers looks at the head first. A response to a
request whose body has not come whole is the last one.

The protocol is h11's, from the parsing of heads to when a connection may be used again, and so is what counts as
malformed (request smuggling among it). What is ours: limits of size and time, and an answer to those who break them.
A connection that asks for a WebSocket in one plain piece does not come here (`plain_head`).

    idle ──first byte──> head ──(body)──> answer ──> idle
      │ HEAD_TIMEOUT,     │ HEAD_TIMEOUT: 408   │ BODY_TIMEOUT: 408
      │ then KEEP_ALIVE   │ MAX_HEAD(ERS): 431  │ too long: 413
      └> None             └> BadRequest         └> BadRequest
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, Literal, TypeVar

import attrs
import h11
import trio

from phxactor.http._request import PeerData, Request
from phxactor.http._response import Response
from phxactor.http._stream import Stream

LEFT_OVER: Final = 12 * 1024 * 1024
"""Bytes that a client may still send while it is hung up on: some write a whole body before they read the answer."""
MAX_HEAD: Final = 64 * 1024
"""Bytes of a request line and its headers."""
MAX_HEADERS: Final = 100
"""Headers of a request: small ones take forty times their bytes in memory."""
MUCH: Final = 2048
"""Bytes that have come of a head when it waits for its turn to be read: 64 KiB of cookies or parameters are 20 ms."""
HEAD_TIMEOUT: Final = 10.0
"""Seconds until the first byte of the first request, and from the first byte of any to the end of its head."""
BODY_TIMEOUT: Final = 60.0
"""Seconds for all of a body."""
KEEP_ALIVE: Final = 60.0
"""Seconds that a connection may be silent between two requests."""
SEND_TIMEOUT: Final = 30.0
"""Seconds that a client has to take each 64 KiB of an answer."""

_CHUNK: Final = 64 * 1024
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+")
_UNDECIDED: Final = (b"", b"\r")
_PIECES: Final = 100
"""Events of the protocol that are taken without a pause."""
_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
_BOTH_DONE: Final = {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}
_LAST: Final = [("connection", "close")]
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

T = TypeVar("T")


class BadRequest(Exception):
    """A client's mistake, answered already; all that is left is a line in the log, and to close the connection.

    Args:
        status: of the answer; there was none if the client was gone.
        why: what was wrong.

    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status
        self.why = why


class HTTPConnection:
    """The server's side of one connection: `next_request` (and `read_body`) and `respond` in turn.

    Closing the stream is the caller's.

    Args:
        stream: a connected stream.
        peer: where it comes from; every request says so.
        scheme: `https` when the stream is encrypted, or a proxy says that its client's is.
        first: what has been received already.
        move_on_after: ends a block in which the client has taken too long, as trio's does.
        wait_for_turn: waits until a long head may be read, which is much work.

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
        self._stream = stream
        self._move_on_after = move_on_after
        self._wait_for_turn = wait_for_turn
        self._peer = peer
        self._scheme = scheme
        self._h11 = _new_h11(first)
        self._received = len(first)
        """Bytes, of all requests so far."""
        self._skipped = 0
        """Bytes of empty lines before the next request."""
        self._silence = HEAD_TIMEOUT
        self._method = ""
        self._body: int | None = 0
        """Bytes of the last request's body; None if that is not known before it has come."""
        self.lost = False
        """Whether the client has gone, or nothing more may be written."""

    async def next_request(self) -> Request | None:
        """Read the head of a request; `None` when there will be no more: the client left, or said nothing for long.

        Raises:
            BadRequest: the client made a mistake, was too slow, or left halfway. It has had its answer.
            RuntimeError: the last request has not been responded to.

        """
        return await self._or_refuse(self._request())

    @property
    def has_body(self) -> bool:
        """Whether the last request has a body; an empty one that is said to be so is none."""
        return self._body != 0

    @property
    def is_idle(self) -> bool:
        """Whether the next request may come, and nothing of it has."""
        return not self.lost and self._h11.states == _BOTH_DONE and not self._h11.trailing_data[0]

    async def read_body(self, most: int) -> bytes:
        """Read the body of the last request, of `most` bytes at the most; once.

        Raises:
            BadRequest: it is longer, or as `next_request` does.

        """
        return await self._or_refuse(self._read_body(most))

    async def respond(self, response: Response) -> bool:
        """Send the answer to the last request; the client may be gone before it has all of it, which is no error.

        Returns whether the system has taken it whole.

        Raises:
            h11.LocalProtocolError: there is no request to respond to.

        """
        self._silence = KEEP_ALIVE
        if self._h11.their_state is h11.SEND_BODY and not self._skip_body():
            response = attrs.evolve(response, headers=[*response.headers, *_LAST])
        await self._send(response)
        return not self.lost

    def trailing(self) -> bytes:
        """Return what was received after the request: the first frames, when it asked for an upgrade."""
        return self._h11.trailing_data[0]

    async def _request(self) -> Request | None:
        if not self._ready():
            return None
        head = await self._read_head()
        if head is None:
            return None
        self._method = head.method.decode()
        if not head.http_version.startswith(b"1."):
            version = head.http_version.decode()
            raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"HTTP/1.1 is spoken here, not HTTP/{version}")
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
        """Say whether another request may come, and prepare for it."""
        states = {self._h11.our_state, self._h11.their_state}
        if self.lost or states & {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:
            return False
        if states == {h11.DONE}:
            self._h11.start_next_cycle()
            self._method = ""
            self._skipped = 0
        elif states != {h11.IDLE}:
            raise RuntimeError("respond to a request before asking for the next one")
        return True

    async def _read_head(self) -> h11.Request | None:
        begun = self._begun()
        if begun is None:
            with self._move_on_after(self._silence):
                while begun is None:
                    await self._receive()
                    begun = self._begun()
        if not begun:
            return None
        before = self._received - begun
        if begun > MUCH:
            await self._wait_for_turn()
        event = self._event_at_hand()  # nearly always the head has come whole: a scope costs 7 µs
        if event is None:
            with self._move_on_after(HEAD_TIMEOUT):
                event = await self._event()
        if event is None:
            raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"no whole head within {HEAD_TIMEOUT:g} seconds")
        size = self._received - before
        # h11 has a limit for heads that are not whole; one may come whole with the bytes that go over it.
        if size > MAX_HEAD and size - len(self._h11.trailing_data[0]) > MAX_HEAD:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {MAX_HEAD} bytes")
        if not isinstance(event, h11.Request):
            return None
        if len(event.headers) > MAX_HEADERS:
            del event  # or the error's traceback would hold it for as long as the refusal takes
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEADERS} headers")
        return event

    def _begun(self) -> int | None:
        """Count the bytes that have come of a head: 0 when there will be none, None when more has to be waited for.

        Empty lines before it are dropped (RFC 9112 section 2.2), so h11, which wants none, begins anew behind them.
        """
        pending, ended = self._h11.trailing_data
        empty = _EMPTY_LINES.match(pending)
        if empty is not None:
            self._skipped += empty.end()
            if self._skipped > MAX_HEAD:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "nothing but empty lines")
            pending = pending[empty.end() :]
            self._h11 = _new_h11(pending)
            if ended:
                self._h11.receive_data(b"")
        if pending in _UNDECIDED:
            return 0 if ended else None
        return len(pending)

    async def _read_body(self, most: int) -> bytes:
        if not self.has_body:
            return b""  # whoever answers takes its end, which is at hand; one that becomes a WebSocket has none
        body, pieces = bytearray(), 0
        expected = self._body or 0
        with self._move_on_after(BODY_TIMEOUT):
            while max(expected, len(body)) <= most:
                if self._h11.they_are_waiting_for_100_continue:
                    await self._write(self._h11.send(h11.InformationalResponse(status_code=100, headers=[])))
                event = await self._event()
                if not isinstance(event, h11.Data):
                    return bytes(body)
                body += event.data
                pieces += 1
                if not pieces % _PIECES:  # a body of very small chunks is many events without a wait
                    await trio.lowlevel.checkpoint()
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of more than {most} bytes")
        raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"no whole body within {BODY_TIMEOUT:g} seconds")

    def _skip_body(self) -> bool:
        """Drop a body that nobody has asked for; say whether all of it had come, and was not too many pieces."""
        try:
            for _ in range(_PIECES):
                event = self._event_at_hand()
                if not isinstance(event, h11.Data):
                    return event is not None
        except BadRequest:
            pass
        return False

    async def _event(self) -> h11.Event:
        while (event := self._event_at_hand()) is None:
            await self._receive()
        return event

    def _event_at_hand(self) -> h11.Event | None:
        try:
            event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            error.__traceback__ = None  # a frame of h11's in it knows the error
            raise BadRequest(error.error_status_hint, str(error)) from None
        return event if isinstance(event, h11.Event) else None

    async def _receive(self) -> None:
        try:
            data = await self._stream.receive_some(_CHUNK)
        except trio.BrokenResourceError:
            self.lost = True
            data = b""
        self._received += len(data)
        self._h11.receive_data(bytes(data))

    async def _send(self, response: Response) -> None:
        headers = [(b"date", formatdate(usegmt=True).encode()), *response.headers]
        if response.status not in _WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(response.body)))
        parts = [self._h11.send(h11.Response(status_code=response.status, headers=headers))]
        if self._method != "HEAD" and response.status not in _WITHOUT_BODY:
            parts.append(self._h11.send(h11.Data(data=response.body)))
        parts.append(self._h11.send(h11.EndOfMessage()))
        await self._write(b"".join(parts))

    async def _write(self, data: bytes) -> None:
        lost, self.lost = self.lost, True  # it is, if this is cancelled
        try:
            for start in range(0, len(data), _CHUNK):
                with self._move_on_after(SEND_TIMEOUT) as scope:
                    await self._stream.send_all(data[start : start + _CHUNK])
                if scope.cancelled_caught:
                    return
        except trio.BrokenResourceError:
            return
        self.lost = lost

    async def _or_refuse(self, reading: Awaitable[T]) -> T:
        """Read, and answer a client's mistake."""
        try:
            return await reading
        except BadRequest as bad:
            await self._refuse(bad)
            raise

    async def _refuse(self, bad: BadRequest) -> None:
        if self.lost or self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._send(Response.text(f"{bad.why}\n", status=bad.status, headers=_LAST))


def _declared(head: h11.Request) -> int | None:
    """Return the size of a request's body, None if it is not said before; raises BadRequest if it is said twice."""
    framing = {name: value for name, value in head.headers if name in _BODY}
    if len(framing) > 1:  # a proxy may have believed the other one (RFC 9112 section 6.1)
        raise BadRequest(HTTPStatus.BAD_REQUEST, "both Content-Length and Transfer-Encoding")
    return None if b"transfer-encoding" in framing else int(framing.get(b"content-length", 0))


def _new_h11(data: bytes) -> h11.Connection:
    """Begin to read HTTP with what has come already."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    if data:  # none would be the end
        connection.receive_data(data)
    return connection
