"""A model of a supervision tree whose nodes end: the rules of docs/otp-semantics.md, section 6, on plain values.

It is written from the rules, not from `phxactor.otp`, so that the two can be compared. It has no processes and no
messages. Ends are handled one after the other, each with all its consequences before the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from itertools import permutations

from phxactor.runtime import NORMAL, SHUTDOWN, Reason, Shutdown
from phxactor.testing.trees import Branch, Leaf, Noted, Path


class _Node:
    """A node: its state, its children, and the node above it."""

    def __init__(self, path: Path, value: Leaf | Branch, above: _Node | None) -> None:
        self.path = path
        self.value = value
        self.above = above
        self.up = False
        self.children: list[_Node] = []
        self.restarts: list[int] = []
        """The times of its restarts of children, in whole seconds."""


class TreeModel:
    """A started tree. Its nodes end only by `end` and `end_at_once`."""

    def __init__(self, tree: Branch) -> None:
        """Start all nodes of the tree."""
        self.now = 0.0
        """The current time in seconds, set by the caller."""
        self.log: list[Noted] = []
        """Starts and ends, in order."""
        self.in_order = True
        """Whether the rules fix the order of the log. The children of a killed supervisor end in any order, and so do
        the children of a dynamic supervisor that is shut down."""
        self._attempts: Counter[Path] = Counter()
        self._root = _Node((tree.id,), tree, None)
        self.started = self._start(self._root)
        """Whether all nodes started."""
        for node in list(self._walk(self._root)):
            if isinstance(node.value, Branch) and node.value.kind == "dynamic":
                for child in node.value.children:
                    self._add(node, child)

    def take_log(self) -> list[Noted]:
        """Return the log, and start a new one."""
        log, self.log = self.log, []
        return log

    def up(self) -> set[Path]:
        """Return the nodes that run."""
        return {node.path for node in self._walk(self._root) if node.up}

    def restarts(self) -> dict[Path, int]:
        """Return, for each running supervisor, its number of restarts within `max_seconds`."""
        return {
            node.path: self._remembered(node)
            for node in self._walk(self._root)
            if node.up and isinstance(node.value, Branch)
        }

    def end(self, path: Path, reason: Reason) -> None:
        """End a running node with this reason: a leaf by itself, a supervisor by a kill."""
        self._end([(path, reason)])

    def end_at_once(self, ends: Collection[tuple[Path, Reason]]) -> Iterator[TreeModel]:
        """Yield the possible results of several ends at once: one for each order in which the supervisors handle them.

        It is only right for nodes whose starts never fail: the retries of failed starts would come in between (S32).
        """
        for order in permutations(ends):
            model = deepcopy(self)
            model.in_order = model.in_order and len(order) == 1
            model._end(order)  # noqa: SLF001 - its own
            yield model

    def _end(self, ends: Sequence[tuple[Path, Reason]]) -> None:
        """End the nodes, then handle each end in their children and supervisors, one after the other."""
        nodes = {node.path: node for node in self._walk(self._root)}
        for path, _ in ends:
            self._die(nodes[path])
        for path, reason in ends:
            node, above = nodes[path], nodes[path].above
            if node.up:
                continue  # it has been restarted with others meanwhile (S31)
            self._orphan(node)
            if above is None or (above.up and any(child is node for child in above.children)):
                self._ended(node, reason)

    # ------------------------------------------------------------------------------------------- one node

    def _walk(self, node: _Node) -> list[_Node]:
        return [node, *(below for child in node.children for below in self._walk(child))]

    def _add(self, above: _Node, value: Leaf | Branch) -> bool:
        """Start one more child, and keep it if the start succeeds. Return whether it did."""
        child = _Node((*above.path, value.id), value, above)
        if self._start(child):
            above.children.append(child)
        return child.up

    def _start(self, node: _Node) -> bool:
        """Start a node, then its children in order. If a child fails to start, stop those before it (S10, S12)."""
        value = node.value
        if isinstance(value, Leaf):
            attempt = self._attempts[node.path]
            self._attempts[node.path] += 1
            if attempt in value.fails:
                return False
        node.up = True
        self.log.append(("up", node.path))
        if isinstance(value, Branch):
            node.restarts = []
            node.children = []
            if value.kind != "dynamic":
                node.children = [_Node((*node.path, child.id), child, node) for child in value.under()]
            if not all(self._start(child) for child in node.children):
                self._stop(node)
                return False
        return True

    def _stop(self, node: _Node) -> None:
        """Shut a node down, after its children, the last child first (S50)."""
        if not node.up:
            self._orphan(node)
            return
        if isinstance(node.value, Branch) and node.value.kind == "dynamic" and len(node.children) > 1:
            self.in_order = False
        for child in reversed(node.children):
            self._stop(child)
        node.up = False
        self.log.append(("down", node.path))

    def _die(self, node: _Node) -> None:
        """End a node without shutting its children down."""
        node.up = False
        self.log.append(("down", node.path))
        if isinstance(node.value, Branch):
            self.in_order = False

    def _orphan(self, node: _Node) -> None:
        """End the nodes below a supervisor that ended without shutting them down (S68)."""
        for child in node.children:
            if child.up:
                self._die(child)
                self._orphan(child)

    # ----------------------------------------------------------------------------------------- supervisors

    def _ended(self, node: _Node, reason: Reason) -> None:
        """Handle the end of a child in its supervisor (S20 to S22)."""
        above = node.above
        if above is None:
            return
        benign = isinstance(reason, Shutdown) or (isinstance(reason, str) and reason in (NORMAL, SHUTDOWN))
        if node.value.restart == "permanent" or (node.value.restart == "transient" and not benign):
            self._restart(above, node)
        elif node.value.restart == "temporary" or _is(above, "dynamic"):
            above.children.remove(node)

    def _restart(self, supervisor: _Node, failed: _Node) -> None:
        """Restart a child and the siblings of the strategy, until all run (S25 to S33) or the limit is passed (S40)."""
        again: _Node | None = failed
        while again is not None:
            supervisor.restarts.append(int(self.now))
            assert isinstance(supervisor.value, Branch)  # noqa: S101 - leaves have no children
            if self._remembered(supervisor) > supervisor.value.max_restarts:
                self._stop(supervisor)
                self._ended(supervisor, SHUTDOWN)
                return
            group = self._group(supervisor, again)
            for child in reversed(group):
                self._stop(child)
                if child.value.restart == "temporary":
                    supervisor.children.remove(child)
            kept = [child for child in group if child.value.restart != "temporary"]
            again = next((child for child in kept if not self._start(child)), None)

    def _group(self, supervisor: _Node, failed: _Node) -> list[_Node]:
        children = supervisor.children
        strategy = "one_for_one" if _is(supervisor, "dynamic") else getattr(supervisor.value, "strategy", None)
        if strategy == "one_for_all":
            return list(children)
        if strategy == "rest_for_one":
            return children[children.index(failed) :]
        return [failed]

    def _remembered(self, supervisor: _Node) -> int:
        """Count the restarts within `max_seconds`, in whole seconds (S44)."""
        longest = getattr(supervisor.value, "max_seconds", 0)
        return sum(int(self.now) - second <= longest for second in supervisor.restarts)


def _is(node: _Node, kind: str) -> bool:
    return isinstance(node.value, Branch) and node.value.kind == kind
