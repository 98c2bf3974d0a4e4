"""The error of a request that a handler cannot read."""

from __future__ import annotations

from http import HTTPStatus


class RequestError(ValueError):
    """A mistake of the client: its query, form or JSON cannot be read.

    A handler may catch it. Otherwise the server answers with the status and the text, and logs one line.

    Args:
        why: the mistake, in words that the client may see.
        status: the HTTP status of the answer.

    """

    def __init__(self, why: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(why)
        self.why = why
        self.status = status
