"""The event of an answered request, and the access log that a program may turn on.

A query may hold tokens, so the event has only the names of its parameters. The path is as it was sent: a program that
has secrets in its paths should log something else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from phxactor.endpoint import events
from phxactor.http import HTTPConnection, PeerData, Request, Response
from phxactor.runtime import Shutdown, self_pid
from phxactor.telemetry import Handler, log
from phxactor.transport import LATE

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving

FILTERED: Final = "[FILTERED]"
"""What stands in place of a parameter's value."""
LEFT: Final = 499
"""The status, as nginx has it, of a request whose connection ended before it was answered."""

_SHOWN: Final = frozenset({"vsn"})
"""Parameters whose values are shown: the version of Phoenix's protocol."""
_MOST: Final = 500
"""Most characters of a path and of a query."""


def log_requests(level: int = logging.INFO) -> Handler:
    """Write a line for each request of all endpoints of this program to the logger `phxactor.http.request`.

    It has the client's address (behind a trusted proxy that of the client, not of the proxy), method, path, status, the
    bytes of the answer's body, and the seconds from the request's head to the end of its answer. Of a query it has the
    names of the parameters only. A WebSocket has one line, when its handshake is answered.

    Returns the handler, for `detach` of the event `phxactor.endpoint.events.request`.
    """
    handler = log(events.request, level, _line)
    events.request.level = None  # the program has chosen the level, not the event
    return handler


def _line(fields: Mapping[str, object]) -> str:
    seconds = fields["seconds"]
    assert isinstance(seconds, float)  # noqa: S101 - `tell` has made it
    return (
        f'{fields["peer"]} "{fields["method"]} {fields["target"]}" {fields["status"]} {fields["bytes"]} bytes '
        f"{seconds:.3f} s"
    )


def begin(serving: Serving, request: Request) -> None:
    """Emit the event of a request whose answer begins."""
    events.request_started.emit(
        peer=str(request.peer),
        method=request.method,
        target=target_of(request),
        route=route_of(serving, request),
        request=request,
    )


def tell(
    serving: Serving, request: Request | None, peer: PeerData, began: float, status: int, *, size: int = 0
) -> None:
    """Emit the event of an answered request; `request` is None if its head could not be read."""
    if not events.request.handlers:
        return
    events.request.emit(
        peer=str(peer),
        method="-" if request is None else request.method,
        target="-" if request is None else target_of(request),
        route="-" if request is None else route_of(serving, request),
        status=status,
        bytes=size,
        seconds=self_pid().runtime.now() - began,
    )


def tell_exchange(serving: Serving, request: Request, talk: HTTPConnection, began: float) -> None:
    """Emit the event of a request that `talk` has answered, or has not, as its client left or its handler was late."""
    tell(serving, request, request.peer, began, talk.status or status_of_end(), size=talk.body_bytes)


def route_of(serving: Serving, request: Request) -> str:
    """Return what answers a request, for labels: a route's path with its names, that of a socket, or a mount."""
    endpoint = serving.endpoint
    if request.path in endpoint.websockets or request.path in endpoint.longpolls:
        return request.path
    found = endpoint.routes.find(request)
    if not isinstance(found, Response):
        return found.route.path
    hosted = serving.application_at(request.path)
    return "-" if hosted is None else hosted.application.path or "/"


def status_of_end() -> int:
    """Return the status of a request with which the process of its connection ends."""
    reason = self_pid().exit_reason
    return HTTPStatus.SERVICE_UNAVAILABLE if isinstance(reason, Shutdown) and reason == LATE else LEFT


def target_of(request: Request) -> str:
    """Return the path as it was sent, and the query without values."""
    path = _cut(request.raw_path)
    return f"{path}?{_cut(_filtered(request.query[:_MOST]))}" if request.query else path


def _filtered(query: str) -> str:
    shown = []
    for pair in query.split("&"):
        name, equals, _ = pair.partition("=")
        if not equals:  # a value without a name, as far as anybody knows
            shown.append(FILTERED if name else "")
        else:
            shown.append(pair if name in _SHOWN else f"{name}={FILTERED}")
    return "&".join(shown)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."
