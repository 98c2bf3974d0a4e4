"""Workers: the carrier between the workers of one parent. Each pair of workers has a line, which the parent makes.

    workers.add_line(node, sock)     by the process that hears the parent (`_control_process`), for each other worker

One process (`_lines_process`) reads all lines. Lines are written at the end of each pass of the scheduler, with one
system call each. A process for each line would cost a task switch and a system call more for each read, and could do
nothing alone: the lines share what is watched, and who has confirmed it. Lines outlive a crash of the process.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Final, final

from phxactor.cluster import Beats, DownReason, LocalNode, Node
from phxactor.cluster.carriers.workers._confirmations import Confirmations
from phxactor.cluster.carriers.workers._line import Line
from phxactor.cluster.carriers.workers._lines_process import LinesProcess
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, self_pid

NAME: Final = "workers"


def _nothing(_: bytes) -> None:
    """Do nothing."""


@final
class Workers:
    """The lines of one node: a `Carrier`. It takes part in one cluster at a time."""

    name: Final = NAME

    def __init__(self) -> None:
        """Begin without lines."""
        self.lines: Final[dict[bytes, Line]] = {}
        """The open lines by the id of the other node."""
        self.dirty: Final[list[Line]] = []
        """The lines with something to write."""
        self.on_lost: Callable[[bytes], object] = _nothing
        """Called with the id of a node whose line has ended, unless the node has said goodbye."""
        self.on_listed: Callable[[bytes], object] = _nothing
        """Called with the id of a node whose lanes are known: what is published here reaches it."""
        self._confirmations = Confirmations()
        self._cut: dict[bytes, float] = {}
        """When nodes were last heard whose lines broke: a new line to one of them begins with a gap."""
        self._node: LocalNode
        self._beats: Beats
        self._process: LinesProcess | None = None
        """The process, while it runs."""

    # ----------------------------------------------------------------------------------- for the worker

    def add_line(self, node: Node, sock: socket.socket) -> None:
        """Take a line to another node: a connected stream socket, which the carrier closes.

        It replaces an older line to the same node. While the carrier's process does not run, the line waits for it.
        """
        self._remove(node.id)
        self.lines[node.id] = line = Line(node, sock)
        if self._process is not None:
            self._open(line)

    def remove_line(self, node_id: bytes) -> None:
        """Close the line to a node that has ended, when all that it has sent is handled; an unknown id is ignored."""
        self._remove(node_id)
        self._cut.pop(node_id, None)

    def count_listed(self) -> int:
        """Count the nodes whose lanes are known: what is published here reaches them."""
        return sum(line.is_listed for line in self.lines.values())

    # ------------------------------------------------------------------------------- called by LocalNode

    def child_spec(self, node: LocalNode) -> ChildSpec:
        """Return the child specification of the process of all lines."""
        return ChildSpec(id=NAME, start=(self._start_link, (node,), {}))

    def publish(self, lane: str, message: bytes) -> None:
        """Write a message to all nodes that watch a lane, at the end of this pass."""
        for line in self.lines.values():
            if lane in line.lanes:
                self._post(line, message)

    def publish_to_all(self, message: bytes) -> None:
        """Write a message to all nodes, at the end of this pass."""
        for line in self.lines.values():
            if not line.has_left:
                self._post(line, message)

    def send(self, to: bytes, message: bytes) -> bool:
        """Write a message to one node, at the end of this pass. Returns False if there is no line to it."""
        line = self.lines.get(to)
        if line is None or not line.is_up:
            return False
        self._post(line, message)
        return True

    def watch(self, lanes: Sequence[str]) -> None:
        """Tell all nodes that this node watches lanes."""
        confirmations = self._confirmations
        confirmations.batch += 1
        for line in self.lines.values():
            line.told.watch(lanes, confirmations.batch)
            self.mark(line)
        if self._process is not None:  # else the carrier is away, and nobody waits for it
            confirmations.wait_for(lanes)
            self._settle()

    def unwatch(self, lanes: Sequence[str]) -> None:
        """Tell all nodes that this node watches lanes no more."""
        for line in self.lines.values():
            line.told.unwatch(lanes)
            self.mark(line)

    def covers(self, node_id: bytes) -> bool:
        """Say whether a node is a worker of the same parent: its messages come by a line, or not at all."""
        return node_id.startswith(self._node.identity.group)

    # --------------------------------------------------------------------------- called by the process

    def begin(self, process: LinesProcess) -> None:
        """Open the lines that are there already: of the start, or of a process that has crashed."""
        self._process = process
        self._beats = Beats(self._node.runtime.now())
        self._confirmations.forget()
        self._node.back(self)
        for line in list(self.lines.values()):
            if line.is_up:  # the process before has crashed: `LocalNode` has called these nodes down
                line.is_up = line.is_silent = False
                self._cut[line.node.id] = line.heard
            self._open(line)

    def end(self) -> None:
        """Note that the process has ended; the lines are kept for the next one."""
        self._process = None

    def heard(self, line: Line) -> None:
        """Note that something has come: the node is up, or up again."""
        if line.has_left:
            return
        now = self._node.runtime.now()
        line.since, line.heard = line.heard, now
        self._beats.heard[line.node.id] = now
        if not line.is_up:
            self._up(line)

    def _up(self, line: Line) -> None:
        cut = self._cut.pop(line.node.id, None)
        missed = line.was_up or cut is not None
        line.is_silent = False
        line.is_up = line.was_up = True
        if not line.outbox.open:
            line.outbox.reopen()
            self.mark(line)
        self._node.up(self, line.node)
        if missed:
            line.since = line.since if cut is None else cut
            self.missed(line)

    def beat(self) -> None:
        """Send a beat on each line, and call silent nodes down; to be called after all that has come was read."""
        for line in self.lines.values():
            line.outbox.beat()
            self.mark(line)
        for node_id in self._beats.silent(self._node.runtime.now()):
            self._beats.forget(node_id)
            line = self.lines[node_id]
            line.is_silent = True
            self._down(line, "silent")
            self._drop(line, "silent")
        self._settle()

    def say_goodbye(self) -> None:
        """Say goodbye on each line, after all that waits."""
        for line in self.lines.values():
            line.outbox.goodbye()
            self.mark(line)

    def flush(self) -> None:
        """Write what was marked."""
        marked = self.dirty[:]
        self.dirty.clear()
        process, lanes = self._process, self._node.lanes
        for line in marked:
            line.dirty = False
            if line.writable and not line.flush(lanes) and process is not None:
                line.writable = False
                process.await_writable(line)

    def mark(self, line: Line) -> None:
        """Have a line written at the end of this pass; lines call it too."""
        if not line.dirty:
            line.dirty = True
            self.dirty.append(line)

    def close(self, line: Line, *, told: bool = True) -> None:
        """Close a line that has ended, and call its node down; `on_lost` is `told` unless the node said goodbye."""
        node_id = line.node.id
        if self.lines.get(node_id) is not line:
            return
        del self.lines[node_id]
        if self._process is not None:
            self._process.forget(line)
        line.close()
        if line.was_up and not line.has_left:
            self._cut[node_id] = line.heard
        self._drop(line, "lost")
        if self._process is not None:
            self._beats.forget(node_id)
            self._down(line, "lost")
            self._settle()
            if told and not line.has_left:
                self.on_lost(node_id)

    def close_all(self) -> None:
        """Close all lines: the node has ended."""
        for line in self.lines.values():
            line.close()
        self.lines.clear()
        self.dirty.clear()

    # ---------------------------------------------------------------------------- called by the lines

    def message(self, line: Line, message: bytes) -> None:
        """Hand on a message."""
        self._node.received(self, line.node.id, message)

    def missed(self, line: Line) -> None:
        """Tell a gap."""
        since = self._beats.missed_since(line.since, self._node.runtime.now())
        self._node.gap(self, line.node.id, since)

    def too_large(self, line: Line) -> None:
        """Count a message that is above the limit here."""
        self._node.refused(self, "size")
        self.missed(line)

    def listed(self, line: Line) -> None:
        """Tell that what is published here reaches the node."""
        self.on_listed(line.node.id)

    def confirmed(self, _: Line) -> None:
        """Tell which lanes are confirmed by all."""
        self._settle()

    def left(self, line: Line) -> None:
        """Call the node down: it ends in order, and takes nothing more."""
        line.lanes.clear()
        self._beats.forget(line.node.id)
        self._down(line, "left")
        self._drop(line, "left")

    # ------------------------------------------------------------------------------------------ private

    def _start_link(self, node: LocalNode) -> Ok[Pid]:
        self._node = node
        process = LinesProcess(self, node)
        return Ok(self_pid().runtime.spawn(process.run, link=True, initial_call="Workers"))

    def _open(self, line: Line) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - the callers see to it
        line.limit(self._node.max_message_bytes)
        line.heard = self._node.runtime.now()
        self._beats.heard[line.node.id] = line.heard
        process.listen(line)
        self.mark(line)

    def _remove(self, node_id: bytes) -> None:
        line = self.lines.get(node_id)
        if line is not None:
            if self._process is not None:
                self._process.exhaust(line)
            self.close(line, told=False)

    def _post(self, line: Line, message: bytes) -> None:
        if line.outbox.add(message):
            if not line.dirty:
                line.dirty = True
                self.dirty.append(line)
        else:
            self._node.dropped(self, "silent" if line.is_silent else "slow", 1, len(message))
            self.mark(line)

    def _drop(self, line: Line, why: str) -> None:
        messages, size = line.outbox.drop()
        if messages:
            self._node.dropped(self, why, messages, size)

    def _down(self, line: Line, reason: DownReason) -> None:
        if line.is_up:
            line.is_up = False
            self._node.down(self, line.node.id, reason)

    def _settle(self) -> None:
        for lanes in self._confirmations.settled(self.lines.values()):
            self._node.watched(self, lanes)
