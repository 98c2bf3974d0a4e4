"""Values become bytes. What is no data raises in the sender, with the path to it (see `_codec_path`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, cast
from uuid import UUID

from msgpack import ExtType, Packer

from phxactor.cluster import Node
from phxactor.distribution import _codec_wire as wire
from phxactor.distribution._codec_address import by_class as addresses
from phxactor.distribution._codec_depth import is_too_deep
from phxactor.distribution._codec_errors import CannotTravelError, RemoteValue, parts_of, remote_value
from phxactor.distribution._codec_message import by_class
from phxactor.distribution._codec_path import explain
from phxactor.distribution._codec_wire import MAX_BYTES, Pids
from phxactor.otp import Called, Error, Ok
from phxactor.runtime import Crash, Down, Exited, Pid, Reason, Ref, Shutdown


def encode(value: object, pids: Pids, max_bytes: int = MAX_BYTES) -> bytes:
    """Write a value. Raises CannotTravelError, with the path, for what is no data, or is larger than `max_bytes`."""
    encoder = _idle.pop() if _idle else _Encoder()
    encoder.pids = pids
    try:
        data: bytes = encoder.pack(value)
    except Exception as error:  # noqa: BLE001 - the packer and `Pids` raise several
        raise CannotTravelError(explain(value, pids) or f"{type(error).__name__}: {error!s:.200}") from None
    _idle.append(encoder)
    if len(data) > max_bytes:
        raise CannotTravelError(f"the message has {len(data)} bytes, and {max_bytes} travel at most")
    if is_too_deep(value, data):
        raise CannotTravelError(explain(value, pids) or "the message is too deep")
    return data


def encode_reason(reason: Reason, pids: Pids, max_bytes: int = MAX_BYTES) -> bytes:
    """Write an exit reason, whatever it holds: a `RemoteValue` stands for each part that is no data. Never raises."""
    encoder = _Encoder(remote_value)
    encoder.pids = pids
    try:
        data: bytes = encoder.pack(reason)
        if len(data) <= max_bytes and not is_too_deep(reason, data):
            return data
    except Exception:  # noqa: BLE001 - such as text that is no UTF-8, or too deep
        return encode(remote_value(reason), pids)
    return encode(remote_value(reason), pids)


class _Encoder:
    """A packer of MessagePack, and what it calls for each value that is none of its own."""

    __slots__ = ("_instead", "pack", "pids")

    pids: Pids

    def __init__(self, instead: Callable[[object], RemoteValue] | None = None) -> None:
        self._instead = instead
        self.pack: Final = Packer(default=self._write, strict_types=True, buf_size=1024).pack

    def _write(self, value: Any) -> object:  # noqa: ANN401 - any value
        """Write what MessagePack lacks as an extension type, or as a list that begins with a mark."""
        kind = type(value)
        if kind is tuple:
            return [wire.TUPLE, *value]
        try:
            return self._write_other(kind, value)
        except Exception:
            if self._instead is None:
                raise
            return _remote_value(self._instead(value))

    def _write_other(self, kind: type, value: Any) -> object:  # noqa: ANN401 - any value
        declared = by_class.get(kind)
        if declared is not None:
            return [wire.MESSAGE, declared.name, declared.take_apart(value)]
        write = _WRITERS.get(kind)
        if write is not None:
            return write(value)
        address = addresses.get(kind)
        if address is not None:
            return [wire.ADDRESS, address.what, *address.take_apart(value)]
        if isinstance(value, Pid):
            return ExtType(wire.PID, self.pids.to_wire(value))
        if isinstance(value, Ref):
            return ExtType(wire.REF, self.pids.ref_to_wire(value))
        raise TypeError(kind)


def _remote_value(value: RemoteValue) -> object:
    return [wire.REMOTE_VALUE, value.type_name, value.text]


_WRITERS: Final = cast(
    "dict[type, Callable[[Any], object]]",
    {
        int: lambda value: ExtType(wire.BIG_INT, wire.write_int(value)),
        set: lambda value: [wire.SET, *value],
        frozenset: lambda value: [wire.FROZENSET, *value],
        datetime: lambda value: ExtType(wire.DATETIME, wire.write_datetime(value)),
        date: lambda value: ExtType(wire.DATE, wire.write_date(value)),
        UUID: lambda value: ExtType(wire.UUID, value.bytes),
        Shutdown: lambda value: [wire.SHUTDOWN, value.detail],
        Crash: lambda value: [wire.CRASH, *parts_of(value.exception)],
        Exited: lambda value: [wire.EXITED, value.pid, value.reason],
        Down: lambda value: [wire.DOWN, value.ref, value.object, value.reason],
        Ok: lambda value: [wire.OK, value.value, value.info],
        Error: lambda value: [wire.ERROR, value.reason],
        Called: lambda value: [wire.CALLED, value.function, value.server, value.request, value.timeout],
        Node: lambda value: [wire.NODE, value.id, value.name],
        RemoteValue: _remote_value,
    },
)
"""What is written for each type."""

_idle: Final[list[_Encoder]] = []
"""Encoders that wait for the next value: to make one costs as much as a small message."""
