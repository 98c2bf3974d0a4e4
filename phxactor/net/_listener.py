"""The listener: accepts connections, and calls a start function for each, which requests a process for it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, TypeAlias

import attrs
import trio
from trio import current_time as now

from phxactor.http import PeerData
from phxactor.net import events
from phxactor.net._address import Address, open_listening, peer_of
from phxactor.net._given import address_of
from phxactor.net._repeated import Repeated
from phxactor.net._shared_counts import Share
from phxactor.net._unix import identify, remove_unix
from phxactor.otp import Error, Ok
from phxactor.runtime import Pid, own, self_pid

AT_ONCE: Final = 64
"""Connections that the listener accepts in one pass of the scheduler, at most."""
AT_ONCE_SHARED: Final = 4
"""The same for a socket that other workers accept from too, or more if that does not put it ahead of them: the rest of
a burst is theirs."""
HOLD: Final = 0.003
"""Seconds for which a worker that is ahead of another one leaves new connections to it."""
PAUSE: Final = 0.1
"""Seconds that the listener pauses when the system has no file descriptor or memory left."""

EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Error numbers of `accept` that mean: the system has no resources now, but may have them again soon."""
LOST: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ECONNRESET", "EINTR", "EPERM", "EPROTO", "ETIMEDOUT"),
        *("ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET", "EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""Error numbers of `accept` for a connection that is gone already, or that a firewall forbids (Linux, accept(2))."""

Start: TypeAlias = Callable[[socket.socket, PeerData], None]
"""A function that requests a process for an accepted connection; it must not wait."""


@attrs.define(eq=False)
class Place:
    """The address of a listener; it outlives restarts of the listener's process."""

    asked: Address
    """The address that the program asked for; port 0 means any free port."""
    mode: int
    """The permissions of a Unix socket's file."""
    address: Address | None = None
    """The address in use, or the last one: for port 0, a restart takes the same port again if it is free."""
    given: socket.socket | None = None
    """A socket that listens on the address already; it stays its owner's, the listener accepts on a duplicate."""

    @classmethod
    def of(cls, given: socket.socket, *, secure: bool) -> Self:
        """Return the place of a socket that listens already."""
        return cls(attrs.evolve(address_of(given), secure=secure), 0, given=given)


def listen(place: Place, start: Start, share: Share | None = None) -> Ok[Pid] | Error:
    """Open an address and start the process that accepts on it: a supervisor's start function.

    With `share`, other workers accept from the same socket, and the listener sees to it that all have as many clients.

    Returns an `Error` with a text that says why the address is not available.
    """
    try:
        sock = _open(place) if place.given is None else place.given.dup()
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"is not available: {error.strerror or error}"
        return Error(f"the address {place.asked} {why}")
    sock.settimeout(0)
    where = place.asked
    if where.path is None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        where = attrs.evolve(where, port=sock.getsockname()[1])
    place.address = where
    file = where.path if place.given is None else None
    identity = (0, 0) if file is None else identify(file)
    pid = self_pid().runtime.spawn(_accept, where, sock, start, share, link=True, initial_call="Listener")

    def close(_: Pid) -> None:
        sock.close()
        if share is not None:
            share.rest()
        if file is not None:
            remove_unix(file, identity)

    own(pid, close)  # not in `_accept`: the process may be killed before it has run
    return Ok(pid)


def _open(place: Place) -> socket.socket:
    """Open the address; with port 0 on the last port if it is free, since clients reconnect to it. Raises OSError."""
    last = place.address
    if last is not None and place.asked.port == 0 and attrs.evolve(last, port=0) == place.asked:
        with suppress(OSError):  # another program may use the port by now
            return open_listening(last, place.mode)
    return open_listening(place.asked, place.mode)


async def _accept(where: Address, sock: socket.socket, start: Start, share: Share | None) -> None:
    """Run the listener's process."""
    if events.listening.handlers:
        events.listening.emit(url=str(where))
    at_once = AT_ONCE
    if share is not None:
        share.beat()
    failures, why = Repeated(), ""
    while True:
        await trio.lowlevel.wait_readable(sock)
        if failures.untold:
            events.tell_accept_failing(why, failures.due(now()))
        if share is not None:
            room = share.room()
            if room < 0:
                await trio.sleep(HOLD)
            at_once = max(AT_ONCE_SHARED, min(room, AT_ONCE))
        for _ in range(at_once):
            try:
                accepted, address = sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in LOST:
                    continue
                if error.errno not in EXHAUSTED:
                    raise  # the listening socket is broken: the process ends, and its supervisor opens another one
                why = str(error)
                events.tell_accept_failed(why, failures.note(now()))
                await trio.sleep(PAUSE)
                break
            start(accepted, peer_of(address))
