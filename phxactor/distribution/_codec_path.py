"""Why a value cannot travel, and the path to it: `message.items[3].lock is a Lock`. Walks only what has failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import attrs

from phxactor.cluster import Node
from phxactor.distribution import _codec_wire as wire
from phxactor.distribution._codec_address import by_class as addresses
from phxactor.distribution._codec_depth import MAX_DEPTH
from phxactor.distribution._codec_errors import RemoteValue
from phxactor.distribution._codec_message import by_class
from phxactor.distribution._codec_types import named
from phxactor.distribution._codec_wire import Pids
from phxactor.otp import Called, Error, Ok
from phxactor.runtime import Crash, Down, Exited, Pid, Ref, Shutdown

_PLAIN: Final = (type(None), bool, float, bytes, UUID, date, Crash, RemoteValue)
_PARTED: Final = (Shutdown, Exited, Down, Ok, Error, Called, Node)
_BASES: Final = (bool, int, float, str, bytes, list, dict, tuple, set, frozenset, datetime, date, UUID)


def explain(value: object, pids: Pids) -> str | None:
    """Return what is wrong with a value, with the path to it; None if nothing is found."""
    waiting: list[tuple[str, int, object]] = [("message", 0, value)]
    while waiting:
        path, depth, one = waiting.pop()
        if depth > MAX_DEPTH:
            return f"{path:.200}... lies deeper than {MAX_DEPTH} in other values, or holds itself"
        try:
            parts = _parts(one, path, pids)
        except UnicodeEncodeError:
            return f"{path} holds half of a surrogate pair, which is no UTF-8"
        except Exception as error:  # noqa: BLE001 - `Pids` and zones of a program raise what they like
            text = str(error)
            return text if text.startswith(path) else f"{path} {text}"
        waiting.extend((inner, depth + 1, part) for inner, part in reversed([*parts]))
    return None


def _parts(value: Any, path: str, pids: Pids) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - any value
    """Return the parts of a value with their paths. Raises an error whose text says what is wrong with the value."""
    kind = type(value)
    if kind is str:
        value.encode()
    elif kind is int:
        wire.write_int(value)
    elif kind is datetime:
        wire.write_datetime(value)
    elif kind in addresses:
        return iter(())
    elif isinstance(value, Pid):
        pids.to_wire(value)
    elif isinstance(value, Ref):
        pids.ref_to_wire(value)
    elif kind in {list, tuple, set, frozenset}:
        return ((f"{path}[{number}]", part) for number, part in enumerate(value))
    elif kind is dict:
        return _of_dict(value, path)
    elif (declared := by_class.get(kind)) is not None:
        return ((f"{path}.{name}", part) for name, part in declared.take_apart(value, path).items())
    elif kind in _PARTED:
        names = [one.alias or one.name for one in attrs.fields(kind)]
        return ((f"{path}.{name}", getattr(value, name)) for name in names)
    elif kind not in _PLAIN:
        raise TypeError(_refusal(value, kind))
    return iter(())


def _of_dict(value: dict[object, object], path: str) -> Iterator[tuple[str, object]]:
    for key, part in value.items():
        yield f"the key {_short(key)} of {path}", key
        yield f"{path}[{_short(key)}]", part


def _short(key: object) -> str:
    return repr(key)[:50] if type(key) in {str, int, bytes, bool, float} else named(key)


def _refusal(value: object, kind: type) -> str:
    if attrs.has(kind):
        return f"is {named(value)}: declare the class with @message(...), so that it may travel"
    for base in _BASES:
        if issubclass(kind, base):
            return f"is {named(value)}: send {base.__name__}(value), as subclasses do not travel"
    if isinstance(value, type) or callable(value):
        return f"is {named(value)}: no code travels, only data"
    return f"is {named(value)}: only data travels"
