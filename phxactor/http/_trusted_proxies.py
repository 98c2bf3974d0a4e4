"""Trusted proxies: whose word counts for a client's address, and for the scheme and host that the client asked for.

A client can send any header. So the headers count only on a connection whose peer is a proxy that the program named. In
a list of addresses, the last one is by that proxy, and each earlier one counts if the one behind it is trusted too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal, TypeAlias, get_args

import attrs

from phxactor.http._authority import HOST, Authority
from phxactor.http._client_address import Networks, address_of, is_in, walk
from phxactor.http._forwarded import Element, parse_forwarded
from phxactor.http._request import LOCAL, PeerData, Request

ProxyHeader: TypeAlias = Literal["x-forwarded", "forwarded", "proxy-protocol"]
"""How proxies tell of their clients; see `TrustedProxies`."""

MAX_HOPS: Final = 32
"""Most addresses of a list that are read: a chain of proxies is much shorter."""
UNIX: Final = "unix"
"""The name of all Unix sockets in a list of networks: their clients have no address."""

_IPV4_BITS: Final = 96
"""Length of the prefix `::ffff:0:0/96`, in which IPv6 holds the IPv4 addresses."""
_SCHEMES: Final[dict[str, Literal["http", "https"]]] = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@attrs.frozen(init=False)
class TrustedProxies:
    """The proxies whose word an endpoint takes for its clients' addresses, and how they give it.

    Args:
        networks: addresses and networks of the proxies, such as `["127.0.0.1", "10.0.0.0/8", "fd00::/8"]`; `"unix"`
            stands for all clients of a Unix socket. Name all proxies of a chain.
        header: the header that the proxies set. Only this one is read: a client's other headers pass through most
            proxies unchanged.

            - `"x-forwarded"`: X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, each as far as it is there;
            - `"forwarded"`: Forwarded (RFC 7239);
            - `"proxy-protocol"`: the PROXY protocol, version 1 or 2, at the beginning of each connection, before TLS.
              The endpoint then accepts connections with it only, and from these proxies only.

    Raises:
        TypeError: `networks` is no list of str.
        ValueError: a network is none, or has bits behind its prefix; or `header` is another one.

    """

    networks: Networks
    unix: bool
    """Whether the clients of Unix sockets are trusted."""
    header: ProxyHeader

    def __init__(self, networks: Iterable[str], header: ProxyHeader = "x-forwarded") -> None:
        if isinstance(networks, str | bytes) or not isinstance(networks, Iterable):
            raise TypeError(f"trusted proxies are a list such as ['127.0.0.1', '10.0.0.0/8']; got {networks!r}")
        given = list(networks)
        if header not in get_args(ProxyHeader):
            raise ValueError(f"header must be one of {', '.join(get_args(ProxyHeader))}; got {header!r}")
        parsed = tuple(_network(one) for one in given if one != UNIX)
        self.__attrs_init__(networks=parsed, unix=UNIX in given, header=header)

    def trusts(self, peer: PeerData) -> bool:
        """Say whether the peer of a connection is one of the proxies."""
        if peer.address == LOCAL.address:
            return self.unix
        return is_in(address_of(peer.address), self.networks)

    def as_sent(self, request: Request) -> Request:
        """Return a request from a proxy as its client sent it: with the client's address, scheme and host.

        The host goes into the `Host` header, so that all readers of the request see the same one. The caller has
        checked by `trusts` that the peer is a proxy.
        """
        if self.header == "proxy-protocol":  # no header of a request counts
            return request
        by = self._by_x_forwarded if self.header == "x-forwarded" else self._by_forwarded
        peer, scheme, host = by(request)
        headers = request.headers
        if host is not None and HOST.fullmatch(host) and Authority.parse(host) is not None:
            others = (pair for pair in headers if pair[0] != b"host")
            headers = ((b"host", host.encode("latin-1")), *others)
        return attrs.evolve(
            request,
            peer=peer or request.peer,
            scheme=_SCHEMES.get((scheme or "").lower(), request.scheme),
            headers=headers,
            proxy=request.peer,
        )

    def _by_x_forwarded(self, request: Request) -> tuple[PeerData | None, str | None, str | None]:
        addresses = request.header("x-forwarded-for")
        client = None if addresses is None else walk(_from_the_right(addresses), self.networks)[0]
        return client, _last(request.header("x-forwarded-proto")), _last(request.header("x-forwarded-host"))

    def _by_forwarded(self, request: Request) -> tuple[PeerData | None, str | None, str | None]:
        elements: list[Element] = []  # the last proxy's first
        for name, value in reversed(request.headers):
            if name == b"forwarded":
                line = parse_forwarded(value.decode("latin-1"))
                if line is None:
                    break  # it may hide any number of proxies, so the lines before it do not count either
                elements.extend(reversed(line))
        client, read = walk(map(_node_in, elements[:MAX_HOPS]), self.networks)
        seen = elements[read - 1] if read else {}  # what the proxy saw that the client talked to
        return client, seen.get("proto"), seen.get("host")


def _network(given: object) -> IPv4Network | IPv6Network:
    if not isinstance(given, str):
        raise TypeError(f"a trusted proxy is text such as '127.0.0.1' or '10.0.0.0/8'; got {given!r}")
    try:
        network = ip_network(given)
    except ValueError as error:
        raise ValueError(
            f"{given!r} in trusted proxies is no network: {error}; give one such as '127.0.0.1', '10.0.0.0/8' or 'unix'"
        ) from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= _IPV4_BITS:
        return IPv4Network((mapped, network.prefixlen - _IPV4_BITS))
    return network


def _from_the_right(addresses: str) -> Iterator[str]:
    """Give the entries of a list from its end, at most `MAX_HOPS`."""
    rest = addresses
    for _ in range(MAX_HOPS):
        rest, comma, last = rest.rpartition(",")
        yield last.strip(" \t")
        if not comma:
            return


def _node_in(element: Element) -> str:
    """Return the client of an element; "" if there is none, or if an IPv6 address has no brackets (section 6)."""
    node = element.get("for", "")
    return "" if node.count(":") > 1 and not node.startswith("[") else node


def _last(values: str | None) -> str | None:
    """Return the last entry of a list: the nearest proxy has written it."""
    return None if values is None else values.rpartition(",")[2].strip(" \t")
