"""The answer to a request that asks for no WebSocket: decided by the request's head, before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import attrs

from phxactor.http._request import Request
from phxactor.http._response import Response

MAX_BODY: Final = 10 * 1024 * 1024
"""Default limit for a request's body, in bytes; the endpoint, the route or the mount may set another."""


def _nothing() -> None:
    pass


@attrs.frozen(kw_only=True)
class Answering:
    """The function that answers a request, and the limits that it has."""

    answer: Callable[[Request], Coroutine[Any, Any, Response]]
    """Answers the request; its argument is the same request with its body."""
    seconds: float
    """Seconds that `answer` may take; `math.inf` for no limit."""
    max_body_bytes: int
    """Limit for the body in bytes; a request with a longer body is answered 413."""
    admit: Callable[[], Coroutine[Any, Any, Response | None]] | None = None
    """Called before the body is read, if there is one: returns the response that refuses it, or None; None for all."""
    end: Callable[[], None] = _nothing
    """The caller calls it once, when the response is written or given up."""
