"""The smallest carrier: it calls the other nodes of this program directly. For tests of `LocalNode`."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from phxactor.cluster import LocalNode
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, self_pid


class InMemory:
    """A carrier between the runtimes of one loop, by plain calls; every node hears of all lanes that it watches."""

    def __init__(self, others: list[InMemory], name: str = "memory") -> None:
        self.name = name
        self.others = others
        self.node: LocalNode
        self.watched: set[str] = set()
        self.calls: list[tuple[str, object]] = []
        self.confirms = True
        self.group: bytes | None = None
        others.append(self)

    def child_spec(self, node: LocalNode) -> ChildSpec:
        self.node = node
        return ChildSpec(id=self.name, start=(self._start_link, (), {}))

    def _start_link(self) -> Ok[Pid]:
        return Ok(self_pid().runtime.spawn(self._run, link=True))

    async def _run(self) -> None:
        self.watched = set(self.node.lanes())
        self.node.back(self)
        for one in self._connected():
            one.node.up(one, self.node.identity)
            self.node.up(self, one.node.identity)
        await trio.sleep_forever()

    def publish(self, lane: str, message: bytes) -> None:
        for one in self._connected():
            if lane in one.watched:
                one.node.received(one, self.node.id, message)

    def publish_to_all(self, message: bytes) -> None:
        for one in self._connected():
            one.node.received(one, self.node.id, message)

    def send(self, to: bytes, message: bytes) -> bool:
        for one in self._connected():
            if one.node.id == to:
                one.node.received(one, self.node.id, message)
                return True
        return False

    def watch(self, lanes: Sequence[str]) -> None:
        self.calls.append(("watch", list(lanes)))
        self.watched.update(lanes)
        if self.confirms:
            self.node.watched(self, lanes)

    def unwatch(self, lanes: Sequence[str]) -> None:
        self.calls.append(("unwatch", list(lanes)))
        self.watched.difference_update(lanes)

    def covers(self, node_id: bytes) -> bool:
        return self.group is not None and node_id.startswith(self.group)

    def _connected(self) -> list[InMemory]:
        return [one for one in self.others if one is not self and hasattr(one, "node")]
