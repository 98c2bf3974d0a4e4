"""The listener: accepts connections and has each started as a process of its own."""

from __future__ import annotations

import errno
import socket
from itertools import count
from typing import TYPE_CHECKING, Final

import attrs
import trio

from phxactor.endpoint import events
from phxactor.endpoint.connection import start_connection
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ok
from phxactor.runtime import From, Pid, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint.endpoint import Endpoint

BACKLOG: Final = 1024
"""Connections that the kernel keeps for us until they are accepted."""
AT_ONCE: Final = 64
"""Connections that are accepted before others get a turn."""
PAUSE: Final = 0.1
"""Seconds without accepting, after the system had no file descriptor left."""


@attrs.frozen
class Address:
    """Where an endpoint listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def listen(endpoint: Endpoint) -> Ok[Pid] | Error:
    """Open the endpoint's address and start the process that accepts on it: a start function."""
    try:
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        sock = socket.create_server((endpoint.host, endpoint.port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
        return Error(f"the address {Address(endpoint.host, endpoint.port)} {why}")
    sock.settimeout(0)
    endpoint.address = Address(endpoint.host, sock.getsockname()[1])
    endpoint.listener = self_pid().runtime.spawn(_accept, endpoint, sock, link=True, initial_call="Listener")
    return Ok(endpoint.listener)


async def _accept(endpoint: Endpoint, sock: socket.socket) -> None:
    """Be the process."""
    nobody = From(self_pid())  # the supervisor's answers are not waited for
    nobody.active = False
    numbers = count()
    try:
        if events.listening.handlers:
            events.listening.emit(url=str(endpoint.address))
        while True:
            await trio.lowlevel.wait_readable(sock)
            for _ in range(AT_ONCE):
                try:
                    accepted, peer = sock.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    break
                except OSError as error:
                    if events.accept_failed.handlers:
                        events.accept_failed.emit(why=str(error))
                    await trio.sleep(PAUSE)
                    break
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                spec = ChildSpec(
                    id="connection", start=(start_connection, (endpoint, accepted, peer), {}), restart="temporary"
                )
                DynamicSupervisor.request_child(endpoint.supervisor_of(next(numbers)), spec, nobody)
    finally:
        sock.close()
