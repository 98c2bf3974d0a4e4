"""The children that an application needs in the tree of its endpoint.

application /  (Supervisor, rest_for_one)
├─ lifespan     the application's lifespan; its crash ends the requests, and starts both again
└─ requests     ends after the last request, so before the lifespan
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from phxactor.gateway._lifespan import Lifespan
from phxactor.gateway._requests import Requests
from phxactor.otp import ChildSpec, Supervisor

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication

GRACE: Final = 5.0
"""Seconds beyond its own limit that a child has to end, before its supervisor kills it."""


def application_spec(hosted: HostedApplication) -> ChildSpec:
    """Return the child spec of an application's supervisor."""
    application = hosted.application
    lifespan = attrs.evolve(Lifespan.child_spec(hosted), id="lifespan", shutdown=application.shutdown_timeout + GRACE)
    requests = attrs.evolve(Requests.child_spec(hosted), id="requests", shutdown=hosted.drain_limit + GRACE)
    return ChildSpec(
        id=f"application {application.path}",
        start=(Supervisor.start_link, ([lifespan, requests],), {"strategy": "rest_for_one"}),
        type="supervisor",
    )
