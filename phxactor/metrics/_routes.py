"""The route that Prometheus scrapes: for this machine only, or for those who have a token of its own."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from phxactor.http import Hosts, Request, Response, Route, get
from phxactor.metrics._collector import install, prepare
from phxactor.metrics._workers import announce, merged

PATH: Final = "/metrics"
LEAST_TOKEN: Final = 16
"""Characters that a token has at least."""

_HERE: Final = "metrics are shown to this machine only: give metrics_routes(token=...) for others\n"
_OF_PROXIES: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-real-ip")
"""Headers by which proxies say that they forward a request."""


def metrics_routes(
    path: str = PATH,
    *,
    token: str | None = None,
    hosts: Iterable[str] = (),
    registry: CollectorRegistry = REGISTRY,
) -> list[Route]:
    """Return the route for Prometheus, and count from now on. It shows all of the registry, the program's metrics too.

    Without a token it answers requests that come from this machine, for a loopback `Host`, and through no proxy; others
    get 403. With a token, a request needs the header `Authorization: Bearer TOKEN`; others get 401.

    Under workers, whichever is asked answers for all: each sample has the label `worker`.

    Args:
        path: the path.
        token: a secret of 16 characters or more. It is compared in constant time, and has nothing to do with any login.
        hosts: further hosts that are answered without a token, for a scraper on this machine that uses another name.
        registry: the registry of prometheus-client.

    Raises:
        TypeError: the token is no text, or `hosts` no list of texts.
        ValueError: the token is too short or not ASCII, or the path or a host is not valid.

    """
    if token is not None:
        if not isinstance(token, str):
            raise TypeError(f"the token of metrics_routes must be text, not {type(token).__name__}")
        if len(token) < LEAST_TOKEN or not token.isascii():
            raise ValueError(f"the token of metrics_routes must have at least {LEAST_TOKEN} characters, all ASCII")
    allowed = Hosts(hosts, loopback=True)
    install(registry)
    announce(registry)

    async def metrics(request: Request) -> Response:
        refused = _refused_here(request, allowed) if token is None else _refused_token(request, token)
        if refused is not None:
            return refused
        encode, content_type = choose_encoder(request.header("accept") or "")
        await prepare(registry)
        body = encode(await merged(registry))
        return Response(HTTPStatus.OK, body, [("content-type", content_type), ("cache-control", "no-store")])

    return [get(path, metrics)]


def _refused_here(request: Request, allowed: Hosts) -> Response | None:
    by_proxy = request.proxy is not None or any(request.header(name) is not None for name in _OF_PROXIES)
    if _is_here(request.peer.address) and not by_proxy and allowed.allow(request):
        return None
    return Response.text(_HERE, status=HTTPStatus.FORBIDDEN)


def _is_here(address: str) -> bool:
    """Say whether a peer is on this machine: at a loopback address, or, as with Unix sockets, at none of IP."""
    try:
        found = ip_address(address)
    except ValueError:
        return True
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _refused_token(request: Request, token: str) -> Response | None:
    scheme, _, given = (request.header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return None
    challenge = [("www-authenticate", 'Bearer realm="metrics"')]
    return Response.text("a token is needed\n", status=HTTPStatus.UNAUTHORIZED, headers=challenge)
