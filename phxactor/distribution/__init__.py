"""Processes over nodes: values that travel, and what becomes of them elsewhere. See README.md here."""

from phxactor.distribution._codec_address import AddressKind, register_address
from phxactor.distribution._codec_decode import decode
from phxactor.distribution._codec_encode import encode, encode_reason
from phxactor.distribution._codec_errors import CannotTravelError, DecodeError, RemoteError, RemoteValue, remote_value
from phxactor.distribution._codec_message import message
from phxactor.distribution._codec_wire import MAX_BYTES, Pids
from phxactor.distribution._distribution import Distribution, child_spec
from phxactor.distribution._group_members import Joined, Left
from phxactor.distribution._groups import Groups
from phxactor.distribution._start import start_monitor_on, start_on
from phxactor.distribution._startable import Startable

__all__ = [
    "MAX_BYTES",
    "AddressKind",
    "CannotTravelError",
    "DecodeError",
    "Distribution",
    "Groups",
    "Joined",
    "Left",
    "Pids",
    "RemoteError",
    "RemoteValue",
    "Startable",
    "child_spec",
    "decode",
    "encode",
    "encode_reason",
    "message",
    "register_address",
    "remote_value",
    "start_monitor_on",
    "start_on",
]
