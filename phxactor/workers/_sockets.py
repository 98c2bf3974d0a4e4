"""The listening sockets of a program: the parent opens each place once, and all workers accept from the same socket.

So no client is refused while workers come and go: the socket, and the clients in its queue, are the parent's.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Sequence
from typing import Final, final

import attrs

from phxactor.cluster.carriers.workers import Wanted
from phxactor.net import Address, Place, identify, open_listening, remove_unix
from phxactor.net.events import listening


@attrs.frozen
class _Open:
    """A socket that listens, and the file of a Unix socket with its identity."""

    sock: socket.socket
    where: Address
    file: str | None = None
    identity: tuple[int, int] = (0, 0)

    def close(self) -> None:
        """Close the socket, and remove its file."""
        self.sock.close()
        if self.file is not None:
            remove_unix(self.file, self.identity)


def _key(wanted: Wanted) -> tuple[object, ...]:
    """Return what two wishes for the same socket have in common: the address, or the place if that says too little."""
    if wanted.path is not None:
        return (wanted.path,)
    if wanted.port and not wanted.offered:
        return wanted.host, wanted.port
    return wanted.host, wanted.endpoint, wanted.number, wanted.offered


class AddressError(Exception):
    """An address is not available; the text says why."""


@final
class Sockets:
    """The sockets of one parent, by what workers want."""

    def __init__(self) -> None:
        self._open: Final[dict[tuple[object, ...], _Open]] = {}
        self._announced: Final[set[str]] = set()

    def open(self, wanted: Sequence[Wanted], offered: Sequence[int]) -> list[int]:
        """Return the descriptors of the sockets for these places, opened unless they are open already.

        For a place with a socket of the program, the first worker's is used by all; `offered` are those of this worker,
        which stay the caller's. Raises AddressError with the first reason; what is open by then stays open.
        """
        found: dict[tuple[object, ...], int] = {}
        given = iter(offered)
        for one in wanted:
            offer, key = next(given, None) if one.offered else None, _key(one)
            if key not in self._open:
                self._open[key] = _open(one, offer)
            if key in found:
                raise AddressError(f"the address {_where(one)} is in use: by another endpoint of this program")
            found[key] = self._open[key].sock.fileno()
        return list(found.values())

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Say where the program listens, once for each address."""
        for address in self.addresses(wanted):
            if address not in self._announced:
                self._announced.add(address)
                if listening.handlers:
                    listening.emit(url=address)

    def addresses(self, wanted: Iterable[Wanted]) -> list[str]:
        """Return where the sockets for these places listen, as URLs, each once."""
        opened = ((one, self._open.get(_key(one))) for one in wanted)
        return sorted({str(attrs.evolve(it.where, secure=one.secure)) for one, it in opened if it is not None})

    def keep(self, wanted: Iterable[Wanted]) -> None:
        """Close the sockets for all other places."""
        kept = set(map(_key, wanted))
        for key in [key for key in self._open if key not in kept]:
            self._open.pop(key).close()


def _open(wanted: Wanted, offer: int | None) -> _Open:
    if wanted.offered:
        if offer is None:
            raise AddressError(f"a worker has not sent the socket of the endpoint {wanted.endpoint!r}")
        sock = socket.socket(fileno=os.dup(offer))
        return _Open(sock, Place.of(sock, secure=wanted.secure).asked)
    where = _where(wanted)
    try:
        sock = open_listening(where, wanted.mode)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"is not available: {error.strerror or error}"
        raise AddressError(f"the address {where} {why}") from None
    if where.path is None:
        return _Open(sock, attrs.evolve(where, port=sock.getsockname()[1]))
    return _Open(sock, where, where.path, identify(where.path))


def _where(wanted: Wanted) -> Address:
    return Address(wanted.host, wanted.port, wanted.path, wanted.secure)
