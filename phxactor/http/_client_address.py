"""IP addresses as proxies write them, and the walk from the server back to the client."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from phxactor.http._authority import MAX_PORT
from phxactor.http._request import PeerData

IPAddress: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

_WITH_PORT: Final = re.compile(
    r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<v4>[0-9.]+))(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]+))?"
)
"""`192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]` or `[2001:db8::1]:80`; RFC 7239 section 6 also has hidden ports."""


def address_of(text: str) -> IPAddress | None:
    """Parse an IP address; return None for any other text.

    An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) becomes IPv4, since `ipaddress` compares the two as different. The
    zone of a link-local address (`fe80::1%eth0`) is dropped.
    """
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        return parsed.ipv4_mapped or (IPv6Address(int(parsed)) if parsed.scope_id else parsed)
    return parsed


def node_of(text: str) -> PeerData | None:
    """Parse an address with or without a port; return None for other text. The port is 0 if there is none."""
    match = _WITH_PORT.fullmatch(text)
    host, port = (match["v6"] or match["v4"], int(match["port"] or 0)) if match is not None else (text, 0)
    if match is not None and match["v6"] and ":" not in host:
        return None
    address = address_of(host)
    return None if address is None or port > MAX_PORT else PeerData(str(address), port)


def is_in(address: IPAddress | None, networks: Networks) -> bool:
    """Say whether an address is in one of the networks."""
    return address is not None and any(address in network for network in networks)


def walk(hops: Iterable[str], networks: Networks) -> tuple[PeerData | None, int]:
    """Return the client among the addresses that proxies wrote, the last proxy's entry first, and the entries read.

    The client is the first address that is no trusted proxy. The entry to its left came from the client, which can
    write anything. If all addresses are proxies, it is the leftmost. An entry that is no address, such as `unknown`,
    ends the walk: the client is the address before it, None if there is none.
    """
    client, read = None, 0
    for hop in hops:
        read += 1
        node = node_of(hop)
        if node is None:
            break
        client = node
        if not is_in(address_of(node.address), networks):
            break
    return client, read
