"""Nodes of a simulated cluster whose first processes subscribe and broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from phxactor.pubsub import PubSub
from phxactor.runtime import Exited
from phxactor.testing import SimulatedNode, settle

T = TypeVar("T")


async def do(node: SimulatedNode, function: Callable[..., T], *args: object) -> T:
    """Call a function in a process of a node, and wait until all nodes have taken what it has said."""

    async def call() -> T:
        return function(*args)

    result = await node.run(call)
    await settle()
    return result


async def subscribe(pubsub: PubSub, topic: str, *among: SimulatedNode) -> None:
    """Subscribe the first process of each node, and wait until the others know."""
    for one in among:
        await do(one, lambda node=one: pubsub.subscribe(topic, pid=node.runtime.main))


def taken(*nodes: SimulatedNode) -> list[list[object]]:
    """Take what waits for the first process of each node."""
    found = []
    for one in nodes:
        found.append([message for message in one.runtime.main.mailbox if type(message) is not Exited])
        one.runtime.main.mailbox.clear()
    return found
