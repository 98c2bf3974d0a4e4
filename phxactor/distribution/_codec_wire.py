"""The format of values between nodes: MessagePack with extension types.

None, bool, int of 64 bits, float, str, bytes, list and dict are those of MessagePack. An extension type holds a value
that has no parts (`BIG_INT` to `REF`). A value that has parts is an array whose first element is a *mark*: extension
type `MARK` with one byte that says what the rest of the array is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from struct import Struct
from typing import Final, Protocol

from msgpack import ExtType

from phxactor.runtime import Pid, Ref

MAX_BYTES: Final = 1024 * 1024
"""Bytes of an encoded value at most, unless a limit is given."""
MAX_INT_BYTES: Final = 1024
"""Bytes of an int, at most."""

BIG_INT: Final = 1
"""An int beyond 64 bits: signed, big endian."""
DATETIME: Final = 2
"""Year, month, day, hour, minute, second, microsecond, fold; then seconds and microseconds of the offset if aware."""
DATE: Final = 3
"""Year, month, day."""
UUID: Final = 4
"""16 bytes."""
PID: Final = 5
"""What `Pids` makes of a process."""
REF: Final = 6
"""What `Pids` makes of a reference, a monitor or a return address."""
MARK: Final = 16
"""The first element of an array that is not a list."""


def _mark(number: int) -> ExtType:
    return ExtType(MARK, bytes((number,)))


TUPLE: Final = _mark(0)
SET: Final = _mark(1)
FROZENSET: Final = _mark(2)
MESSAGE: Final = _mark(3)
"""A declared message: its name, and a map of its fields."""
SHUTDOWN: Final = _mark(4)
CRASH: Final = _mark(5)
"""The exception's type, text and traceback, as texts."""
EXITED: Final = _mark(6)
DOWN: Final = _mark(7)
OK: Final = _mark(8)
ERROR: Final = _mark(9)
CALLED: Final = _mark(10)
NODE: Final = _mark(11)
REMOTE_VALUE: Final = _mark(12)
ADDRESS: Final = _mark(13)
"""What it is, a name and a key, as texts."""


class Pids(Protocol):
    """How processes and references are written: the distribution knows nodes and their epochs, the codec does not.

    Functions that write raise TypeError for what cannot travel; those that read raise ValueError for bytes that are
    none of theirs.
    """

    def to_wire(self, pid: Pid) -> bytes:
        """Write a process."""

    def from_wire(self, data: bytes) -> Pid:
        """Read a process; one of this node is the local object again."""

    def ref_to_wire(self, ref: Ref) -> bytes:
        """Write a reference, a monitor or a return address."""

    def ref_from_wire(self, data: bytes) -> Ref:
        """Read one."""


_DATE: Final = Struct(">HBB")
_TIME: Final = Struct(">HBBBBBIB")
_OFFSET: Final = Struct(">ii")
_SECOND: Final = timedelta(seconds=1)


def write_date(value: date) -> bytes:
    """Write a date."""
    return _DATE.pack(value.year, value.month, value.day)


def read_date(data: bytes) -> date:
    """Read a date."""
    return date(*_DATE.unpack(data))


def write_datetime(value: datetime) -> bytes:
    """Write a datetime. Of a zone only its offset travels; a naive one has none."""
    written = _TIME.pack(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.fold,
    )
    offset = value.utcoffset()
    if offset is None:
        return written
    seconds, rest = divmod(offset, _SECOND)
    return written + _OFFSET.pack(seconds, rest.microseconds)


def read_datetime(data: bytes) -> datetime:
    """Read a datetime."""
    year, month, day, hour, minute, second, microsecond, fold = _TIME.unpack(data[: _TIME.size])
    zone = None
    if len(data) != _TIME.size:
        seconds, microseconds = _OFFSET.unpack(data[_TIME.size :])
        zone = timezone(timedelta(seconds=seconds, microseconds=microseconds))
    return datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def write_int(value: int) -> bytes:
    """Write an int. Raises TypeError for one that is too large."""
    size = value.bit_length() // 8 + 1
    if size > MAX_INT_BYTES:
        raise TypeError(f"is an int of {size} bytes, and {MAX_INT_BYTES} travel at most")
    return value.to_bytes(size, "big", signed=True)


def read_int(data: bytes) -> int:
    """Read an int."""
    if len(data) > MAX_INT_BYTES:
        raise ValueError(f"an int has {MAX_INT_BYTES} bytes at most, and this one {len(data)}")
    return int.from_bytes(data, "big", signed=True)
