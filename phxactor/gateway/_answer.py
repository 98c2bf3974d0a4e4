"""The answer to a request, from messages of ASGI to bytes of HTTP. No I/O.

The head is checked when the application gives it, and written with the first part of the body: only then is it known
whether that part is the whole body, so that the server can give its length.
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final, final

import h11

from phxactor.gateway._types import Message
from phxactor.http import H11Stream, Response

_DATE: Final = b"date"
_LENGTH: Final = b"content-length"
_CODING: Final = b"transfer-encoding"
_TYPE: Final = b"content-type"
_EVENTS: Final = b"text/event-stream"
_CLOSE: Final = (b"connection", b"close")
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_END: Final = h11.EndOfMessage()


@final
class Answer:
    """The answer to one request: how far it is, and the bytes of its parts."""

    __slots__ = ("_bodyless", "_head", "_to_head", "_wire", "begun", "endless")

    def __init__(self, wire: H11Stream, method: str) -> None:
        self._wire = wire
        self._head: h11.Response | None = None
        """The head that the application has given; None before, and once it is written."""
        self._to_head = method == "HEAD"
        self._bodyless = self._to_head
        """Whether the answer has no body, whatever the application sends: RFC 9110 section 6.4.1."""
        self.begun = False
        """Whether the head of the answer has been written."""
        self.endless = False
        """Whether the answer is an event stream."""

    @property
    def has_head(self) -> bool:
        """Whether there is a head, written or not."""
        return self._head is not None or self.begun

    def take_head(self, message: Message) -> None:
        """Keep the head of the answer, from `http.response.start`. Raises RuntimeError if HTTP does not allow it."""
        headers = [(bytes(name).lower(), bytes(value).strip(b" \t")) for name, value in message.get("headers", ())]
        if not any(name == _DATE for name, _ in headers):
            headers.append((_DATE, _date()))
        status = message["status"]
        try:
            self._head = h11.Response(status_code=status, headers=headers)
        except h11.LocalProtocolError as error:
            raise RuntimeError(f"the head of the answer breaks HTTP: {error}") from None
        if status in _WITHOUT_BODY:
            self._bodyless = True
        self.endless = any(name == _TYPE and value.startswith(_EVENTS) for name, value in headers)

    def part(self, body: bytes, *, more: bool, close: bool) -> bytes:
        """Return the bytes of a part of the answer, with its head if that is still to come.

        `close` says in the head that the connection ends with this answer. Raises h11.LocalProtocolError if the part
        breaks HTTP.
        """
        wire, parts = self._wire, []
        if self._head is not None:
            parts.append(wire.send(self._framed(self._head, None if more else len(body), close=close)))
            self._head = None
            self.begun = True
        if body and not self._bodyless:
            parts.append(wire.send(h11.Data(data=body)))
        if not more:
            parts.append(wire.send(_END))
        return b"".join([part for part in parts if part])

    def _framed(self, head: h11.Response, size: int | None, *, close: bool) -> h11.Response:
        """Return the head with the framing that the application has left to the server; `size` is that of the body."""
        more = []
        names = {name for name, _ in head.headers}
        if size is not None and not self._bodyless and not names & {_LENGTH, _CODING}:
            more.append((_LENGTH, b"%d" % size))
        if close:
            more.append(_CLOSE)
        if not more:
            return head
        return h11.Response(status_code=head.status_code, headers=[*head.headers, *more])

    def may_be_ours(self) -> bool:
        """Say whether the server can still answer in place of the application."""
        return not self.begun and self._wire.h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    def ours(self, response: Response, *, close: bool) -> bytes:
        """Return the bytes of a whole answer of the server's own, in place of the application's."""
        headers = [*response.headers, (_DATE, _date()), (_LENGTH, b"%d" % len(response.body))]
        if close:
            headers.append(_CLOSE)
        wire = self._wire
        parts = [wire.send(h11.Response(status_code=response.status, headers=headers))]
        if not self._to_head:
            parts.append(wire.send(h11.Data(data=response.body)))
        parts.append(wire.send(_END))
        self.begun = True
        return b"".join([part for part in parts if part])


@lru_cache(1)
def _date_at(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def _date() -> bytes:
    return _date_at(int(time()))
