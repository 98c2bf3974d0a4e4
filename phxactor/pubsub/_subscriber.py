"""A subscription, and the dispatchers that hand messages to subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias, final

if TYPE_CHECKING:
    from phxactor.runtime import Pid


@final
class Subscriber:
    """One subscription.

    `pid` is the subscribed process, `metadata` the object given to `subscribe`, and `through` the process to which a
    dispatcher may hand messages instead.
    """

    __slots__ = ("metadata", "pid", "through")

    def __init__(self, pid: Pid, metadata: object, through: Pid) -> None:
        """Store the pid, the metadata and the process to deliver through."""
        self.pid = pid
        self.metadata = metadata
        self.through = through


Dispatcher: TypeAlias = Callable[[Iterable[Subscriber], "Pid | None", object], None]
"""A function `(subscribers, left_out, message)`: hands the message to all subscribers whose pid is not `left_out`."""


def to_mailboxes(subscribers: Iterable[Subscriber], left_out: Pid | None, message: object) -> None:
    """Put the message into every subscriber's mailbox. This is the default dispatcher."""
    for subscriber in subscribers:
        if subscriber.pid is not left_out:
            subscriber.pid.deliver(message)
