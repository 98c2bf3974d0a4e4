"""Channels: the class that programs write, and the process that runs it."""

from phxactor.channels import _measuring as _measuring  # it listens for who listens
from phxactor.channels._channel import Channel, SocketRef, reply
from phxactor.channels._handlers import collect, intercept, on
from phxactor.channels._payloads import PayloadError, register_payload_hook, structure_into
from phxactor.channels._results import HandleResult, JoinResult, Payload, Status

__all__ = [
    "Channel",
    "HandleResult",
    "JoinResult",
    "Payload",
    "PayloadError",
    "SocketRef",
    "Status",
    "collect",
    "intercept",
    "on",
    "register_payload_hook",
    "reply",
    "structure_into",
]
