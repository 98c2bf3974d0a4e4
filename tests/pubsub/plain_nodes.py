"""Subscribers of plain messages on several nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from phxactor.pubsub import PubSub
from phxactor.testing import Nodes, SimulatedNode, cluster
from tests.pubsub.nodes import subscribe

NEWS = PubSub("news")


OTHER = PubSub("other")


def news(count: int, delay: float = 0.0) -> AbstractAsyncContextManager[Nodes]:
    """Open a cluster whose nodes run both PubSubs."""
    return cluster(count, children=lambda: [NEWS, OTHER], delay=delay)


async def subscribed(*among: SimulatedNode, topic: str = "t", pubsub: PubSub = NEWS) -> None:
    await subscribe(pubsub, topic, *among)


def watched(node: SimulatedNode) -> list[tuple[str, list[str]]]:
    """Return a list that gets what the carrier of a node is asked for from now on."""
    calls: list[tuple[str, list[str]]] = []
    (carrier,) = node.carriers
    for name in ("watch", "unwatch"):
        function = getattr(carrier, name)

        def call(lanes: Sequence[str], name: str = name, function: Callable[[Sequence[str]], None] = function) -> None:
            calls.append((name, list(lanes)))
            function(lanes)

        setattr(carrier, name, call)
    return calls


circle: list[object] = []


deep: object = 1
