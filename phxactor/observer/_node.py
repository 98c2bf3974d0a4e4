"""A node of the tree: a process, or a supervisor's child that does not run."""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_
from typing import Final, final

from phxactor.observer._texts import text
from phxactor.otp import SupervisedChild, SupervisingProcess, SupervisorProcess
from phxactor.runtime import Pid, State

ROOT: Final = "root"
_BUSY: Final = "busy"


@final
class Node:
    """A row of the tree, shown or not."""

    __slots__ = (
        "above",
        "below",
        "child",
        "downs",
        "ended",
        "inner",
        "mark",
        "name",
        "pid",
        "relation",
        "started",
        "supervising",
        "text",
    )

    def __init__(self, pid: Pid | None, child: SupervisedChild | None) -> None:
        """Make a node that has no place yet."""
        self.pid = pid
        self.child = child
        """The record of a supervised child that does not run, or has ended; None for a process that runs."""
        self.above: Node | None = None
        self.below: dict[Node, None] | None = None
        """What is below it, in order; None for nothing."""
        self.inner = 0
        """How many of those have something below them."""
        self.downs: dict[SupervisedChild, Node] | None = None
        """Its children that do not run; None for none."""
        self.relation = ROOT
        self.name: str | None = None
        """The name, which a process has no more once it has ended."""
        self.supervising: SupervisingProcess | None = None  # type: ignore[type-arg]
        self.mark: str | None = None
        self.ended = False
        self.started: float | None = None
        """When it started, in unix seconds; None if that was before anybody looked."""
        self.text: str | None = None
        """What a search looks in, in lower case; None until it is made."""

    def keeps_order(self) -> bool:
        """Say whether its children have an order, and stay as rows while they do not run."""
        return isinstance(self.supervising, SupervisorProcess)

    def join(self, above: Node) -> None:
        """Take the last place below another node."""
        self.above = above
        if above.below is None:
            above.below = {}
        if not above.below and above.above is not None:
            above.above.inner += 1
        above.below[self] = None
        if self.below:
            above.inner += 1

    def leave(self) -> None:
        """Leave the place."""
        above, self.above = self.above, None
        if above is None or above.below is None:
            return
        del above.below[self]
        if self.below:
            above.inner -= 1
        if not above.below and above.above is not None:
            above.above.inner -= 1

    def order(self, nodes: Mapping[Pid, Node]) -> bool:
        """Put its children in the supervisor's order, those that do not run too; say whether anything has changed."""
        process, before = self.supervising, self.below or {}
        if process is None or self.ended:
            return False
        ordered: dict[Node, None] = {}
        records = dict.fromkeys(process.records())
        downs, self.downs = self.downs or {}, {}
        for record in records:
            node = None if record.pid is None or record.restarting else nodes.get(record.pid)
            if node is None:
                node = self.downs[record] = downs[record] if record in downs else Node(None, record)
            if node.above is None or node.above is self:  # else it is older than its supervisor
                node.above, node.relation = self, "supervised"
                ordered[node] = None
        for node in before:
            if node not in ordered:
                if node.child is None or (node.ended and node.child not in records):
                    ordered[node] = None
                else:
                    node.above = None  # its child runs again, is down, or is deleted
        self.inner = sum(bool(node.below) for node in ordered)
        if len(ordered) == len(before) and all(map(is_, ordered, before)):
            return False
        self.below = ordered
        if bool(ordered) != bool(before) and self.above is not None:
            self.above.inner += 1 if ordered else -1
        return True

    # ---------------------------------------------------------------------------------------------- shown

    def key(self) -> str:
        """Return the text that names the row as long as it exists."""
        if self.pid is not None:
            return f"p{self.pid.number}"
        above = self.above
        number = 0 if above is None or above.pid is None else above.pid.number
        return f"c{number}.{text(self.id())}"

    def id(self) -> object:
        """Return the child's id; None without one."""
        above, record = self.above, self.record()
        return None if above is None or above.supervising is None or record is None else above.supervising.id_of(record)

    def record(self) -> SupervisedChild | None:
        """Return its supervisor's record of it; None if it is no supervised child."""
        above = self.above
        if self.child is not None or above is None or above.supervising is None or self.pid is None:
            return self.child
        return above.supervising.record_of(self.pid)

    def status(self) -> str:
        """Return the status, as in a snapshot."""
        pid = self.pid
        if pid is None:
            return "restarting" if self.child is not None and self.child.restarting else "down"
        if self.ended or pid.state is State.DEAD:
            return "ended"
        if pid.state is not State.ALIVE:
            return "exiting"
        if pid.port is not None:
            return "port"
        return "waiting" if pid.statistics().receiving else _BUSY

    def searched(self) -> str:
        """Return the text that a search looks in, in lower case; the number is compared apart, and whole."""
        if self.text is None:
            pid, id_ = self.pid, self.id()
            parts = ["" if id_ is None else text(id_), self.name or ""]
            if pid is not None:
                parts += ["" if pid.label is None else text(pid.label), text(pid.initial_call)]
            found = " ".join(parts).lower()
            if self.mark == "new":
                return found  # its label may come
            self.text = found
        return self.text


def supervising(pid: Pid) -> SupervisingProcess | None:  # type: ignore[type-arg]
    """Return the loop of a supervisor; None for any other process."""
    process = None if pid.dictionary is None else pid.dictionary.get(SupervisingProcess)
    return process if isinstance(process, SupervisingProcess) else None
