"""A Phoenix client for trio: connect, join, push, and stay joined over new connections. See README.md."""

from phxactor.client._backoff import reconnect_after, rejoin_after
from phxactor.client._channel import Channel, ChannelStatistics
from phxactor.client._errors import (
    ChannelClosed,
    ChannelCrashed,
    ClientError,
    ConnectionLost,
    ConnectRefused,
    JoinError,
    Overflow,
    ReplyError,
)
from phxactor.client._factories import ValueOrFactory
from phxactor.client._presence import Presence
from phxactor.client._socket import Socket, SocketStatistics, connect
from phxactor.client._status import Connected, Connecting, Disconnected, Errored, Joined, Status
from phxactor.client._url import URL, Params
from phxactor.client._wire import decode, encode

__all__ = [
    "URL",
    "Channel",
    "ChannelClosed",
    "ChannelCrashed",
    "ChannelStatistics",
    "ClientError",
    "ConnectRefused",
    "Connected",
    "Connecting",
    "ConnectionLost",
    "Disconnected",
    "Errored",
    "JoinError",
    "Joined",
    "Overflow",
    "Params",
    "Presence",
    "ReplyError",
    "Socket",
    "SocketStatistics",
    "Status",
    "ValueOrFactory",
    "connect",
    "decode",
    "encode",
    "reconnect_after",
    "rejoin_after",
]
