"""An HTTP response, made by handlers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, TypeAlias

import attrs
import orjson

from phxactor.http._request import Headers

HeaderPairs: TypeAlias = Iterable[tuple[str | bytes, str | bytes]]
"""Pairs of name and value; text is sent as latin-1."""

_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


def _checked(pairs: HeaderPairs) -> Headers:
    headers = []
    for pair in pairs:
        name, value = (part.encode("latin-1") if isinstance(part, str) else part for part in pair)
        name = name.lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no valid header name (RFC 9110 section 5.1)")
        if name in _FRAMING:
            raise ValueError(f"the server sets the header {name.decode()}; leave it out")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{value!r} is no valid value for the header {name.decode()} (RFC 9110 section 5.5)")
        headers.append((name, value))
    return tuple(headers)


@attrs.frozen
class Response:
    """An HTTP response with its body; the server adds the date and the length when it sends it.

    Args:
        status: 200 to 599.
        body: the bytes of the body; not sent with a 204 or a 304, nor in the answer to HEAD.
        headers: pairs of name and value.

    Raises:
        ValueError: the status or a header is not valid, or the server itself sets the header.

    """

    status: int = attrs.field()
    body: bytes = attrs.field(default=b"", repr=False)
    headers: Headers = attrs.field(default=(), converter=_checked)

    @status.validator
    def _check_status(self, _: object, status: int) -> None:
        if not 200 <= status <= 599:  # noqa: PLR2004 - the classes of RFC 9110 section 15 that end an exchange
            raise ValueError(f"status must be a final one, 200 to 599; got {status!r}")

    @classmethod
    def text(cls, text: str, *, status: int = 200, headers: HeaderPairs = ()) -> Response:
        """Return a response with plain text in UTF-8."""
        return cls(status, text.encode(), [("content-type", "text/plain; charset=utf-8"), *headers])

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: HeaderPairs = ()) -> Response:
        """Return a response with JSON.

        Raises:
            TypeError: orjson cannot encode `value`.

        """
        return cls(status, orjson.dumps(value), [("content-type", "application/json"), *headers])


def last_answer(status: HTTPStatus) -> bytes:
    """Return the bytes of an empty response that closes the connection."""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    return head.encode()
