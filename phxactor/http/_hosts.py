"""The hosts that a server answers to: the names and addresses that may stand in `Host`.

A web page can have its own name resolved to any address, such as 127.0.0.1 (DNS rebinding). The browser then takes the
answers of a program at this address for the page's own, and sends the page's name as `Host` and as `Origin`. So the two
are equal, and only a server that knows its own names can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import Final, final

import attrs

from phxactor.http._authority import Authority
from phxactor.http._client_address import address_of
from phxactor.http._request import Request

LOOPBACK: Final = IPv4Network("127.0.0.0/8")
"""The IPv4 addresses of this machine itself; the other loopback names are `localhost` and `::1`."""


@final
@attrs.frozen(init=False)
class Hosts:
    """Names and addresses without ports, such as `["shop.example", "192.0.2.7"]`.

    Raises:
        TypeError: `hosts` is a str or not iterable, or a host is no str.
        ValueError: a host is neither a name nor an address, or has a port.

    """

    names: frozenset[str]
    loopback: bool
    """Whether all loopback names are allowed too, whatever is given."""

    def __init__(self, hosts: Iterable[str], *, loopback: bool = False) -> None:
        if isinstance(hosts, str | bytes) or not isinstance(hosts, Iterable):
            raise TypeError(f"hosts is a list such as ['shop.example'], not {hosts!r}")
        self.__attrs_init__(names=frozenset(map(_checked, hosts)), loopback=loopback)

    def allow(self, request: Request) -> bool:
        """Say whether a request was sent to one of the hosts, on any port; False without a host.

        If the request target is a URL with a host, both that host and the `Host` header must be allowed.
        """
        return all(self._allow(text) for text in (request.header("host"), request.authority))

    def _allow(self, text: str | None) -> bool:
        authority = Authority.parse(text or "")
        if authority is None:
            return False
        return authority.host in self.names or (self.loopback and is_loopback(authority.host))


def is_loopback(host: str) -> bool:
    """Say whether a host is a loopback name: `localhost`, 127.0.0.0/8 or `::1`."""
    if host == "localhost":
        return True
    try:
        return IPv6Address(host) == IPv6Address("::1") if ":" in host else IPv4Address(host) in LOOPBACK
    except AddressValueError:
        return False


def cannot_be_rebound(request: Request) -> bool:
    """Say whether no web page can have had the host of a request resolved to this machine by DNS.

    That is so for an IP address, which is never resolved, and for `localhost` and its subdomains, which are always
    this machine (RFC 6761 section 6.3).
    """
    authority = Authority.parse(request.authority or "")
    if authority is None:
        return False
    host = authority.host
    return host == "localhost" or host.endswith(".localhost") or address_of(host) is not None


def _checked(host: object) -> str:
    if not isinstance(host, str):
        raise TypeError(f"a host is text, not {host!r}")
    parsed = Authority.parse(f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host)
    if parsed is None or parsed.port is not None or "*" in host:
        raise ValueError(f"{host!r} is no host: give a name or an address without a port, such as 'shop.example'")
    return parsed.host
