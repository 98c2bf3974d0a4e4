"""Who takes the messages of each kind that have come from other nodes: plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from phxactor.envelope import Kind

if TYPE_CHECKING:
    from phxactor.cluster._node import Node
    from phxactor.envelope import Message

Handler: TypeAlias = "Callable[[Node | None, Message], object]"
"""Takes a message of one kind: its sender, None if that is no node that is up (such as an emitter), and the message.
Raises EnvelopeError for a message that is wrong, which is counted as such."""


class Handlers(dict[int, Handler]):
    """The handler of each kind of message."""

    def __init__(self) -> None:
        """Start without any. Signals that come before somebody takes them are dropped: their senders ask again."""
        super().__init__({Kind.SIGNALS: _not_yet})

    def add(self, kind: int, handler: Handler) -> None:
        """Let a function have the messages of a kind. Raises ValueError if another function has them."""
        if self.get(kind) is _not_yet:
            del self[kind]
        known = self.setdefault(kind, handler)
        if known != handler:
            raise ValueError(f"messages of kind {kind} are handled by {known!r}")

    def remove(self, kind: int, handler: Handler) -> None:
        """Undo `add`; nothing if another function has the kind."""
        if self.get(kind) == handler:
            del self[kind]


def _not_yet(_sender: Node | None, _message: Message) -> None:
    """Drop a message."""
