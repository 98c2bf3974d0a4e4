"""How a request is answered that does not ask for a WebSocket: decided by its head, before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import attrs

from phxactor.http._request import Request
from phxactor.http._response import Response

MAX_BODY: Final = 10 * 1024 * 1024
"""Bytes of a request's body, unless the endpoint, the route or the mount says otherwise."""


def _nothing() -> None:
    pass


@attrs.frozen(kw_only=True)
class Answering:
    """What is to be done with a request, and what it may cost."""

    answer: Callable[[Request], Coroutine[Any, Any, Response]]
    """Takes the request again, with its body."""
    seconds: float
    """How long that may wait; `math.inf` for any time."""
    max_body_bytes: int
    """Bytes of the body; a request with a longer one is answered 413."""
    end: Callable[[], None] = _nothing
    """To be called when the response has been written, or never will be."""
