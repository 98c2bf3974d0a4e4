"""What a connection is and does at one moment, for people who look at it. No process notices."""

from __future__ import annotations

from phxactor.runtime import Pid
from phxactor.transport._longpoll import LongPollSession
from phxactor.transport._websocket_output import WebSocketOutput


def waiting_output(pid: Pid) -> int:
    """Return the bytes of output that wait for the client of a transport; 0 for any other process."""
    transport = getattr(pid.port, "__self__", None)
    if isinstance(transport, WebSocketOutput):
        return transport.upgraded.connection.size
    return transport.waiting() if isinstance(transport, LongPollSession) else 0
