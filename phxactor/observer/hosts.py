"""Which `Host` the observer answers to: loopback names, and those it is told.

A page that a browser has open can have its own name resolved to 127.0.0.1 (DNS rebinding). To the browser, what it then
reads of a program on this machine is its own. But the browser still sends the page's name as `Host`.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import Final

from phxactor.transport.authority import Authority
from phxactor.transport.request import Request

LOOPBACK: Final = IPv4Network("127.0.0.0/8")
"""With `localhost` and `::1`, what this machine calls itself."""


def checked_hosts(hosts: Iterable[str]) -> frozenset[str]:
    """Check names or addresses, without ports, and return them as they are compared.

    Raises:
        TypeError: they are no list, or one is no text.
        ValueError: one is neither a name nor an address.

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
    """Say whether a request was sent to a loopback name or one of these, on any port; without a host it was not.

    A target that is a URL does not stand for the header: both count.
    """
    return all(_is_ours(text, hosts) for text in (request.header("host"), request.authority))


def _is_ours(text: str | None, hosts: frozenset[str]) -> bool:
    authority = Authority.parse(text or "")
    return authority is not None and (authority.host in hosts or _is_loopback(authority.host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return IPv6Address(host) == IPv6Address("::1") if ":" in host else IPv4Address(host) in LOOPBACK
    except AddressValueError:
        return False
