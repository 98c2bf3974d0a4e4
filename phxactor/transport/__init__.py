"""Transports: processes that tie a client's connection to a socket, and the requests that open one."""

from phxactor.transport import events
from phxactor.transport._attended import LATE, LEFT, Attended
from phxactor.transport._close_codes import BAD_MESSAGE, DRAINING, CloseCode, close_code
from phxactor.transport._delivery import Delivery, Poll, Settled
from phxactor.transport._frames import frame
from phxactor.transport._handshake import AUTH_TOKEN_PREFIX, Accepted, Refused, handshake
from phxactor.transport._longpoll import LongPollSession
from phxactor.transport._multiplexed import MultiplexedWebSocket
from phxactor.transport._options import (
    ConnectInfoKey,
    ErrorHandler,
    LongPollOptions,
    SocketOptions,
    WebSocketOptions,
)
from phxactor.transport._publications import GaveUp, Publish
from phxactor.transport._raw import RawWebSocket
from phxactor.transport._read_ahead import ReadAheadWebSocket
from phxactor.transport._statistics import TransportStatistics, transport_of, waiting_output
from phxactor.transport._websocket_output import Upgraded

__all__ = [
    "AUTH_TOKEN_PREFIX",
    "BAD_MESSAGE",
    "DRAINING",
    "LATE",
    "LEFT",
    "Accepted",
    "Attended",
    "CloseCode",
    "ConnectInfoKey",
    "Delivery",
    "ErrorHandler",
    "GaveUp",
    "LongPollOptions",
    "LongPollSession",
    "MultiplexedWebSocket",
    "Poll",
    "Publish",
    "RawWebSocket",
    "ReadAheadWebSocket",
    "Refused",
    "Settled",
    "SocketOptions",
    "TransportStatistics",
    "Upgraded",
    "WebSocketOptions",
    "close_code",
    "events",
    "frame",
    "handshake",
    "transport_of",
    "waiting_output",
]
