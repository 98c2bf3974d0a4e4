"""Sockets: the state of a connection, what travels over it, and to which channels. See README.md in this folder."""

from phxactor.socket.assigns import Assigns
from phxactor.socket.fastlane import Broadcaster, Fastlane
from phxactor.socket.messages import BINARY, TEXT, Broadcast, Message, OddEvent, Reply, SocketClose, SocketPush
from phxactor.socket.routes import Route, Routes, channel
from phxactor.socket.serializer import DecodeError, EncodeError, InvalidUTF8, Mistyped, Serializer
from phxactor.socket.serializer_v1 import V1JSONSerializer
from phxactor.socket.serializer_v2 import V2JSONSerializer
from phxactor.socket.socket import Socket

__all__ = [
    "BINARY",
    "TEXT",
    "Assigns",
    "Broadcast",
    "Broadcaster",
    "DecodeError",
    "EncodeError",
    "Fastlane",
    "InvalidUTF8",
    "Message",
    "Mistyped",
    "OddEvent",
    "Reply",
    "Route",
    "Routes",
    "Serializer",
    "Socket",
    "SocketClose",
    "SocketPush",
    "V1JSONSerializer",
    "V2JSONSerializer",
    "channel",
]
