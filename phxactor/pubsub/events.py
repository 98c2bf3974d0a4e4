"""The telemetry events of broadcasts."""

from __future__ import annotations

from typing import Final

from phxactor.telemetry import Event

broadcast_started: Final = Event(
    "phxactor.pubsub.broadcast.start",
    "A message is about to be handed to the subscribers of a topic: pubsub (its name), topic, event (of channels, else "
    "None), message, origin (here, or node if another node has sent it), crosses (whether it goes to other nodes too), "
    "sender (that node).",
)
broadcast_stopped: Final = Event(
    "phxactor.pubsub.broadcast.stop",
    "A message was handed to the subscribers of a topic: pubsub, topic, event, origin, crosses, receivers "
    "(subscriptions here), seconds, outcome (ok or failed).",
)
