"""The answer on the health path: whether load balancers should send clients to this endpoint.

    200  ready
    200  degraded             clients are served, but what other nodes say does not come: a carrier is away
         redis: since 2030-01-31T12:00:00Z
    503  draining             the endpoint lets its clients go

A degraded node answers 200: a carrier that is away is away for all nodes at once as a rule, and a load balancer that
took all of them out would turn missing broadcasts into an outage.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from phxactor.http import Request, Response

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving

METHODS: Final = ("GET", "HEAD", "OPTIONS")
"""HAProxy's `option httpchk` asks with OPTIONS, Kubernetes and most others with GET."""
_NO_STORE: Final = ("cache-control", "no-store")


def health(serving: Serving, request: Request) -> Response:
    """Answer 200 `ready` or `degraded`, or 503 `draining`, as above; 405 to other methods."""
    if request.method not in METHODS:
        return Response(HTTPStatus.METHOD_NOT_ALLOWED, headers=[("allow", ", ".join(METHODS))])
    state = serving.state
    if state == "draining":
        return Response.text("draining\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers=[_NO_STORE])
    away = serving.cluster_health().away
    since = [f"{one.carrier}: since {datetime.fromtimestamp(one.at, UTC):%Y-%m-%dT%H:%M:%SZ}\n" for one in away]
    return Response.text("".join([f"{state}\n", *since]), headers=[_NO_STORE])
