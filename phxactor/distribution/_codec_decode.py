"""Bytes become values: whatever they are, a value or DecodeError, in time and memory of the number of bytes.

Nothing that is read runs code but that of declared messages, or makes a class. Before memory is taken, a first pass
over large data has seen that each length and number in it is true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast
from uuid import UUID

from msgpack import ExtType, Unpacker, unpackb

from phxactor.cluster import Node
from phxactor.distribution import _codec_wire as wire
from phxactor.distribution._codec_address import found
from phxactor.distribution._codec_depth import MAX_DEPTH, is_too_deep
from phxactor.distribution._codec_errors import DecodeError, RemoteError, RemoteValue
from phxactor.distribution._codec_message import by_name
from phxactor.distribution._codec_types import named
from phxactor.distribution._codec_wire import MAX_BYTES, Pids
from phxactor.otp import Called, Error, Ok
from phxactor.runtime import Crash, Down, Exited, Pid, Ref, Shutdown

SMALL: Final = 512
"""Bytes of data that need no first pass: so few can announce only little."""
FEW: Final = 64
"""Keys that may have one hash. More would make a dict slow, which is what an attacker is after."""


def decode(data: bytes, pids: Pids, max_bytes: int = MAX_BYTES) -> object:
    """Read a value. Raises DecodeError, and nothing else, for bytes that are none."""
    if len(data) > max_bytes:
        raise DecodeError(f"a message has at most {max_bytes} bytes, and this one {len(data)}")
    decoder = _Decoder(pids)
    try:
        if len(data) > SMALL:
            _first_pass(data)
        value = unpackb(
            data,
            list_hook=decoder.array,
            object_pairs_hook=_dict,
            ext_hook=decoder.extension,
            strict_map_key=False,
            timestamp=3,  # a timestamp of MessagePack is a datetime too
        )
    except DecodeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the bytes are at fault
        raise DecodeError(f"{type(error).__name__}: {error!s:.200}") from None
    if decoder.marks:
        raise DecodeError("a mark stands where only the first element of an array may be one")
    if is_too_deep(value, data):
        raise DecodeError(f"values lie deeper than {MAX_DEPTH} in each other")
    return cast("object", value)


def _first_pass(data: bytes) -> None:
    """Check that all that is announced is there, without making anything. Raises what MessagePack raises."""
    reader = Unpacker(max_buffer_size=len(data), read_size=SMALL)
    reader.feed(data)
    reader.skip()
    if reader.tell() != len(data):
        raise DecodeError(f"{len(data) - reader.tell()} bytes stand after the value")


def _dict(given: Iterable[tuple[object, object]]) -> dict[object, object]:
    """Make a dict. Raises DecodeError for a key that comes twice, or cannot be one."""
    pairs = given if type(given) is list else [*given]  # without its extension, msgpack gives a generator
    if len(pairs) > FEW:
        _check_hashes([key for key, _ in pairs])
    try:
        made = dict(pairs)
    except TypeError:
        raise _no_key(key for key, _ in pairs) from None
    if len(made) != len(pairs):
        raise DecodeError("a key comes twice")
    return made


def _set(kind: Callable[[Sequence[object]], Any], items: Sequence[object]) -> Any:  # noqa: ANN401 - a set or frozenset
    if len(items) > FEW:
        _check_hashes(items)
    try:
        made = kind(items)
    except TypeError:
        raise _no_key(items) from None
    if len(made) != len(items):
        raise DecodeError("an element of a set comes twice")
    return made


def _check_hashes(keys: Sequence[object]) -> None:
    """Refuse keys that were chosen to have the same hash: to enter n of them takes n * n steps."""
    try:
        hashes = [*map(hash, keys)]
    except TypeError:
        raise _no_key(keys) from None
    if len(hashes) - len(set(hashes)) < FEW:
        return
    most = Counter(hashes).most_common(1)[0][1]
    if most > FEW:
        raise DecodeError(f"{most} keys have the same hash")


def _no_key(keys: Iterable[object]) -> DecodeError:
    for key in keys:
        try:
            hash(key)
        except TypeError:
            return DecodeError(f"a key of a dict, or an element of a set, is {named(key)}, which has no hash")
    return DecodeError("keys that cannot be compared")


class _Decoder:
    """What MessagePack calls for each array and each extension type."""

    __slots__ = ("marks", "pids")

    def __init__(self, pids: Pids) -> None:
        self.pids = pids
        self.marks = 0
        """The marks that were read, less those that began an array."""

    def array(self, items: list[Any]) -> object:
        """Make what the mark at the beginning of an array says; without one it is a list."""
        if not items or type(items[0]) is not _Mark:
            return items
        self.marks -= 1
        mark: _Mark = items[0]
        del items[0]
        if mark.parts is not None and len(items) != mark.parts:
            raise DecodeError(f"{mark.name} has {mark.parts} parts, and this one {len(items)}")
        return mark.make(items)

    def extension(self, code: int, data: bytes) -> object:
        """Make a value that has no parts, or read a mark."""
        if code == wire.MARK:
            self.marks += 1
            mark = _MARKS.get(data)
            if mark is None:
                raise DecodeError(f"an unknown mark, {data[:4].hex()}")
            return mark
        if code == wire.PID:
            return self.pids.from_wire(data)
        if code == wire.REF:
            return self.pids.ref_from_wire(data)
        read = _READERS.get(code)
        if read is None:
            raise DecodeError(f"an unknown extension type, {code}")
        return read(data)


class _Mark:
    """What the array that it begins is."""

    __slots__ = ("make", "name", "parts")

    def __init__(self, name: str, parts: int | None, make: Callable[[list[Any]], object]) -> None:
        self.name = name
        self.parts = parts
        self.make = make


def _declared(items: list[Any]) -> object:
    name, fields = items
    declared = by_name.get(name) if type(name) is str else None
    if declared is None:
        raise DecodeError(f"no message is declared as {name!r:.100} here")
    if type(fields) is not dict:
        raise DecodeError(f"{declared.name}: its fields are {named(fields)}, not a dict")
    return declared.make(fields)


def _typed(make: Callable[..., object], *types: type) -> Callable[[list[Any]], object]:
    """Return a function that makes a value of parts of these types."""

    def made(items: list[Any]) -> object:
        for item, wanted in zip(items, types, strict=True):
            if wanted is not object and not isinstance(item, wanted):
                raise DecodeError(f"a part is {named(item)}, not {wanted.__name__}")
        return make(*items)

    return made


def _crash(type_name: str, text: str, traceback_text: str) -> Crash:
    return Crash(RemoteError(type_name, text, traceback_text))


def _ok(value: object, info: object) -> Ok[object]:
    return Ok(value, info=info)


def _key(mark: ExtType) -> bytes:
    return cast("bytes", mark.data)


_MARKS: Final = {
    _key(wire.TUPLE): _Mark("a tuple", None, tuple),
    _key(wire.SET): _Mark("a set", None, lambda items: _set(set, items)),
    _key(wire.FROZENSET): _Mark("a frozenset", None, lambda items: _set(frozenset, items)),
    _key(wire.MESSAGE): _Mark("a message", 2, _declared),
    _key(wire.SHUTDOWN): _Mark("a Shutdown", 1, _typed(Shutdown, object)),
    _key(wire.CRASH): _Mark("a Crash", 3, _typed(_crash, str, str, str)),
    _key(wire.EXITED): _Mark("an Exited", 2, _typed(Exited, Pid, object)),
    _key(wire.DOWN): _Mark("a Down", 3, _typed(Down, Ref, object, object)),
    _key(wire.OK): _Mark("an Ok", 2, _typed(_ok, object, object)),
    _key(wire.ERROR): _Mark("an Error", 1, _typed(Error, object)),
    _key(wire.CALLED): _Mark("a Called", 4, _typed(Called, str, object, object, object)),
    _key(wire.NODE): _Mark("a Node", 2, _typed(Node, bytes, str)),
    _key(wire.ADDRESS): _Mark("an address", 3, _typed(found, str, str, str)),
    _key(wire.REMOTE_VALUE): _Mark("a RemoteValue", 2, _typed(RemoteValue, str, str)),
}
_READERS: Final[dict[int, Callable[[bytes], object]]] = {
    wire.BIG_INT: wire.read_int,
    wire.DATETIME: wire.read_datetime,
    wire.DATE: wire.read_date,
    wire.UUID: lambda data: UUID(bytes=data),
}
