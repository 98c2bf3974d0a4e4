"""What the log says of a refused page: what the origin check compared, and the option that lets the page in."""

from __future__ import annotations

from typing import Final

from phxactor.http import Authority, OriginCheck, Request, TrustedProxies

_HOST_HEADERS: Final = ("X-Forwarded-Host", "Forwarded")


def why_refused(check: OriginCheck, request: Request, proxies: TrustedProxies | None) -> str:
    """Return why `check_origin` refused a request, for the person who configures the server."""
    return check.refusal(request, _source(request, proxies)) + _ignored(request, proxies)


def why_not_local(request: Request) -> str:
    """Return why a page of the request's own host was refused, by an endpoint that listens on a loopback address."""
    authority = Authority.parse(request.authority or "")
    host = authority.host if authority is not None else ""
    return (
        f"the origin {request.header('origin')!r:.200} is not allowed: it is the request's host too, but the "
        "endpoint listens on a loopback address, and any page can have its name resolved to that (DNS rebinding); if "
        f"the name is the endpoint's own, give hosts=[{host!r:.200}]; behind a proxy, give "
        f"trusted_proxies=[{request.peer.address!r}] too"
        f"{_ignored(request, None)}"
    )


def _source(request: Request, proxies: TrustedProxies | None) -> str:
    """Return the name of the header that the request's host came from."""
    if request.proxy is not None and proxies is not None:
        name = "X-Forwarded-Host" if proxies.header == "x-forwarded" else "Forwarded"
        if request.header(name) is not None:
            return name
    return "Host" if request.target.startswith("/") else "URL"


def _ignored(request: Request, proxies: TrustedProxies | None) -> str:
    """Return what to say of a header that tells the host, from a peer that is no trusted proxy."""
    if request.proxy is not None or (proxies is not None and proxies.header == "proxy-protocol"):
        return ""
    for name in _HOST_HEADERS:
        value = request.header(name)
        if value is not None:
            return (
                f"; the header {name}, {value!r:.200}, does not count, since {request.peer.address} is not in "
                "trusted_proxies"
            )
    return ""
