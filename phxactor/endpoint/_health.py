"""The answer on the health path: whether load balancers should send clients to this endpoint."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from phxactor.http import Request, Response

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving

METHODS: Final = ("GET", "HEAD", "OPTIONS")
"""HAProxy's `option httpchk` asks with OPTIONS, Kubernetes and most others with GET."""
_NO_STORE: Final = ("cache-control", "no-store")


def health(serving: Serving, request: Request) -> Response:
    """Answer 200 `ready`, or 503 `draining` while the endpoint lets its clients go; 405 to other methods."""
    if request.method not in METHODS:
        return Response(HTTPStatus.METHOD_NOT_ALLOWED, headers=[("allow", ", ".join(METHODS))])
    if serving.state == "ready":
        return Response.text("ready\n", headers=[_NO_STORE])
    return Response.text(f"{serving.state}\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers=[_NO_STORE])
