"""The listener: accepts connections and has each started as a process of its own."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

import attrs
import trio

from phxactor.endpoint import events
from phxactor.endpoint.address import Address, open_listening, peer_of
from phxactor.endpoint.connection import start_connection
from phxactor.endpoint.unix import identify, remove_unix
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ok
from phxactor.runtime import From, Pid, own, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint.endpoint import Endpoint

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


def listen(endpoint: Endpoint, where: Address) -> Ok[Pid] | Error:
    """Open an address and start the process that accepts on it: a start function."""
    try:
        sock = _open(endpoint, where)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
        return Error(f"the address {where} {why}")
    sock.settimeout(0)
    if where.path is None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which all that it accepts inherit
        where = attrs.evolve(where, port=sock.getsockname()[1])
    endpoint.address = where
    identity = (0, 0) if where.path is None else identify(where.path)
    runtime = self_pid().runtime
    endpoint.listener = runtime.spawn(_accept, endpoint, where, sock, link=True, initial_call="Listener")

    def close(_: Pid) -> None:
        sock.close()
        if where.path is not None:
            remove_unix(where.path, identity)

    own(endpoint.listener, close)  # it may be killed before it has run
    return Ok(endpoint.listener)


def _open(endpoint: Endpoint, where: Address) -> socket.socket:
    """Open it. Any port that is free is, after a restart, the one that was: clients come back to it. Raises OSError."""
    last = endpoint.address
    if last is not None and where.port == 0 and attrs.evolve(last, port=0) == where:
        with suppress(OSError):  # somebody else may have it by now
            return open_listening(last, endpoint.path_mode)
    return open_listening(where, endpoint.path_mode)


async def _accept(endpoint: Endpoint, where: Address, sock: socket.socket) -> None:
    """Be the process."""
    nobody = From(self_pid())  # the supervisor's answers are not waited for
    nobody.active = False
    numbers = count()
    connection = ChildSpec(id="connection", start=(start_connection, (endpoint,), {}), restart="temporary")
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
            supervisor = endpoint.supervisor_of(next(numbers))
            DynamicSupervisor.request_child(supervisor, connection, nobody, accepted, peer_of(address))
