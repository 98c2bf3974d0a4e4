"""RESP3, the protocol of Redis 6 and later: commands as bytes, and the parser of what Redis says.

hiredis is the parser: the Redis project's own, without I/O. It is imported when a parser is made, because it belongs to
an optional extra. Around it stands what it does not do: a bound on what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    import hiredis

_PUBLISH: Final = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n"
END: Final = b"\r\n"


class ProtocolError(Exception):
    """What came is not RESP, or more than a parser may hold."""


def need_hiredis() -> None:
    """Raise ImportError with one clear line if the extra `redis` is not installed, or is too old to tell pushes."""
    try:
        from hiredis import PushNotification  # noqa: F401, PLC0415 - an optional extra
    except ImportError:
        raise ImportError("Redis between nodes needs hiredis 3.2 or later: install phxactor[redis]") from None


def command(*parts: bytes) -> bytes:
    """Return the bytes of a command."""
    return _command(parts, len(parts))


def command_with(name: bytes, arguments: Iterable[bytes]) -> bytes:
    """Return the bytes of a command with many arguments."""
    parts = (name, *arguments)
    return _command(parts, len(parts))


def _command(parts: Iterable[bytes], count: int) -> bytes:
    return b"*%d\r\n%b" % (count, b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


def publish_head(channel: bytes, size: int) -> bytes:
    """Return the bytes of PUBLISH before its payload of `size` bytes; `END` follows the payload."""
    return _PUBLISH % (len(channel), channel, size)


@final
class Parser:
    """Turns bytes from Redis into values.

    A number is int, text is bytes, a map is dict, an error is an exception of the type `error`, and what Redis says
    without being asked is a list of the type `push`.
    """

    __slots__ = ("_held", "_max_held", "_reader", "_wrong", "error", "push")

    def __init__(self, max_held: int) -> None:
        """Make a parser that holds at most `max_held` bytes of a value that has not come whole."""
        import hiredis  # noqa: PLC0415 - an optional extra

        self._reader: hiredis.Reader = hiredis.Reader(notEnoughData=_MORE)
        self._wrong = hiredis.HiredisError
        self._held = 0
        self._max_held = max_held
        self.error: Final[type[Exception]] = hiredis.ReplyError
        self.push: Final[type[list[Any]]] = hiredis.PushNotification

    def values(self, data: bytes | bytearray) -> list[Any]:
        """Return the values that are whole with these bytes.

        Raises:
            ProtocolError: what came is not RESP, or a value takes more bytes than the parser may hold.

        """
        reader = self._reader
        reader.feed(bytes(data))
        gets, more = reader.gets, _MORE
        values: list[Any] = []
        try:
            while (value := gets()) is not more:
                values.append(value)
        except self._wrong:
            raise ProtocolError("what came is not RESP: is this Redis?") from None
        if values:
            self._held = 0  # what is held now came with these bytes
        self._held += len(data)
        if self._held > self._max_held:
            raise ProtocolError(f"a value has more than {self._max_held} bytes")
        return values


_MORE: Final = object()
