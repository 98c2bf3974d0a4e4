"""The address of an endpoint: a host and a port, or the path of a Unix socket; and opening a socket on it."""

from __future__ import annotations

import os
import socket
from typing import Final, TypeAlias

import attrs

from phxactor.http import LOCAL, MAX_PORT, PeerData
from phxactor.net._unix import open_unix

BACKLOG: Final = 1024
"""Connections that the kernel queues until the listener accepts them (listen(2))."""

Path: TypeAlias = str | os.PathLike[str]


@attrs.frozen
class Address:
    """Where an endpoint listens."""

    host: str = ""
    """A host name or an IP address; `::` means all IPv4 and IPv6 addresses of this machine."""
    port: int = 0
    """A TCP port; 0 means any free port."""
    path: str | None = None
    """The path of a Unix socket; such an address has neither host nor port."""
    secure: bool = False
    """Whether connections are encrypted with TLS."""

    def __str__(self) -> str:
        """Write it as a URL."""
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


DEFAULT: Final = Address("127.0.0.1", 4000)


def locate(host: str | None, port: int | None, path: Path | None, default: Address = DEFAULT) -> Address:
    """Return the address to listen on; `default` fills in what is not given.

    Raises:
        ValueError: a path beside a host or a port, an empty path, or a port outside 0 to 65535.

    """
    if path is not None:
        if host is not None or port is not None:
            raise ValueError(f"give host and port, or path, not both: {host=}, {port=}, path={os.fspath(path)!r}")
        if not os.fspath(path):
            raise ValueError("the path of a Unix socket is empty; give one such as '/run/app.sock'")
        return Address(path=os.fspath(path))
    if host is None and port is None:
        return default
    if port is not None and (type(port) is not int or not 0 <= port <= MAX_PORT):
        raise ValueError(f"port must be a whole number from 0 to {MAX_PORT}, where 0 is any free port; got {port!r}")
    base = default if default.path is None else DEFAULT
    return Address(base.host if host is None else host, base.port if port is None else port)


def open_listening(address: Address, mode: int) -> socket.socket:
    """Bind and listen; `mode` sets the permissions of a Unix socket's file. Raises OSError if the system refuses."""
    if address.path is not None:
        return open_unix(address.path, mode, BACKLOG)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    dual = address.host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)


def peer_of(address: object) -> PeerData:
    """Return the peer for the address that `accept` returned; an IPv4-mapped IPv6 address becomes IPv4."""
    if isinstance(address, tuple):
        return PeerData(address[0].removeprefix("::ffff:"), address[1])
    return LOCAL
