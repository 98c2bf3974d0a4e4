"""The listener: accepts connections, and hands each to a start function, which has a process started for it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import attrs
import trio

from phxactor.http import PeerData
from phxactor.net import events
from phxactor.net._address import Address, open_listening, peer_of
from phxactor.net._unix import identify, remove_unix
from phxactor.otp import Error, Ok
from phxactor.runtime import Pid, own, self_pid

AT_ONCE: Final = 64
"""Connections that are accepted before others get a turn."""
PAUSE: Final = 0.1
"""Seconds without accepting, after the system had no file descriptor or no memory left."""

EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What `accept` says when the system has no room for one more; it may have again soon."""
LOST: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ECONNRESET", "EINTR", "EPERM", "EPROTO", "ETIMEDOUT"),
        *("ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET", "EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""What it says of a connection that has gone before it was accepted, or that a firewall forbids (Linux, accept(2))."""

Start: TypeAlias = Callable[[socket.socket, PeerData], None]
"""Has a connection that was accepted served; it cannot wait."""


@attrs.define
class Place:
    """Where a listener listens, and what is kept of that when it starts again."""

    asked: Address
    """What was asked for; port 0 is any that is free."""
    mode: int
    """The permissions of a Unix socket's file."""
    address: Address | None = None
    """Where it listens, or did last: any port that is free is, after a restart, the one that was."""


def listen(place: Place, start: Start) -> Ok[Pid] | Error:
    """Open an address and start the process that accepts on it: a start function.

    `Error` says in words why the address cannot be had.
    """
    try:
        sock = _open(place)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
        return Error(f"the address {place.asked} {why}")
    sock.settimeout(0)
    where = place.asked
    if where.path is None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which all that it accepts inherit
        where = attrs.evolve(where, port=sock.getsockname()[1])
    place.address = where
    identity = (0, 0) if where.path is None else identify(where.path)
    pid = self_pid().runtime.spawn(_accept, where, sock, start, link=True, initial_call="Listener")

    def close(_: Pid) -> None:
        sock.close()
        if where.path is not None:
            remove_unix(where.path, identity)

    own(pid, close)  # it may be killed before it has run
    return Ok(pid)


def _open(place: Place) -> socket.socket:
    """Open it; on the port that it was, if any will do, for clients come back to that. Raises OSError."""
    last = place.address
    if last is not None and place.asked.port == 0 and attrs.evolve(last, port=0) == place.asked:
        with suppress(OSError):  # somebody else may have it by now
            return open_listening(last, place.mode)
    return open_listening(place.asked, place.mode)


async def _accept(where: Address, sock: socket.socket, start: Start) -> None:
    """Be the process."""
    if events.listening.handlers:
        events.listening.emit(url=str(where))
    while True:
        await trio.lowlevel.wait_readable(sock)
        for _ in range(AT_ONCE):
            try:
                accepted, address = sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in LOST:
                    continue
                if error.errno not in EXHAUSTED:
                    raise  # the socket is not what it was: the supervisor has another one opened
                if events.accept_failed.handlers:
                    events.accept_failed.emit(why=str(error))
                await trio.sleep(PAUSE)
                break
            start(accepted, peer_of(address))
