"""A WebSocket without a connection: what it takes, and what it says, are written down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, cast

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate

from phxactor import Pid, WebSocketOptions
from phxactor.net import BaseConnection, Flusher
from phxactor.runtime import Pauses, Reason
from phxactor.transport import Upgraded
from phxactor.transport._websocket import WebSocket

LIMIT = 4096
"""Bytes of a message."""
HEAD = 14
"""Bytes of a frame's head at most."""


class Paper:
    """In place of a connection."""

    def __init__(self) -> None:
        self.said = bytearray()
        self.size = 0

    def write(self, data: bytes) -> None:
        self.said += data


class Nobody:
    """In place of the process, and of its runtime, that has the clock."""

    now = staticmethod(lambda: 0.0)
    pauses = Pauses(now)

    @property
    def runtime(self) -> Nobody:
        return self


class Noted(WebSocket):
    """Writes down what it is sent."""

    def __init__(self, upgraded: Upgraded) -> None:
        super().__init__(upgraded)
        self.messages: list[tuple[int, bytes]] = []
        self.ends: list[Reason] = []

    def take_message(self, opcode: int, data: bytes) -> None:
        assert not self.input_closed
        assert len(data) <= LIMIT
        self.messages.append((opcode, data))

    def end(self, reason: Reason) -> None:
        self.ends.append(reason)

    @property
    def kept(self) -> int:
        """Bytes that wait for the rest of their message."""
        rest = self._slicer._rest  # noqa: SLF001 - that they do not grow is what is tested
        return len(self._fragments) + len(rest or b"")


Conversation: TypeAlias = tuple[list[tuple[int, bytes]], bytes, list[Reason]]
"""Messages, what was said to the client, and how it ended."""


def converse(pieces: Iterable[bytes], *, compress: bool) -> Conversation:
    """Have a WebSocket take pieces."""
    paper = Paper()
    websocket = Noted(
        Upgraded(
            pid=cast("Pid", Nobody()),
            connection=cast("BaseConnection", paper),
            flusher=Flusher(),
            socket="Fuzzed",
            peer="192.0.2.7:50000",
            level=None,
            extensions=_extensions(compress=compress),
            options=WebSocketOptions(max_frame_size=LIMIT, timeout=float("inf")),
        )
    )
    for piece in pieces:
        websocket.take_frames(websocket.slice(piece))
        if websocket.input_closed:
            break
        assert websocket.kept <= 2 * LIMIT + HEAD
    assert len(websocket.ends) == websocket.closing
    return websocket.messages, bytes(paper.said), websocket.ends


def _extensions(*, compress: bool) -> list[Extension]:
    if not compress:
        return []
    return [
        PerMessageDeflate(
            remote_no_context_takeover=False,
            local_no_context_takeover=False,
            remote_max_window_bits=12,
            local_max_window_bits=12,
        )
    ]
