"""The view: which nodes this node sees, and by which carriers; it tells events and those who monitor nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, final

from phxactor.cluster import events
from phxactor.cluster._monitoring import Gap, Monitors, NodeDown, NodeUp
from phxactor.cluster._node import Node

if TYPE_CHECKING:
    from phxactor.cluster._carrier import DownReason


class Observer(Protocol):
    """What is called with each node that comes or goes, in order with what processes are told."""

    def up(self, node: Node) -> None:
        """Note that a node is up."""

    def down(self, node: Node, reason: DownReason, /) -> None:
        """Note that a node is down."""

    def end(self) -> None:
        """Note that this node ends."""


@final
class View:
    """The nodes that one node sees. A node is up while at least one carrier reaches it."""

    __slots__ = ("_by_carrier", "monitors", "nodes", "observers")

    def __init__(self) -> None:
        """Start without nodes."""
        self.monitors = Monitors()
        self.nodes: dict[bytes, Node] = {}
        """All nodes by id, the oldest first."""
        self.observers: list[Observer] = []
        """Called after the processes that monitor nodes are told that one is up, and before they are told that one is
        down: so what a node has said comes between its NodeUp and its NodeDown."""
        self._by_carrier: dict[str, dict[bytes, None]] = {}

    def up(self, carrier: str, node: Node) -> None:
        """Note that a carrier reaches a node."""
        self._by_carrier.setdefault(carrier, {})[node.id] = None
        if node.id in self.nodes:
            return
        self.nodes[node.id] = node
        if events.node_up.handlers:
            events.node_up.emit(node=node, carrier=carrier)
        self.monitors.tell(NodeUp(node))
        for one in self.observers:
            one.up(node)

    def down(self, carrier: str, node_id: bytes, reason: DownReason) -> None:
        """Note that a carrier no longer reaches a node, if it did: the node is down if no other one reaches it."""
        reached = self._by_carrier.get(carrier)
        if reached is None or node_id not in reached:
            return
        del reached[node_id]
        if any(node_id in others for others in self._by_carrier.values()):
            return
        node = self.nodes.pop(node_id)
        if reason == "left":
            if events.node_left.handlers:
                events.node_left.emit(node=node, carrier=carrier)
        elif events.node_down.handlers:
            events.node_down.emit(node=node, carrier=carrier, reason=reason)
        for one in self.observers:
            one.down(node, reason)
        self.monitors.tell(NodeDown(node, reason))

    def gap(self, carrier: str, sender_id: bytes | None, since: float, now: float) -> None:
        """Tell that messages of a node were lost; None, or a sender that is no node that is up, is told as None."""
        node = None if sender_id is None else self.nodes.get(sender_id)
        if events.gap.handlers:
            events.gap.emit(node=node, carrier=carrier, seconds=now - since)
        self.monitors.tell(Gap(node, carrier, since))

    def cut(self, node: Node, now: float) -> None:
        """Tell that signals of a node that is up were lost, so that links and monitors over the line have ended."""
        self.monitors.tell(Gap(node, "signals", now))

    def end(self) -> None:
        """End with the node."""
        for one in self.observers:
            one.end()
        self.observers.clear()

    def reached(self, carrier: str) -> list[bytes]:
        """List the ids of the nodes that a carrier reaches."""
        return list(self._by_carrier.get(carrier, ()))
