"""Supervision trees as plain values, and as processes that record their starts and ends.

    tree = Branch("root", (Leaf("a"), Leaf("b", restart="transient")), strategy="rest_for_one")
    grown = await grow(tree)
    grown.pid(("root", "a")).exit("boom")
    await settle()
    assert grown.log == [...]

A node is named by its path: the ids from the root down. `_trees_model` says what a tree does when nodes end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from inspect import isawaitable
from typing import Any, Final, Literal, TypeAlias

import attrs

from phxactor.otp import (
    MAX_RESTARTS,
    MAX_SECONDS,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    PartitionSupervisor,
    Restart,
    Started,
    StartFunction,
    Stop,
    Strategy,
    Supervise,
    SuperviseDynamically,
    Supervisor,
)
from phxactor.runtime import Exit, Pid, Reason, own, self_pid, trap_exit

Path: TypeAlias = tuple[object, ...]
Kind: TypeAlias = Literal["supervisor", "dynamic", "partition"]
Noted: TypeAlias = tuple[Literal["up", "down"], Path]
"""`up`: the node's `init` runs and will succeed. `down`: its process has ended."""


@attrs.frozen
class Leaf:
    """A server."""

    id: object
    restart: Restart = "permanent"
    traps: bool = False
    """Whether it traps exits."""
    fails: frozenset[int] = frozenset()
    """The numbers of the starts that its `init` refuses, counted from 0."""


@attrs.frozen
class Branch:
    """A supervisor of one kind.

    The children of a `dynamic` one are started after it, and are not started again when it is restarted. A `partition`
    supervisor starts its first child as many times as it has children, with the ids 0, 1 and so on.
    """

    id: object
    children: tuple[Leaf | Branch, ...] = ()
    strategy: Strategy = "one_for_one"
    restart: Restart = "permanent"
    max_restarts: int = MAX_RESTARTS
    max_seconds: int = MAX_SECONDS
    kind: Kind = "supervisor"

    def under(self) -> tuple[Leaf | Branch, ...]:
        """Return the children, with the ids that they have under this supervisor."""
        if self.kind != "partition":
            return self.children
        return tuple(attrs.evolve(self.children[0], id=index) for index in range(len(self.children)))


def paths(node: Leaf | Branch, above: Path = ()) -> Iterator[tuple[Path, Leaf | Branch]]:
    """Yield all nodes of a tree with their paths, each before its children."""
    path = (*above, node.id)
    yield path, node
    if isinstance(node, Branch):
        for child in node.under():
            yield from paths(child, path)


@attrs.frozen
class End:
    """A message to a leaf: end in this way."""

    way: Literal["exits", "stops", "raises"]
    reason: Reason


class LeafServer(GenServer):
    """The process of a leaf. It only ends when it is told to."""

    async def init(self, grown: Grown, path: Path, leaf: Leaf) -> Stop | None:
        """Enter the tree, unless this start must fail."""
        if leaf.traps:
            trap_exit()
        return None if grown.enter(path, leaf.fails) else Stop("refused")

    async def handle_cast(self, request: object) -> Stop | None:
        """End if the request is an `End`; ignore other requests."""
        match request:
            case End(way="stops", reason=reason):
                return Stop(reason)
            case End(way="exits", reason=reason):
                raise Exit(reason)
            case End(reason=reason):
                raise ArithmeticError(reason)
        return None

    async def handle_info(self, message: object) -> None:
        """Ignore all other messages."""


class _Supervisor(Supervisor):
    async def init(self, grown: Grown, path: Path, branch: Branch) -> Supervise:
        grown.enter(path)
        return Supervise(
            [child_of(grown, path, child) for child in branch.children],
            strategy=branch.strategy,
            max_restarts=branch.max_restarts,
            max_seconds=branch.max_seconds,
        )


class _DynamicSupervisor(DynamicSupervisor):
    async def init(self, grown: Grown, path: Path, branch: Branch) -> SuperviseDynamically:
        grown.enter(path)
        return SuperviseDynamically(max_restarts=branch.max_restarts, max_seconds=branch.max_seconds)


async def _start_partitions(grown: Grown, path: Path, branch: Branch) -> Started:
    class Partitioned(PartitionSupervisor):
        async def init(self, *args: Any) -> Supervise:  # noqa: ANN401 - those of PartitionSupervisor
            grown.enter(path)
            return await super().init(*args)

    return await Partitioned.start_link(
        child_of(grown, path, branch.children[0]),
        name=f"{path} {grown.attempts[path]}",  # the name of a killed predecessor may still be taken
        partitions=len(branch.children),
        with_arguments=lambda args, index: (args[0], (*path, index), args[2]),
        strategy=branch.strategy,
        max_restarts=branch.max_restarts,
        max_seconds=branch.max_seconds,
    )


def child_of(grown: Grown, above: Path, node: Leaf | Branch) -> ChildSpec:
    """Return the child specification of a node below another."""
    start: StartFunction = LeafServer.start_link
    if isinstance(node, Branch):
        start = _STARTS[node.kind]
    return ChildSpec(
        id=node.id,
        start=(start, (grown, (*above, node.id), node), {}),
        restart=node.restart,
        type="supervisor" if isinstance(node, Branch) else "worker",
    )


_STARTS: Final[Mapping[Kind, StartFunction]] = {
    "supervisor": _Supervisor.start_link,
    "dynamic": _DynamicSupervisor.start_link,
    "partition": _start_partitions,
}


class Grown:
    """A tree of processes, and the record of its nodes."""

    def __init__(self, tree: Branch) -> None:
        """Start without any process; `grow` starts them."""
        self.supervisors = {path for path, node in paths(tree) if isinstance(node, Branch)}
        self.pids: dict[Path, Pid] = {}
        """The latest process of each node that has started."""
        self.log: list[Noted] = []
        """Starts and ends, in order."""
        self.attempts: Counter[Path] = Counter()
        """The number of starts of each node, failed ones included."""

    def pid(self, path: Path) -> Pid | None:
        """Return the process of a node; None if it does not run."""
        pid = self.pids.get(path)
        return pid if pid is not None and pid.alive else None

    def up(self) -> set[Path]:
        """Return the nodes that run."""
        return {path for path, pid in self.pids.items() if pid.alive}

    def restarts(self) -> dict[Path, int]:
        """Return, for each running supervisor, its number of restarts within `max_seconds`."""
        return {path: Supervisor.statistics(self.pids[path]).restarts for path in self.up() & self.supervisors}

    def take_log(self) -> list[Noted]:
        """Return the log, and start a new one."""
        log, self.log = self.log, []
        return log

    def enter(self, path: Path, fails: frozenset[int] = frozenset()) -> bool:
        """Record the current process as a node until it ends; return False instead if this start must fail."""
        attempt = self.attempts[path]
        self.attempts[path] += 1
        if attempt in fails:
            return False
        self.pids[path] = self_pid()
        self.log.append(("up", path))
        own(self_pid(), lambda _: self.log.append(("down", path)))
        return True


async def grow(tree: Branch) -> Grown:
    """Start a tree, linked to the current process. Raises StartError if it does not start."""
    grown = Grown(tree)
    function, args, kwargs = child_of(grown, (), tree).start
    started = function(*args, **kwargs)
    (await started if isawaitable(started) else started).unwrap()
    for path, node in paths(tree):
        if isinstance(node, Branch) and node.kind == "dynamic":
            for child in node.children:
                await DynamicSupervisor.start_child(grown.pids[path], child_of(grown, path, child))
    return grown
