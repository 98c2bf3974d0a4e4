"""One HTTP request of an application: the `receive` and `send` that its process calls, and what the connection sees.

    connection's process                       request's process
    ────────────────────                       ─────────────────
    Exchange, start ─────────────────────────▶ await app(scope, receive, send)
      waits for a message                        receive: reads the socket, one piece at a time, when asked
      ◀── the answer is complete ─────────────   send: writes, and waits while too much output waits
      next request                               goes on: background tasks
      ◀── the client has left, or cut off ─────  receive: http.disconnect; send: OSError

No process reads beyond the request, so a client cannot make its input grow. While no process reads, the connection is
watched, so a client that leaves is known at once. `receive` returns a waiting message without a checkpoint: Starlette's
`request.is_disconnected()` calls it in a scope that is cancelled already.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Final, final

import h11
import trio

from phxactor.gateway._types import ClientDisconnectedError, Message
from phxactor.http import SEND_TIMEOUT, BadRequest, H11Stream, Request, Response
from phxactor.runtime import Pid, self_pid

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.net import BaseConnection

READ_TIMEOUT: Final = 30.0
"""Seconds within which the next piece of a body must come."""
SLOW: Final = 60.0
"""Seconds of waiting for a body after which it must have come with `RATE` on average."""
RATE: Final = 500
"""Bytes a second: otherwise a few slow clients could have all requests of the application for hours."""
AHEAD: Final = 65536
"""Bytes of an answer that may wait for the client before `send` waits too."""
AT_ONCE: Final = 16
"""Pieces of an answer that are written without a checkpoint."""
PIECES: Final = 100
"""Pieces of a body that are taken from h11 without a checkpoint."""

_DATE: Final = b"date"
_LENGTH: Final = b"content-length"
_CODING: Final = b"transfer-encoding"
_TYPE: Final = b"content-type"
_EVENTS: Final = b"text/event-stream"
_CLOSE: Final = (b"connection", b"close")
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_END: Final = h11.EndOfMessage()


@final
class Exchange:
    """The conversation about one request."""

    __slots__ = (
        "_ahead",
        "_asked",
        "_body_left",
        "_bodyless",
        "_changed",
        "_connection",
        "_draining",
        "_ended",
        "_endless",
        "_head",
        "_hosted",
        "_owner",
        "_pieces",
        "_received",
        "_stop_watch",
        "_waited",
        "_wire",
        "_written",
        "bad",
        "begun",
        "broken",
        "complete",
        "heard",
        "left",
        "over",
        "reading",
        "request",
    )

    def __init__(
        self, hosted: HostedApplication, connection: BaseConnection, wire: H11Stream, request: Request, *, body: bool
    ) -> None:
        """Begin; the caller is the connection's process. `body` says whether the request has one."""
        self._hosted = hosted
        self._connection = connection
        self._wire = wire
        self._owner: Pid = self_pid()
        self._body_left = body
        """Whether some of the body has not been given to the application."""
        self._ahead: list[Message] = []
        """Pieces of the body that were taken from h11 before the application asked."""
        self._asked = False
        self._received = 0
        self._pieces = 0
        self._waited = 0.0
        """Seconds that the application has waited for the body."""
        self._changed: trio.Event | None = None
        self._head: h11.Response | None = None
        self._draining = False
        self._ended = False
        """Whether the client has closed its side within the body."""
        self._endless = False
        """Whether the answer is an event stream."""
        self._bodyless = request.method == "HEAD"
        self._written = 0
        """Number of pieces of the answer that were written."""
        self._stop_watch: Callable[[], None] | None = None
        self.request = request
        self.bad: BadRequest | None = None
        """The client's mistake in the body, answered already; None without one."""
        self.heard = 0.0
        """When the client was heard of last, by the runtime's clock: a piece of its body came, or it left."""
        self.begun = False
        """Whether the head of the answer has been written."""
        self.complete = False
        """Whether the answer has been written whole."""
        self.left = False
        """Whether the client has left."""
        self.broken = False
        """Whether the connection is taken away from the application: nothing more is read or written by it."""
        self.over = False
        """Whether the connection's process has nothing more to wait for."""
        self.reading: trio.CancelScope | None = None
        """The scope of a read that is under way; None without one."""
        if not body:
            wire.event_at_hand()  # the end of the message, so that h11 is ready for the next one

    # ---------------------------------------------------------------------------------------------- receive

    async def receive(self) -> Message:
        """Return the next piece of the body, or `http.disconnect`: ASGI's `receive`."""
        while True:
            if self.complete or self.broken:
                return {"type": "http.disconnect"}
            if not self._asked and not self._body_left:
                self._asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self._body_left:
                if self._pieces >= PIECES:
                    self._pieces = 0
                    await trio.lowlevel.checkpoint()
                    continue
                message = self._piece()
                if message is not None:
                    return message
                if self.reading is None and not self.over:
                    await self._read()
                    continue
            elif self.left:
                return {"type": "http.disconnect"}
            await self._change()

    def _piece(self) -> Message | None:
        """Take the part of the body that has come; None if nothing has."""
        if self._ahead:
            message = self._ahead.pop(0)
        else:
            found = self._take()
            if found is None:
                return None
            message = found
        self._asked = True
        self._body_left = message["more_body"]
        return message

    def _take(self) -> Message | None:
        """Take from h11 what has come of the body, as one message; None if nothing has, or if it was refused."""
        first, more = b"", bytearray()
        try:
            while self._pieces < PIECES:
                event = self._wire.event_at_hand()
                if event is None:
                    break
                self._pieces += 1
                if not isinstance(event, h11.Data):
                    return {"type": "http.request", "body": bytes(more) or first, "more_body": False}
                data = bytes(event.data)
                self._received += len(data)
                if self._received > self._hosted.max_body_bytes:
                    why = f"the body has more than {self._hosted.max_body_bytes} bytes"
                    raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)  # noqa: TRY301 - answered below
                if more:
                    more += data
                elif first:
                    more += first
                    more += data
                else:
                    first = data
        except BadRequest as bad:
            if not self._ended:  # else the client has left within the body, which is no mistake
                self._refuse(bad)
            return None
        body = bytes(more) or first
        return {"type": "http.request", "body": body, "more_body": True} if body else None

    async def _read(self) -> None:
        """Read once from the connection; the client has a limited time for it."""
        wire, watched = self._wire, self._stop_watch is not None
        self.unwatch()
        if wire.h11.they_are_waiting_for_100_continue:
            self._connection.write(wire.h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        runtime, received = self_pid().runtime, wire.received
        late, began = True, runtime.now()
        try:
            with runtime.patience.move_on_after(READ_TIMEOUT) as self.reading:
                await wire.receive()
                late = False
        finally:
            self.reading = None
            self._tell()
            if watched:
                self.watch()
        self.heard = runtime.now()
        self._waited += self.heard - began
        if self.over:
            return
        if late:
            self._refuse(
                BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"nothing of the body came within {READ_TIMEOUT:g} seconds")
            )
        elif wire.received == received:
            self._end_of_input()
        elif self._waited > SLOW and self._received < self._waited * RATE:
            why = f"the body comes with less than {RATE} bytes a second"
            self._refuse(BadRequest(HTTPStatus.REQUEST_TIMEOUT, why))

    def _end_of_input(self) -> None:
        """Note that the client has closed its side; a body that is complete is still given to the application."""
        self._ended = True
        message = self._take()
        if message is not None:
            self._ahead.append(message)
        self.client_left()
        if message is None or message["more_body"]:
            self.break_off()

    def _whole_body_is_here(self) -> bool:
        """Take the rest of the body as far as it has come; return whether that is all."""
        while True:
            if self._ahead and not self._ahead[-1]["more_body"]:
                return True
            if self._pieces >= PIECES or (message := self._take()) is None:
                return False
            self._ahead.append(message)

    async def _change(self) -> None:
        """Wait until something has changed."""
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    def _tell(self) -> None:
        """Wake all that wait in `_change`."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # ------------------------------------------------------------------------------------------------- send

    async def send(self, message: Message) -> None:
        """Write the head or a part of the answer: ASGI's `send`.

        Raises:
            ClientDisconnectedError: the client has left, or was cut off (spec_version 2.4).
            RuntimeError: the message is not allowed now, or h11 refuses what it says.

        """
        kind = message["type"]
        if self.complete and not self.broken:
            raise RuntimeError(f"unexpected ASGI message {kind!r}: the answer is complete")
        self._raise_if_left()
        if kind == "http.response.start":
            if self._head is not None or self.begun:
                raise RuntimeError("unexpected ASGI message 'http.response.start': the answer has begun")
            self._head = self._response(message)
            return
        if kind != "http.response.body":
            raise RuntimeError(f"unexpected ASGI message {kind!r} for an HTTP request")
        if self._head is None and not self.begun:
            raise RuntimeError("unexpected ASGI message 'http.response.body' before 'http.response.start'")
        body, more = message.get("body", b""), message.get("more_body", False)
        try:
            self._write(body, more=more)
        except h11.LocalProtocolError as error:
            self.break_off()
            raise RuntimeError(f"the answer breaks HTTP: {error}") from None
        if not more:
            self._finish()
            return
        self._written += 1
        if self._written % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
        connection = self._connection
        if connection.size > AHEAD and not await self._hosted.flusher.drained(connection, AHEAD, SEND_TIMEOUT):
            self.client_left()
        self._raise_if_left()

    def _raise_if_left(self) -> None:
        if self._connection.closed:
            self.client_left()
        if self.left or self.broken:
            raise ClientDisconnectedError("the client has left")

    def _response(self, message: Message) -> h11.Response:
        """Return the head of the answer. Raises RuntimeError for a head that HTTP does not allow."""
        headers = [(bytes(name).lower(), bytes(value).strip(b" \t")) for name, value in message.get("headers", ())]
        if not any(name == _DATE for name, _ in headers):
            headers.append((_DATE, _date()))
        status = message["status"]
        try:
            head = h11.Response(status_code=status, headers=headers)
        except h11.LocalProtocolError as error:
            raise RuntimeError(f"the head of the answer breaks HTTP: {error}") from None
        if status in _WITHOUT_BODY:
            self._bodyless = True
        self._endless = any(name == _TYPE and value.startswith(_EVENTS) for name, value in headers)
        return head

    def _write(self, body: bytes, *, more: bool) -> None:
        """Write a part of the answer, with its head if that is still to come."""
        wire, parts = self._wire, []
        if self._head is not None:
            parts.append(wire.send(self._whole_head(self._head, None if more else len(body))))
            self._head = None
            self.begun = True
            if self._draining:
                self.drain()
        if body and not self._bodyless:
            parts.append(wire.send(h11.Data(data=body)))
        if not more:
            parts.append(wire.send(_END))
        data = b"".join([part for part in parts if part])
        if data:
            self._connection.write(data)

    def _whole_head(self, head: h11.Response, size: int | None) -> h11.Response:
        """Return the head with the framing that the application has left to the server; `size` is that of the body."""
        more = []
        names = {name for name, _ in head.headers}
        if size is not None and not self._bodyless and not names & {_LENGTH, _CODING}:
            more.append((_LENGTH, b"%d" % size))
        if self._body_left and not self._whole_body_is_here():
            more.append(_CLOSE)  # the rest of the body would stand before the next request
        if not more:
            return head
        return h11.Response(status_code=head.status_code, headers=[*head.headers, *more])

    def _finish(self) -> None:
        self.complete = True
        self.unwatch()
        self._tell()
        self._end()

    def fail(self) -> None:
        """Answer 500 if nothing has been answered yet, else break off."""
        close = self._body_left and not self._whole_body_is_here()
        if self._may_answer():
            failure = Response.text("internal server error\n", status=HTTPStatus.INTERNAL_SERVER_ERROR)
            self._answer(failure, close=close)
        elif not self.complete:
            self.break_off()

    def refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer in place of the application if nothing has been answered yet, and cut it off."""
        if self._may_answer():
            self._answer(Response.text(text, status=status), close=True)
        self.broken = self.left = True
        self.break_off()

    def _refuse(self, bad: BadRequest) -> None:
        """Answer a client's mistake."""
        self.bad = bad
        self.refuse(HTTPStatus(bad.status), f"{bad.why}\n")

    def _may_answer(self) -> bool:
        ready = self._wire.h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        return ready and not (self.begun or self.left or self.broken or self.complete)

    def _answer(self, response: Response, *, close: bool) -> None:
        """Write an answer of the server's own."""
        headers = [*response.headers, (_DATE, _date()), (_LENGTH, b"%d" % len(response.body))]
        if close:
            headers.append(_CLOSE)
        wire = self._wire
        parts = [wire.send(h11.Response(status_code=response.status, headers=headers))]
        if self.request.method != "HEAD":
            parts.append(wire.send(h11.Data(data=response.body)))
        parts.append(wire.send(_END))
        self.begun = True
        self._connection.write(b"".join([part for part in parts if part]))
        self._finish()

    # ----------------------------------------------------------------------------------------------- the end

    def watch(self) -> None:
        """Watch from now on whether the client leaves, unless the body is being read."""
        if self._stop_watch is None and self.reading is None and not self.over:
            self._stop_watch = self._connection.watch(self.client_left)

    def unwatch(self) -> None:
        """End the watch."""
        stop, self._stop_watch = self._stop_watch, None
        if stop is not None:
            stop()

    def client_left(self) -> None:
        """Note that the client has left; the application hears of it by `receive` and `send`."""
        if not self.left and not self.complete:
            self.left = True
            self.heard = self._owner.runtime.now()
            self._tell()
            if not self._body_left or self.broken:
                self._end()

    def drain(self) -> None:
        """Cut off an event stream, since the server stops: such a stream never ends, and its client comes again."""
        self._draining = True
        if self._endless and self.begun:
            self.client_left()

    def break_off(self) -> None:
        """Take the connection away from the application."""
        if not self.complete:
            self.broken = True
        self.unwatch()
        self._tell()
        self._end()

    def _end(self) -> None:
        """Tell the connection's process that it need not wait any longer."""
        if self.reading is not None:
            self.reading.cancel(reason="the exchange is over")
        if not self.over:
            self.over = True
            self._owner.send(self)

    def ended(self, pid: Pid) -> None:
        """Note that the request's process has ended; it may have been killed."""
        self._hosted.requests.discard(pid)
        if not self.over:
            self.break_off()


@lru_cache(1)
def _date_at(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def _date() -> bytes:
    return _date_at(int(time()))
