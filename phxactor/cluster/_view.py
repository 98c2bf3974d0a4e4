"""The view: which nodes this node sees, and by which carriers. Pure."""

from __future__ import annotations

from typing import final

from phxactor.cluster._node import Node


@final
class View:
    """The nodes that one node sees. A node is up while at least one carrier reaches it."""

    __slots__ = ("_by_carrier", "nodes")

    def __init__(self) -> None:
        self.nodes: dict[bytes, Node] = {}
        """All nodes by id, the oldest first."""
        self._by_carrier: dict[str, dict[bytes, None]] = {}

    def up(self, carrier: str, node: Node) -> bool:
        """Note that a carrier reaches a node. Returns whether the node is new."""
        self._by_carrier.setdefault(carrier, {})[node.id] = None
        if node.id in self.nodes:
            return False
        self.nodes[node.id] = node
        return True

    def down(self, carrier: str, node_id: bytes) -> Node | None:
        """Note that a carrier no longer reaches a node. Returns the node if no other carrier reaches it."""
        reached = self._by_carrier.get(carrier)
        if reached is None or node_id not in reached:
            return None
        del reached[node_id]
        if any(node_id in others for others in self._by_carrier.values()):
            return None
        return self.nodes.pop(node_id)

    def reached(self, carrier: str) -> list[bytes]:
        """List the ids of the nodes that a carrier reaches."""
        return list(self._by_carrier.get(carrier, ()))
