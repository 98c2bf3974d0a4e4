"""Sockets: the state of a connection, what travels over it, and to which channels. See README.md in this folder."""

from phxactor.socket._assigns import Assigns
from phxactor.socket._backlog import SMALL, Decode
from phxactor.socket._fastlane import Broadcaster, Fastlane, fastlane
from phxactor.socket._in_turns import InTurns
from phxactor.socket._messages import (
    BINARY,
    DRAIN,
    TEXT,
    Broadcast,
    Drain,
    Message,
    OddEvent,
    Ref,
    Reply,
    SharedPush,
    SocketClose,
    SocketPush,
)
from phxactor.socket._multiplexer import Multiplexer
from phxactor.socket._output import Pool
from phxactor.socket._rate_limit import RateLimit, rate_limit
from phxactor.socket._raw import RawResult, RawSocket
from phxactor.socket._routes import Route, Routes, Transport, channel
from phxactor.socket._serializer import (
    DecodeError,
    EncodeError,
    InvalidUTF8,
    Mistyped,
    Serializer,
    TooComplex,
    json_type,
)
from phxactor.socket._serializer_v1 import V1JSONSerializer
from phxactor.socket._serializer_v2 import V2JSONSerializer
from phxactor.socket._shared import push_text
from phxactor.socket._socket import LEVELS, Socket
from phxactor.socket._versions import PHOENIX, Requirement, Serializers, select, versioned

__all__ = [
    "BINARY",
    "DRAIN",
    "LEVELS",
    "PHOENIX",
    "SMALL",
    "TEXT",
    "Assigns",
    "Broadcast",
    "Broadcaster",
    "Decode",
    "DecodeError",
    "Drain",
    "EncodeError",
    "Fastlane",
    "InTurns",
    "InvalidUTF8",
    "Message",
    "Mistyped",
    "Multiplexer",
    "OddEvent",
    "Pool",
    "RateLimit",
    "RawResult",
    "RawSocket",
    "Ref",
    "Reply",
    "Requirement",
    "Route",
    "Routes",
    "Serializer",
    "Serializers",
    "SharedPush",
    "Socket",
    "SocketClose",
    "SocketPush",
    "TooComplex",
    "Transport",
    "V1JSONSerializer",
    "V2JSONSerializer",
    "channel",
    "fastlane",
    "json_type",
    "push_text",
    "rate_limit",
    "select",
    "versioned",
]
