"""A Phoenix client for trio: connect, join, push, and stay joined whatever connections do. See README.md."""

from phxactor.client.backoff import reconnect_after, rejoin_after
from phxactor.client.channel import Channel, ChannelStatistics
from phxactor.client.errors import (
    ChannelClosed,
    ChannelCrashed,
    ClientError,
    ConnectionLost,
    ConnectRefused,
    JoinError,
    Overflow,
    ReplyError,
)
from phxactor.client.fresh import Fresh
from phxactor.client.socket import Socket, SocketStatistics, connect
from phxactor.client.status import Connected, Connecting, Disconnected, Errored, Joined, Status
from phxactor.client.url import Params
from phxactor.socket import EncodeError, Message

__all__ = [
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
    "EncodeError",
    "Errored",
    "Fresh",
    "JoinError",
    "Joined",
    "Message",
    "Overflow",
    "Params",
    "ReplyError",
    "Socket",
    "SocketStatistics",
    "Status",
    "connect",
    "reconnect_after",
    "rejoin_after",
]
