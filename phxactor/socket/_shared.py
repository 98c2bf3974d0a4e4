"""Pushes of JSON text that many clients get: a long one is not copied for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orjson import Fragment, loads

from phxactor.socket._encoded import TAKE_TEXT
from phxactor.socket._messages import Message, SharedPush

if TYPE_CHECKING:
    from phxactor.socket._socket import Socket

LONG: Final = 16384
"""Bytes of text from which on it is shared; a shorter one is copied sooner."""

_MARK: Final = b"\0"
"""A byte that no JSON has."""
_HOLE: Final = Fragment(_MARK)


def push_text(socket: Socket, event: str, text: bytes) -> None:
    """Push an event with a payload that is JSON text already."""
    serializer = socket.serializer
    if type(serializer) not in TAKE_TEXT:
        socket.push(event, loads(text))
    elif len(text) < LONG:
        socket.push(event, Fragment(text))
    else:
        around = serializer.encode(Message(str(socket.topic), event, _HOLE, None, socket.join_ref))
        before, _, after = around.data.partition(_MARK)
        socket.transport_pid.send(SharedPush(before, text, after))
