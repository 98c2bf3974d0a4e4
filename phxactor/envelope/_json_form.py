"""The JSON form of a broadcast, which a person can type: {"v":1,"topic":"room:1","event":"news","payload":{}}.

A key "scope" names another PubSub than that of an `Endpoint()`. Only a cluster without a secret takes it, because it
has no seal: it is for development (CL48).
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from phxactor.envelope._error import EnvelopeError
from phxactor.envelope._message import DEFAULT_SCOPE, MAX_MESSAGE_BYTES, VERSION, Kind, Message

_NEEDED: Final = frozenset({"v", "topic", "event", "payload"})
_ALLOWED: Final = _NEEDED | {"scope"}


def from_json(data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> Message:
    """Read the JSON form. Raises EnvelopeError for whatever is not exactly it."""
    if len(data) > max_bytes:
        raise EnvelopeError("size", f"a message has at most {max_bytes} bytes, and this one {len(data)}")
    try:
        read: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise EnvelopeError("json", "not JSON") from None
    if not isinstance(read, dict) or not _NEEDED <= read.keys() <= _ALLOWED:
        raise EnvelopeError("json", "not an object with the keys v, topic, event, payload, and perhaps scope")
    if type(read["v"]) is not int or read["v"] != VERSION:
        raise EnvelopeError("version", f"v is not {VERSION}")
    scope, topic, event = read.get("scope", DEFAULT_SCOPE), read["topic"], read["event"]
    if not (isinstance(scope, str) and isinstance(topic, str) and isinstance(event, str)):
        raise EnvelopeError("json", "scope, topic and event are text")
    try:
        payload = orjson.dumps(read["payload"])
    except orjson.JSONEncodeError:
        raise EnvelopeError("json", "the payload is nested too deep") from None
    return Message(Kind.BROADCAST, scope, topic, event, payload)
