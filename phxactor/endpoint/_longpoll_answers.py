"""The answers of a long poll. Their HTTP status is 200, and the body has the real one: `{"status", ...}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from phxactor.http import Request, Response

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A header's name (RFC 9110 section 5.1)."""


def answer_of(status: int, **fields: object) -> Response:
    """Answer with a status and other fields."""
    body: Mapping[str, object] = {"status": int(status), **fields}
    return Response.json(body, headers=[("access-control-allow-origin", "*"), ("cache-control", "no-store")])


def preflight(request: Request) -> Response:
    """Answer a browser's CORS preflight request, for a page of another origin (Fetch standard)."""
    return Response(
        HTTPStatus.OK,
        headers=[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-headers", ", ".join(_names(request.header("access-control-request-headers")))),
            ("access-control-allow-methods", "get, post, options"),
            ("access-control-max-age", "3600"),
        ],
    )


def _names(header: str | None) -> list[str]:
    """Return the names in a list of header names; invalid names are left out."""
    return [name for part in (header or "").split(",") if _NAME.fullmatch(name := part.strip(" \t"))]
