"""The span of a broadcast: to how many it went, and how long that took; measured only while somebody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from phxactor.pubsub.events import broadcast_started, broadcast_stopped
from phxactor.runtime import current_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from phxactor.cluster import Node
    from phxactor.pubsub._tables import Tables
    from phxactor.runtime import Pid


@final
class Spans:
    """Whether somebody listens: one attribute, for the way of every broadcast."""

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False

    def switch(self) -> None:
        """Look whether somebody listens."""
        self.on = bool(broadcast_started.handlers or broadcast_stopped.handlers)

    def around(
        self,
        tables: Tables,
        topic: str,
        left_out: Pid | None,
        message: object,
        hand_out: Callable[[], object],
        *,
        crosses: bool,
        origin: str = "here",
        sender: Node | None = None,
    ) -> None:
        """Hand a message out, and tell when that begins and ends."""
        now = current_runtime().now
        began, outcome = now(), "failed"
        event = getattr(message, "event", None)
        if type(event) is not str:
            event = None
        receivers = len(tables.topics.get(topic, ())) - (left_out is not None and tables.has(topic, left_out))
        name = tables.scope
        if broadcast_started.handlers:
            broadcast_started.emit(
                pubsub=name,
                topic=topic,
                event=event,
                message=message,
                origin=origin,
                crosses=crosses,
                sender=sender,
            )
        try:
            hand_out()
            outcome = "ok"
        finally:
            if broadcast_stopped.handlers:
                broadcast_stopped.emit(
                    pubsub=name,
                    topic=topic,
                    event=event,
                    origin=origin,
                    crosses=crosses,
                    receivers=receivers,
                    seconds=now() - began,
                    outcome=outcome,
                )


spans: Final = Spans()
broadcast_started.on_switch(spans.switch)
broadcast_stopped.on_switch(spans.switch)
