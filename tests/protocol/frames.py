"""Frames as a client sees them: what the model says must come.

An item is canonical JSON for a text message, `binary` and hexadecimal digits for a binary one, `pong`, `close` with its
code, `open` or `rejected` with its status, and `eof`.
"""

from __future__ import annotations

from typing import Final

from tests.protocol.steps import Message, Payload, Ref, canonical

SMALL: Final = 126
"""Bytes from which on a frame has a longer head (RFC 6455 section 5.2)."""


class UnencodableError(Exception):
    """Version 1 has no binary messages."""


def reply(vsn: int, message: Message, status: str, payload: Payload) -> str:
    """Answer a message."""
    join_ref, ref, topic = message.join_ref, message.ref, message.topic
    if isinstance(payload, bytes):
        return _binary(vsn, 1, (join_ref, ref, topic, status), payload)
    return _text(vsn, (join_ref, ref), topic, "phx_reply", f'{{"response":{payload},"status":{canonical(status)}}}')


def push(vsn: int, join_ref: Ref, topic: str, event: str, payload: Payload) -> str:
    """Send to one client."""
    if isinstance(payload, bytes):
        return _binary(vsn, 0, (join_ref, topic, event), payload)
    return _text(vsn, (join_ref, None), topic, event, payload)


def ended(vsn: int, join_ref: Ref, topic: str, event: str) -> str:
    """Tell of the end of a channel, `phx_close` or `phx_error`: its ref is that of the join."""
    payload = '{"reason":"channel_crash"}' if event == "phx_error" else "{}"
    return _text(vsn, (join_ref, join_ref), topic, event, payload)


def broadcast(vsn: int, topic: str, event: str, payload: Payload) -> str:
    """Send to all of a topic."""
    if isinstance(payload, bytes):
        return _binary(vsn, 2, (topic, event), payload)
    return _text(vsn, (None, None), topic, event, payload)


def size(item: str) -> int:
    """Count the bytes of a frame; all that programs say is ASCII."""
    kind, _, data = item.partition(" ")
    length = len(data) // 2 if kind == "binary" else len(data) if kind == "pong" else len(item)
    return length + (2 if length < SMALL else 4)


def _text(vsn: int, refs: tuple[Ref, Ref], topic: str, event: str, payload: str) -> str:
    if vsn == 1:
        head = f'"event":{canonical(event)},"payload":{payload}'
        return f'{{{head},"ref":{canonical(refs[1])},"topic":{canonical(topic)}}}'
    return f"[{canonical([*refs, topic, event])[1:-1]},{payload}]"


def _binary(vsn: int, kind: int, fields: tuple[Ref, ...], payload: bytes) -> str:
    if vsn == 1:
        raise UnencodableError
    encoded = [b"" if field is None else str(field).encode() for field in fields]
    return "binary " + b"".join((bytes((kind, *map(len, encoded))), *encoded, payload)).hex()
