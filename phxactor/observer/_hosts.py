"""The `Host` values that the observer answers to: loopback names, and those in `hosts`.

A web page can have its own name resolved to 127.0.0.1 (DNS rebinding). The browser then lets the page read answers of
programs on this machine as if they were the page's own. But the browser still sends the page's name as `Host`.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import Final

from phxactor.http import Authority, Request

LOOPBACK: Final = IPv4Network("127.0.0.0/8")
"""The IPv4 addresses of this machine itself; the other loopback names are `localhost` and `::1`."""


def checked_hosts(hosts: Iterable[str]) -> frozenset[str]:
    """Check names or addresses without ports, and return them in the form that `answers_to` compares.

    Raises:
        TypeError: `hosts` is a str or not iterable, or a host is no str.
        ValueError: a host is neither a name nor an address, or has a port.

    """
    if isinstance(hosts, str) or not isinstance(hosts, Iterable):
        raise TypeError(f"hosts is a list such as ['tree.example.com'], not {hosts!r}")
    return frozenset(map(_checked, hosts))


def _checked(host: str) -> str:
    if not isinstance(host, str):
        raise TypeError(f"a host is text, not {host!r}")
    parsed = Authority.parse(f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host)
    if parsed is None or parsed.port is not None or "*" in host:
        raise ValueError(f"{host!r} is no host: give a name or an address without a port, such as 'tree.example.com'")
    return parsed.host


def answers_to(request: Request, hosts: frozenset[str]) -> bool:
    """Return whether a request was sent to a loopback name or to one of `hosts`, on any port; False without a host.

    If the request target is a URL with a host, both that host and the `Host` header must be allowed.
    """
    return all(_is_allowed(text, hosts) for text in (request.header("host"), request.authority))


def _is_allowed(text: str | None, hosts: frozenset[str]) -> bool:
    authority = Authority.parse(text or "")
    return authority is not None and (authority.host in hosts or _is_loopback(authority.host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return IPv6Address(host) == IPv6Address("::1") if ":" in host else IPv4Address(host) in LOOPBACK
    except AddressValueError:
        return False
