"""What a connection is and does at one moment, for people who look at it. No process notices."""

from __future__ import annotations

from typing import Literal

import attrs

from phxactor.runtime import Pid
from phxactor.transport._longpoll import LongPollSession
from phxactor.transport._multiplexed_input import MultiplexedInput
from phxactor.transport._websocket_output import WebSocketOutput


@attrs.frozen
class TransportStatistics:
    """A client's connection to a socket."""

    socket: str
    """The name of the socket's class."""
    id: str | None
    """The socket's id; None without one."""
    transport: Literal["websocket", "longpoll"]
    peer: str
    """The client's address."""
    since: float | None
    """When its request came, on the runtime's clock; None if that was not noted."""
    channels: int
    """Topics that are joined, or are being joined."""
    waiting: int
    """Bytes of output that the client has not taken."""
    traffic: tuple[int, int] | None
    """Bytes that came, and that the client has acknowledged; None where nobody counts.

    Those of a WebSocket include HTTP and TLS, as the system counts them; those of a long poll are of its messages.
    """


def waiting_output(pid: Pid) -> int:
    """Return the bytes of output that wait for the client of a transport; 0 for any other process."""
    transport = getattr(pid.port, "__self__", None)
    if isinstance(transport, WebSocketOutput):
        return transport.upgraded.connection.size
    return transport.waiting() if isinstance(transport, LongPollSession) else 0


def transport_of(pid: Pid) -> TransportStatistics | None:
    """Return what a process is as a transport; None if it holds no connection of a socket."""
    transport = getattr(pid.port, "__self__", None)
    if isinstance(transport, LongPollSession):
        socket = transport.socket
        waits, channels = transport.waiting(), len(transport.multiplexer)
        name = socket.handler.__name__
        return TransportStatistics(
            name, socket.id, "longpoll", transport.peer, transport.since, channels, waits, transport.traffic
        )
    if not isinstance(transport, WebSocketOutput):
        return None
    upgraded = transport.upgraded
    connection, id_, channels = upgraded.connection, None, 0
    if isinstance(transport, MultiplexedInput):
        id_, channels = transport.multiplexer.socket.id, len(transport.multiplexer)
    waits = connection.size + connection.outstanding()
    return TransportStatistics(
        upgraded.socket, id_, "websocket", upgraded.peer, upgraded.since, channels, waits, connection.traffic()
    )
