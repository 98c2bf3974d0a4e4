"""Connections, their reader and flusher, the listener, addresses, TLS and limits. See README.md in this folder."""

from phxactor.net._address import DEFAULT, Address, Path, locate, peer_of
from phxactor.net._base_connection import READ_SIZE, BaseConnection
from phxactor.net._flusher import Flusher
from phxactor.net._given import check_connected, check_listen
from phxactor.net._limits import ConnectionLimits, TooManyError, check_limits
from phxactor.net._listener import Place, Start, listen
from phxactor.net._proxy_protocol import ProxyHeaderError, read_proxy_header, without_proxy_header
from phxactor.net._reader import AVAILABLE, Reader
from phxactor.net._socket_connection import Connection
from phxactor.net._stream_connection import StreamConnection
from phxactor.net._tls import HandshakeError, as_stream, check_context, shake_hands

__all__ = [
    "AVAILABLE",
    "DEFAULT",
    "READ_SIZE",
    "Address",
    "BaseConnection",
    "Connection",
    "ConnectionLimits",
    "Flusher",
    "HandshakeError",
    "Path",
    "Place",
    "ProxyHeaderError",
    "Reader",
    "Start",
    "StreamConnection",
    "TooManyError",
    "as_stream",
    "check_connected",
    "check_context",
    "check_limits",
    "check_listen",
    "listen",
    "locate",
    "peer_of",
    "read_proxy_header",
    "shake_hands",
    "without_proxy_header",
]
