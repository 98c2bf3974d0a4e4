"""The tree of processes as it is now, kept up by events: nothing is looked through while nothing changes.

The first look goes through all processes, in slices. From then on, each start, end, link and name changes one place of
the tree. Ended processes stay for `MARKED` seconds, so that people see what has gone.

The rules are those of the snapshot: below a supervisor come its children, in its order; then what it has spawned. A
process whose parent has ended is below the oldest process that it is linked to. Every process is younger than the one
it is below.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from phxactor.observer._node import ROOT, Node, supervising
from phxactor.otp import events as servers
from phxactor.otp import supervisor_events as supervisors
from phxactor.runtime import Pid, Runtime, State, is_benign
from phxactor.runtime import events as processes
from phxactor.telemetry import Event

MARKED: Final = 5.0
"""Seconds for which a change is marked, and for which an ended process stays."""
MOST_ENDED: Final = 5000
"""Maximum of ended processes that stay."""


@final
class Forest:
    """All processes of a runtime, as nodes below each other."""

    def __init__(self, runtime: Runtime) -> None:
        """Start empty; `attach` follows the events, and `add` takes in a process."""
        self.runtime = runtime
        self.root = Node(None, None)
        self.nodes: dict[Pid, Node] = {}
        self.version = 0
        """Changes whenever a row has come, gone or moved."""
        self.marked: deque[tuple[float, Node, str]] = deque()
        self.ended = 0
        self.unordered: dict[Node, None] = {}
        """Supervisors whose children have changed: `settle` puts them in order."""
        self.by_event: dict[Event, Callable[[Mapping[str, Any]], None]] = {
            processes.spawned: self.on_spawned,
            processes.exited: self.on_exited,
            processes.linked: self.on_linked,
            processes.unlinked: self.on_unlinked,
            processes.named: self.on_named,
            servers.labelled: self.on_named,
            supervisors.child_started: self.on_child_started,
            supervisors.restarted: self.on_restarted,
        }

    def attach(self) -> None:
        """Follow the events of the runtime from now on."""
        for event in self.by_event:
            event.attach(self.handle)

    def detach(self) -> None:
        """Follow no more events, and let go of all nodes."""
        for event in self.by_event:
            event.detach(self.handle)
        for node in self.nodes.values():
            node.above = node.below = node.downs = None
        self.root.below = None
        self.nodes.clear()
        self.marked.clear()
        self.unordered.clear()

    def handle(self, event: Event, fields: Mapping[str, Any]) -> None:
        """Take an event, in the process that emits it; those of other runtimes are not for this forest."""
        pid = fields.get("pid")
        if isinstance(pid, Pid) and pid.runtime is self.runtime:
            self.by_event[event](fields)

    # --------------------------------------------------------------------------------------------- events

    def on_spawned(self, fields: Mapping[str, Any]) -> None:
        """Take in a new process."""
        node = self.add(fields["pid"])
        node.started = time.time()
        self.mark(node, "new")

    def on_exited(self, fields: Mapping[str, Any]) -> None:
        """Mark a process as ended, and find other places for what is below it."""
        node = self.nodes.pop(fields["pid"], None)
        if node is None:
            return
        if node.above is not None and node.above.supervising is not None:
            node.child = node.above.supervising.record_of(fields["pid"])
        self.version += 1
        node.ended = True
        self.ended += 1
        self.mark(node, "ended" if is_benign(fields["reason"]) else "crashed")
        self.unordered.pop(node, None)
        if node.above is not None and node.above.keeps_order():
            self.unordered[node.above] = None
        for child in [*(node.below or ())]:
            if child.pid is None:
                self.drop(child)
            elif child.pid.state is State.ALIVE:
                self.place(child)

    def on_linked(self, fields: Mapping[str, Any]) -> None:
        """Put a process that has neither supervisor nor parent below an older one that it is linked to from now on."""
        for pid, other in ((fields["pid"], fields["other"]), (fields["other"], fields["pid"])):
            node, above = self.nodes.get(pid), self.nodes.get(other)
            if node is None or above is None or node.relation == "supervised" or other.number > pid.number:
                continue
            if pid.parent is other:
                node.relation = "linked"
            elif not_below_a_parent(pid) and (
                node.above is None or node.above.pid is None or other.number < node.above.pid.number
            ):
                self.move(node, above, "linked")

    def on_unlinked(self, fields: Mapping[str, Any]) -> None:
        """Find a new place for a process that was below another one by a link."""
        for pid, other in ((fields["pid"], fields["other"]), (fields["other"], fields["pid"])):
            node = self.nodes.get(pid)
            if node is not None and node.relation == "linked" and node.above is self.nodes.get(other):
                self.place(node)

    def on_named(self, fields: Mapping[str, Any]) -> None:
        """Note that a process has a new name or label."""
        node = self.nodes.get(fields["pid"])
        if node is not None:
            node.text = None
            if node.pid is not None and node.pid.name is not None:
                node.name = node.pid.name
            self.version += 1

    def on_child_started(self, fields: Mapping[str, Any]) -> None:
        """Put a process below its supervisor."""
        supervisor, pid = fields["supervisor"], fields["pid"]
        above = self.add(supervisor)
        above.supervising = supervising(supervisor)
        if above.keeps_order():
            self.unordered[above] = None
        if pid.number > supervisor.number and pid.state is not State.DEAD:
            self.move(self.add(pid), above, "supervised")

    def on_restarted(self, fields: Mapping[str, Any]) -> None:
        """Mark a process that its supervisor has started again."""
        node = self.nodes.get(fields["pid"])
        if node is not None:
            self.mark(node, "restarted")

    # --------------------------------------------------------------------------------------------- places

    def add(self, pid: Pid) -> Node:
        """Return the node of a process, made if it is not known yet; what is above it is made too."""
        node = self.nodes.get(pid)
        if node is not None:
            return node
        lacking = [pid]  # without recursion: a chain of processes may exceed Python's limit
        while (over := over_of(lacking[-1])[0]) is not None and over not in self.nodes:
            lacking.append(over)
        for one in reversed(lacking):
            node = self.nodes[one] = Node(one, None)
            node.name = one.name
            node.supervising = supervising(one)
            self.place(node)
            if node.keeps_order():
                self.unordered[node] = None
        assert node is not None  # noqa: S101 - `lacking` is not empty
        return node

    def place(self, node: Node) -> None:
        """Put a node below the process that is above it now, unless a supervisor keeps it."""
        assert node.pid is not None  # noqa: S101 - children that do not run stay where they are
        over, relation = over_of(node.pid)
        above = self.root if over is None else self.nodes.get(over, self.root)
        if above.supervising is not None and above.supervising.record_of(node.pid) is not None:
            relation = "supervised"
        self.move(node, above, relation)

    def move(self, node: Node, above: Node, relation: str) -> None:
        """Put a node below another."""
        node.relation = relation
        if node.above is above:
            return
        node.leave()
        node.join(above)
        self.version += 1

    def drop(self, node: Node) -> None:
        """Take a node out of the tree, with the ended ones below it; those that run have moved."""
        self.version += 1
        node.leave()

    # ---------------------------------------------------------------------------------------------- marks

    def mark(self, node: Node, mark: str) -> None:
        """Mark a node for `MARKED` seconds."""
        node.mark = mark
        self.marked.append((self.runtime.now() + MARKED, node, mark))
        while self.ended > MOST_ENDED:
            self.expire(*self.marked.popleft()[1:])

    def expire(self, node: Node, mark: str) -> None:
        """Take a mark away, and an ended process with it."""
        if node.ended:
            if mark in ("ended", "crashed"):
                self.ended -= 1
                if node.above is not None:
                    self.drop(node)
        elif node.mark == mark:
            node.mark = None

    def settle(self) -> None:
        """Let old marks expire, and put the children of supervisors in their order."""
        now = self.runtime.now()
        while self.marked and self.marked[0][0] <= now:
            _, node, mark = self.marked.popleft()
            self.expire(node, mark)
        waiting, self.unordered = self.unordered, {}
        for node in waiting:
            if node.order(self.nodes):
                self.version += 1
            if node.downs:
                self.unordered[node] = None  # a child that is down may be deleted, of which there is no event


def not_below_a_parent(pid: Pid) -> bool:
    """Say whether the process that has spawned a process has ended."""
    return pid.parent is None or pid.parent.state is State.DEAD


def over_of(pid: Pid) -> tuple[Pid | None, str]:
    """Return the process above one that is no supervisor's child: its parent, or else the oldest of its links."""
    parent, links = pid.parent, pid.links or {}
    if parent is not None and parent.state is not State.DEAD:
        return parent, "linked" if parent in links else "spawned"
    oldest = min(links, key=lambda other: other.number, default=pid)
    return (oldest, "linked") if oldest.number < pid.number else (None, ROOT)
