"""Being told of other nodes: messages in the mailbox of a process.

monitor_nodes()

async def handle_info(self, message):
    match message:
        case NodeUp(node) | NodeDown(node):
            print(node, "has come or gone")
        case Gap():
            print("messages of other nodes were lost: read the state anew")
"""

from __future__ import annotations

from typing import final

import attrs

from phxactor.cluster._carrier import DownReason
from phxactor.cluster._node import Node
from phxactor.runtime import Pid, disown, own


@attrs.frozen
class NodeUp:
    """Another node is up."""

    node: Node


@attrs.frozen
class NodeDown:
    """No carrier reaches a node any more."""

    node: Node
    reason: DownReason


@attrs.frozen
class Gap:
    """Messages of other nodes were lost on their way here: what a process knows from broadcasts may be out of date."""

    node: Node | None
    """The node whose messages were lost; None if they may have been those of any node of the carrier."""
    carrier: str
    """The name of the carrier that lost them."""
    since: float
    """When something was last heard before, in seconds of the runtime's clock; of a node that was stopped itself
    (SIGSTOP, a suspended machine), when that began."""


@final
class Monitors:
    """The processes that are told of nodes, and whether of gaps too."""

    __slots__ = ("_processes",)

    def __init__(self) -> None:
        self._processes: dict[Pid, bool] = {}

    def add(self, pid: Pid, *, gaps: bool) -> None:
        """Tell a process from now on, until it ends."""
        if pid not in self._processes:
            own(pid, self._release)
        self._processes[pid] = gaps

    def remove(self, pid: Pid) -> None:
        """Tell a process no more."""
        if self._processes.pop(pid, None) is not None:
            disown(pid, self._release)

    def tell(self, message: NodeUp | NodeDown | Gap) -> None:
        """Put a message into the mailboxes."""
        is_gap = type(message) is Gap
        for pid, gaps in list(self._processes.items()):
            if gaps or not is_gap:
                pid.deliver(message)

    def end(self) -> None:
        """Tell nobody any more."""
        for pid in list(self._processes):
            self.remove(pid)

    def _release(self, pid: Pid) -> None:
        self._processes.pop(pid, None)
