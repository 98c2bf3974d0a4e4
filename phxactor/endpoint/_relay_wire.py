"""The wire of a relay: frames to other nodes, and the flow of data to each of them."""

from __future__ import annotations

from typing import Final, final

from phxactor.cluster import LocalNode
from phxactor.endpoint._relay_flow import Flow
from phxactor.endpoint._relay_frames import CHUNK, Frame, Verb, to_message

HEADS: Final = 64
"""Bytes that a message with data may have, beside the data and the endpoint's name."""


@final
class Wire:
    """What a relay says to other nodes."""

    def __init__(self, node: LocalNode, scope: str) -> None:
        self._node = node
        self._scope = scope
        self._chunk = min(CHUNK, node.max_message_bytes - HEADS - len(scope.encode()))
        self._flows: dict[bytes, Flow] = {}

    @property
    def transfers(self) -> int:
        """Number of bodies and answers that are not yet sent whole."""
        return sum(map(len, self._flows.values()))

    def say(self, node_id: bytes, frame: Frame) -> bool:
        """Send a frame; return whether there is a way to the node. Raises ValueError if the node refuses its size."""
        return self._node.send(node_id, to_message(frame, self._scope))

    def stream(self, node_id: bytes, verb: Verb, number: int, data: bytes) -> None:
        """Send data in parts, as the other node takes them."""
        self._flow(node_id).add(verb, number, data)
        self._pump(node_id)

    def drop(self, node_id: bytes, number: int) -> None:
        """Send nothing more of a request's data."""
        flow = self._flows.get(node_id)
        if flow is not None:
            flow.drop(number)

    def came(self, node_id: bytes, size: int) -> None:
        """Note that data has come, and acknowledge it."""
        acknowledged = self._flow(node_id).came(size)
        if acknowledged:
            self.say(node_id, Frame(Verb.ACK, value=acknowledged))

    def acknowledge(self, node_id: bytes, size: int) -> None:
        """Note that data has reached the other node, and send more."""
        self._flow(node_id).acknowledge(size)
        self._pump(node_id)

    def forget(self, node_id: bytes) -> None:
        """Note that what was on its way may be lost; transfers go on, for requests that are not over."""
        flow = self._flows.get(node_id)
        if flow is not None:
            flow.forget()
            self._pump(node_id)

    def end(self, node_id: bytes) -> None:
        """Drop all transfers to a node."""
        self._flows.pop(node_id, None)

    def _flow(self, node_id: bytes) -> Flow:
        flow = self._flows.get(node_id)
        if flow is None:
            flow = self._flows[node_id] = Flow(self._chunk)
        return flow

    def _pump(self, node_id: bytes) -> None:
        flow = self._flows[node_id]
        while (frame := flow.next()) is not None:
            if not self.say(node_id, frame):
                self.end(node_id)
                return
