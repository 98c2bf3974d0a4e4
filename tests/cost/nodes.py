"""A cluster for counting: a carrier that takes everything and does nothing, since its own work is not part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from phxactor.cluster import LocalNode, Node
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, self_pid

OTHER: Final = Node(bytes(15) + b"\x01", "other")
"""The node that sends what is received."""


class Nowhere:
    """The carrier."""

    name: Final = "nowhere"

    def child_spec(self, node: LocalNode) -> ChildSpec:
        self.node = node
        return ChildSpec(id=self.name, start=(self._start, (), {}))

    def _start(self) -> Ok[Pid]:
        return Ok(self_pid().runtime.spawn(self._run, link=True))

    async def _run(self) -> None:
        self.node.up(self, OTHER)
        self.node.back(self)
        await trio.sleep_forever()

    def publish(self, lane: str, message: bytes) -> None:
        pass

    def publish_to_all(self, message: bytes) -> None:
        pass

    def send(self, to: bytes, message: bytes) -> bool:
        return True

    def watch(self, lanes: Sequence[str]) -> None:
        self.node.watched(self, lanes)

    def unwatch(self, lanes: Sequence[str]) -> None:
        pass

    def covers(self, node_id: bytes) -> bool:
        return False
