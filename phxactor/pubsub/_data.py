"""Plain messages between nodes, as JSON: what arrives is equal to what was sent, or the sender is told at once.

Allowed are None, bool, int of 64 bits, float, str, list, and dict with str as keys. JSON has more ways in than out: a
tuple would arrive as a list, a UUID as text, NaN as None. So these raise TypeError in the sender.
"""

from __future__ import annotations

from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from orjson import JSONDecodeError, JSONEncodeError, dumps, loads

from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.pubsub._crossing import Crossing, crossing
from phxactor.pubsub._subscriber import to_mailboxes
from phxactor.telemetry import brief

if TYPE_CHECKING:
    from phxactor.cluster import Node

_PLAIN: Final[frozenset[type]] = frozenset({NoneType, bool, int, str})
_STR: Final[frozenset[type]] = frozenset({str})


def encode(scope: str, topic: str, message: object) -> Message:
    """Return the envelope of a plain message. Raises TypeError with the path to the value that cannot cross."""
    try:
        text = dumps(message)  # refuses circles, too much depth, large numbers and half characters
    except JSONEncodeError as error:
        raise _unfit(topic, _wrong(message) or str(error)) from None
    if not _crosses(message):
        raise _unfit(topic, str(_wrong(message)))
    return Message(Kind.DATA, scope, topic, "", text)


def decode(message: Message, _sender: Node | None) -> object:
    """Return the value of a plain message. Raises EnvelopeError if it is not JSON."""
    try:
        return loads(message.payload)
    except JSONDecodeError:
        raise EnvelopeError("json", "the payload of a plain message is not JSON") from None


def _crosses(message: object) -> bool:
    """Say whether JSON holds a message as it is. No recursive function: a message may be deeper than Python calls."""
    left: list[Any] = [message]
    seen: dict[int, object] = {}  # containers; a circle would never end
    while left:
        value = left.pop()
        kind = type(value)
        if kind in _PLAIN or (kind is float and isfinite(value)) or id(value) in seen:
            continue
        if kind is list:
            left += value
        elif kind is dict and _STR.issuperset(map(type, value)):
            left += value.values()
        else:
            return False
        seen[id(value)] = value
    return True


def _wrong(message: object) -> str | None:
    """Say, for an error, where a message holds what JSON would change; None if JSON holds it as it is."""
    left: list[tuple[Any, str]] = [(message, "message")]
    seen: dict[int, object] = {}
    while left:
        value, path = left.pop()
        kind = type(value)
        if kind is float and not isfinite(value):
            return f"{path} is {value!r}"
        if kind in _PLAIN or kind is float or id(value) in seen:
            continue
        if kind is not list and kind is not dict:
            return f"{path} is of the type {kind.__qualname__}: {brief(value):.200}"
        seen[id(value)] = value
        if kind is dict:
            for key in value:
                if type(key) is not str:
                    return f"{path} has a key of the type {type(key).__qualname__}: {brief(key):.200}"
        items = enumerate(value) if kind is list else value.items()
        left += reversed([(one, f"{path}[{key!r:.100}]") for key, one in items])
    return None


def _unfit(topic: str, why: str) -> TypeError:
    return TypeError(
        f"a message to {topic!r:.100} cannot cross to other nodes: {why}. Subscribers here have it, others do not. "
        "Send None, bool, int, float, str, list or dict with text keys, or use local_broadcast"
    )


def _raise(_message: object, error: EnvelopeError) -> None:
    raise ValueError(f"a message cannot cross to other nodes: {error}") from None


crossing(
    Crossing(
        dispatcher=to_mailboxes,
        kinds=(Kind.DATA,),
        prepare=lambda message: message,
        encode=encode,
        refuse=_raise,
        decode=decode,
    )
)
