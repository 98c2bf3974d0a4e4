"""Connections, their reader and flusher, the listener, addresses, TLS and limits. See README.md in this folder."""

from phxactor.net._address import DEFAULT, Address, Path, locate, open_listening, peer_of
from phxactor.net._base_connection import READ_SIZE, BaseConnection
from phxactor.net._flusher import Flusher
from phxactor.net._given import check_connected, check_listen
from phxactor.net._limits import ConnectionLimits, TooManyError, check_limits
from phxactor.net._listener import Place, Start, listen
from phxactor.net._proxy_protocol import ProxyHeaderError, read_proxy_header, without_proxy_header
from phxactor.net._reader import AVAILABLE, Reader
from phxactor.net._repeated import Repeated
from phxactor.net._shared_counts import MAX_ENDPOINTS, Share, SharedCounts, create_counts
from phxactor.net._socket_connection import Connection
from phxactor.net._stream_connection import StreamConnection
from phxactor.net._tls import HandshakeError, as_stream, check_context, shake_hands
from phxactor.net._unix import identify, open_unix, remove_unix

__all__ = [
    "AVAILABLE",
    "DEFAULT",
    "MAX_ENDPOINTS",
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
    "Repeated",
    "Share",
    "SharedCounts",
    "Start",
    "StreamConnection",
    "TooManyError",
    "as_stream",
    "check_connected",
    "check_context",
    "check_limits",
    "check_listen",
    "create_counts",
    "identify",
    "listen",
    "locate",
    "open_listening",
    "open_unix",
    "peer_of",
    "read_proxy_header",
    "remove_unix",
    "shake_hands",
    "without_proxy_header",
]
