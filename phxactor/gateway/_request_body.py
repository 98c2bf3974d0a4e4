"""The body of a request, as messages of ASGI: what h11 has of it, its limits, and whether it is whole. No I/O.

The pieces that have come are joined to one message. A body that is too large, or that comes too slowly, is the client's
mistake: BadRequest.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, final

import h11

from phxactor.gateway._types import Message
from phxactor.http import BadRequest, H11Stream

SLOW: Final = 60.0
"""Seconds of waiting for a body after which it must have come with `RATE` on average."""
RATE: Final = 500
"""Bytes a second: otherwise a few slow clients could have all requests of the application for hours."""
PIECES: Final = 100
"""Pieces of a body that are taken from h11 without a checkpoint."""


@final
class RequestBody:
    """The body of one request, while the application receives it."""

    __slots__ = ("_ahead", "_max_bytes", "_received", "_waited", "_wire", "asked", "ended", "left", "pieces")

    def __init__(self, wire: H11Stream, max_bytes: int, *, exists: bool) -> None:
        """Begin; `exists` says whether the request has a body, which may be empty."""
        self._wire = wire
        self._max_bytes = max_bytes
        self._ahead: list[Message] = []
        """Messages that were taken from h11 before the application asked."""
        self._received = 0
        """Number of bytes that were taken from h11."""
        self._waited = 0.0
        """Seconds that the application has waited for the body."""
        self.pieces = 0
        """Number of pieces that were taken from h11 since the last checkpoint: at most `PIECES`."""
        self.asked = False
        """Whether the application has received a message of the body."""
        self.left = exists
        """Whether some of the body has not been given to the application."""
        self.ended = False
        """Whether the client has closed its side of the connection."""
        if not exists:
            wire.event_at_hand()  # the end of the message, so that h11 is ready for the next one

    def next_message(self) -> Message | None:
        """Return the part of the body that has come, for the application; None if nothing has.

        Raises BadRequest for a body that is too large, or that breaks HTTP.
        """
        if self._ahead:
            message = self._ahead.pop(0)
        else:
            found = self._take()
            if found is None:
                return None
            message = found
        self.asked = True
        self.left = message["more_body"]
        return message

    def is_whole(self) -> bool:
        """Take the rest of the body as far as it has come; return whether that is all. Raises as `next_message`."""
        while True:
            if self._ahead and not self._ahead[-1]["more_body"]:
                return True
            if self.pieces >= PIECES or (message := self._take()) is None:
                return False
            self._ahead.append(message)

    def end(self) -> bool:
        """Note that the client has closed its side; return whether the body is complete. Raises nothing."""
        self.ended = True
        message = self._take()
        if message is not None:
            self._ahead.append(message)
        return message is not None and not message["more_body"]

    def waited(self, seconds: float) -> None:
        """Count time that the application has waited for the body."""
        self._waited += seconds

    def is_slow(self) -> bool:
        """Say whether the body has come too slowly so far."""
        return self._waited > SLOW and self._received < self._waited * RATE

    def _take(self) -> Message | None:
        """Take from h11 what has come of the body, as one message; None if nothing has."""
        first, more = b"", bytearray()
        try:
            while self.pieces < PIECES:
                event = self._wire.event_at_hand()
                if event is None:
                    break
                self.pieces += 1
                if not isinstance(event, h11.Data):
                    return {"type": "http.request", "body": bytes(more) or first, "more_body": False}
                data = bytes(event.data)
                self._received += len(data)
                if self._received > self._max_bytes:
                    why = f"the body has more than {self._max_bytes} bytes"
                    raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)  # noqa: TRY301 - it is raised unless the client has left
                if more:
                    more += data
                elif first:
                    more += first
                    more += data
                else:
                    first = data
        except BadRequest:
            if self.ended:  # the client has left within the body, which is no mistake
                return None
            raise
        body = bytes(more) or first
        return {"type": "http.request", "body": body, "more_body": True} if body else None
