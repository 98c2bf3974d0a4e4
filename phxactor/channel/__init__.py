"""Channels: the class that programs write, and the process that runs it."""

from phxactor.channel.channel import Channel, SocketRef, reply
from phxactor.channel.handlers import intercept, on
from phxactor.channel.payloads import PayloadError
from phxactor.channel.results import HandleResult, JoinResult, Payload, Status

__all__ = [
    "Channel",
    "HandleResult",
    "JoinResult",
    "Payload",
    "PayloadError",
    "SocketRef",
    "Status",
    "intercept",
    "on",
    "reply",
]
