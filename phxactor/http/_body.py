"""Decoding of a request's body: a form or JSON.

Both ask for the content type. A page of another site can make a browser send any text as `text/plain`, and a browser
sends JSON as `application/json` to another site only if that site allows it (CORS). So the check of the type keeps
such requests out.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeAlias

import orjson

from phxactor.http._params import Params, decode
from phxactor.http._request_error import RequestError

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
"""A decoded JSON value."""

MAX_FORM: Final = 1024 * 1024
"""Default limit for the body of a form, in bytes."""
MAX_JSON: Final = 1024 * 1024
"""Default limit for a body of JSON, in bytes; decoded, it may take 40 times as much memory."""

_FORM: Final = "application/x-www-form-urlencoded"


def decode_form(content_type: str | None, body: bytes, max_bytes: int) -> Params:
    """Decode a form; see `Request.form`."""
    media_type, options = _split(content_type)
    if media_type == "multipart/form-data":
        raise RequestError(
            f"this server reads no multipart/form-data; send the form as {_FORM} "
            "(in JavaScript: new URLSearchParams(new FormData(form)))",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    if media_type != _FORM or options.get("charset", "utf-8") != "utf-8":
        raise _wrong_type(content_type, _FORM)
    _check_size(body, max_bytes)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise RequestError("the form is not UTF-8") from None
    return decode(text)


def decode_json(content_type: str | None, body: bytes, max_bytes: int) -> JSON:
    """Decode JSON; see `Request.json`."""
    media_type, _ = _split(content_type)
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise _wrong_type(content_type, "application/json")
    _check_size(body, max_bytes)
    try:
        value: JSON = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    return value


def _split(content_type: str | None) -> tuple[str, dict[str, str]]:
    """Return the media type and its options in lower case (RFC 9110 section 8.3)."""
    media_type, *options = (content_type or "").lower().split(";")
    pairs = (option.partition("=") for option in options)
    return media_type.strip(), {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _check_size(body: bytes, max_bytes: int) -> None:
    if len(body) > max_bytes:
        raise RequestError(f"the body has more than {max_bytes} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _wrong_type(content_type: str | None, expected: str) -> RequestError:
    shown = "missing" if content_type is None else ascii(content_type[:100])
    return RequestError(f"the content type must be {expected}; it is {shown}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
