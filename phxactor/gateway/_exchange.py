"""One HTTP request of an application: the `receive` and `send` that its process calls.

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

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, final

import h11
import trio

from phxactor.gateway._answer import Answer
from phxactor.gateway._exchange_life import ExchangeLife
from phxactor.gateway._request_body import PIECES, RATE, RequestBody
from phxactor.gateway._types import Message
from phxactor.http import SEND_TIMEOUT, BadRequest, H11Stream, Request, Response
from phxactor.runtime import self_pid

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.net import BaseConnection

READ_TIMEOUT: Final = 30.0
"""Seconds within which the next piece of a body must come."""
AHEAD: Final = 65536
"""Bytes of an answer that may wait for the client before `send` waits too."""
AT_ONCE: Final = 16
"""Pieces of an answer that are written without a checkpoint."""


@final
class Exchange(ExchangeLife):
    """The conversation about one request."""

    __slots__ = ("_answer", "_draining", "_wire", "_written", "bad", "request")

    def __init__(
        self, hosted: HostedApplication, connection: BaseConnection, wire: H11Stream, request: Request, *, body: bool
    ) -> None:
        """Begin; the caller is the connection's process. `body` says whether the request has one."""
        super().__init__(hosted, connection, RequestBody(wire, hosted.max_body_bytes, exists=body))
        self._wire = wire
        self._answer = Answer(wire, request.method)
        self._draining = False
        self._written = 0
        """Number of pieces of the answer that were written."""
        self.request = request
        self.bad: BadRequest | None = None
        """The client's mistake in the body, answered already; None without one."""

    @property
    def begun(self) -> bool:
        """Whether the head of the answer has been written."""
        return self._answer.begun

    # ---------------------------------------------------------------------------------------------- receive

    async def receive(self) -> Message:
        """Return the next piece of the body, or `http.disconnect`: ASGI's `receive`."""
        body = self._body
        while True:
            if self.complete or self.broken:
                return {"type": "http.disconnect"}
            if not body.asked and not body.left:
                body.asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if body.left:
                if body.pieces >= PIECES:
                    body.pieces = 0
                    await trio.lowlevel.checkpoint()
                    continue
                try:
                    message = body.next_message()
                except BadRequest as bad:
                    self._refuse(bad)
                else:
                    if message is not None:
                        return message
                if self.reading is None and not self.over:
                    await self._read()
                    continue
            elif self.left:
                return {"type": "http.disconnect"}
            await self._change()

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
        self._body.waited(self.heard - began)
        if self.over:
            return
        if late:
            self._refuse(
                BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"nothing of the body came within {READ_TIMEOUT:g} seconds")
            )
        elif wire.received == received:
            self._end_of_input()
        elif self._body.is_slow():
            why = f"the body comes with less than {RATE} bytes a second"
            self._refuse(BadRequest(HTTPStatus.REQUEST_TIMEOUT, why))

    def _end_of_input(self) -> None:
        """Note that the client has closed its side; a body that is complete is still given to the application."""
        complete = self._body.end()
        self.client_left()
        if not complete:
            self.break_off()

    def _must_close(self) -> bool:
        """Say whether the connection must end with the answer, since the rest of the body has not come.

        That rest would stand before the next request.
        """
        try:
            return self._body.left and not self._body.is_whole()
        except BadRequest as bad:
            self._refuse(bad)
            return True

    # ------------------------------------------------------------------------------------------------- send

    async def send(self, message: Message) -> None:
        """Write the head or a part of the answer: ASGI's `send`.

        Raises:
            ClientDisconnectedError: the client has left, or was cut off (spec_version 2.4).
            RuntimeError: the message is not allowed now, or h11 refuses what it says.

        """
        kind, answer = message["type"], self._answer
        if self.complete and not self.broken:
            raise RuntimeError(f"unexpected ASGI message {kind!r}: the answer is complete")
        self._raise_if_left()
        if kind == "http.response.start":
            if answer.has_head:
                raise RuntimeError("unexpected ASGI message 'http.response.start': the answer has begun")
            answer.take_head(message)
            return
        if kind != "http.response.body":
            raise RuntimeError(f"unexpected ASGI message {kind!r} for an HTTP request")
        if not answer.has_head:
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

    def _write(self, body: bytes, *, more: bool) -> None:
        """Write a part of the answer, with its head if that is still to come."""
        answer = self._answer
        first = not answer.begun
        data = answer.part(body, more=more, close=first and self._must_close())
        if first and self._draining:
            self.drain()
        if data:
            self._connection.write(data)

    def fail(self) -> None:
        """Answer 500 if nothing has been answered yet, else break off."""
        close = self._must_close()
        if self._may_answer():
            failure = Response.text("internal server error\n", status=HTTPStatus.INTERNAL_SERVER_ERROR)
            self._write_ours(failure, close=close)
        elif not self.complete:
            self.break_off()

    def refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer in place of the application if nothing has been answered yet, and cut it off."""
        if self._may_answer():
            self._write_ours(Response.text(text, status=status), close=True)
        self.broken = self.left = True
        self.break_off()

    def _refuse(self, bad: BadRequest) -> None:
        """Answer a client's mistake."""
        self.bad = bad
        self.refuse(HTTPStatus(bad.status), f"{bad.why}\n")

    def _may_answer(self) -> bool:
        return self._answer.may_be_ours() and not (self.left or self.broken or self.complete)

    def _write_ours(self, response: Response, *, close: bool) -> None:
        """Write an answer of the server's own."""
        self._connection.write(self._answer.ours(response, close=close))
        self._finish()

    def drain(self) -> None:
        """Cut off an event stream, since the server stops: such a stream never ends, and its client comes again."""
        self._draining = True
        if self._answer.endless and self._answer.begun:
            self.client_left()
