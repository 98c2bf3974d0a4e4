"""Where an endpoint listens: on a host and a port, or on the path of a Unix socket; and how that is opened."""

from __future__ import annotations

import os
import socket
from typing import Final, TypeAlias

import attrs

from phxactor.http import MAX_PORT, PeerData
from phxactor.net._unix import open_unix

BACKLOG: Final = 1024
"""Connections that the kernel keeps for us until they are accepted."""
LOCAL: Final = PeerData("local", 0)
"""Whoever comes by a Unix socket: a process of this machine, mostly a proxy."""

Path: TypeAlias = str | os.PathLike[str]


@attrs.frozen
class Address:
    """Where an endpoint listens."""

    host: str = ""
    """A name or an address; `::` is all of this machine's, of IPv4 and of IPv6."""
    port: int = 0
    path: str | None = None
    """Of a Unix socket, which has neither host nor port."""
    secure: bool = False
    """Whether TLS is spoken."""

    def __str__(self) -> str:
        """Write it as a URL."""
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


DEFAULT: Final = Address("127.0.0.1", 4000)


def locate(host: str | None, port: int | None, path: Path | None, default: Address = DEFAULT) -> Address:
    """Say where to listen; what is not given is as in `default`. Raises ValueError for what cannot be."""
    if path is not None:
        if host is not None or port is not None:
            raise ValueError("an endpoint listens on a host and a port, or on a path, not on both")
        if not os.fspath(path):
            raise ValueError("the path of a Unix socket is empty; give one such as '/run/app.sock'")
        return Address(path=os.fspath(path))
    if host is None and port is None:
        return default
    if port is not None and (type(port) is not int or not 0 <= port <= MAX_PORT):
        raise ValueError(f"port is 0 to {MAX_PORT}, where 0 is any that is free, not {port!r}")
    base = default if default.path is None else DEFAULT
    return Address(base.host if host is None else host, base.port if port is None else port)


def open_listening(address: Address, mode: int) -> socket.socket:
    """Bind and listen; `mode` is the permissions of a Unix socket's file. Raises OSError."""
    if address.path is not None:
        return open_unix(address.path, mode, BACKLOG)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    dual = address.host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)


def peer_of(address: object) -> PeerData:
    """Say who was accepted, from what `accept` said; an IPv4 address by an IPv6 socket is written as IPv4."""
    if isinstance(address, tuple):
        return PeerData(address[0].removeprefix("::ffff:"), address[1])
    return LOCAL
