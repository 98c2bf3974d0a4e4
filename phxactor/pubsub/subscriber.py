"""A subscription, and what hands messages to subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias, final

if TYPE_CHECKING:
    from phxactor.runtime import Pid


@final
class Subscriber:
    """One subscription: its process, the metadata that the process gave, and whom a dispatcher may hand messages to."""

    __slots__ = ("metadata", "pid", "through")

    def __init__(self, pid: Pid, metadata: object, through: Pid) -> None:
        """Keep all three."""
        self.pid = pid
        self.metadata = metadata
        self.through = through


Dispatcher: TypeAlias = Callable[[Iterable[Subscriber], "Pid | None", object], None]
"""Hands a message to subscribers, but for those of the process that is left out: `(subscribers, left_out, message)`."""


def to_mailboxes(subscribers: Iterable[Subscriber], left_out: Pid | None, message: object) -> None:
    """Send the message itself to every subscriber: the dispatcher unless another is given."""
    for subscriber in subscribers:
        if subscriber.pid is not left_out:
            subscriber.pid.deliver(message)
