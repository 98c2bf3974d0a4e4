"""A picture of all processes of a runtime at one moment, as plain values.

It is read from the runtime's tables in one step, so it is consistent. No process notices: no message is sent, and no
time-out starts anew (docs/otp-semantics.md, Y10 to Y12).

Below a supervisor come its children, in its order. After them, and below every other process, come the processes that
it spawned and that are no supervisor's children. A process whose parent has ended is shown below the oldest process
that it is linked to. Every process is younger than the one it is shown below, so the picture is a tree.
"""

from __future__ import annotations

import reprlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

import attrs

from phxactor.otp import RESTARTING, ChildStatistics, SupervisingProcess, Supervisor, SupervisorStatistics
from phxactor.presence import look
from phxactor.runtime import Pid, Runtime, State, self_pid

Status: TypeAlias = Literal["waiting", "port", "busy", "exiting", "ended", "restarting", "down"]
"""The state of a process, or of a child that does not run.

- waiting: waits for a message.
- port: has a port: a function that handles each message at once, in the sender's step.
- busy: runs, or waits for something other than a message.
- exiting: has received its exit, and has not ended yet.
- ended: has ended, and its supervisor has not handled that yet.
- restarting: a child whose supervisor tries to start it again.
- down: a child that does not run, and is not being started.
"""
Relation: TypeAlias = Literal["root", "supervised", "linked", "spawned"]
"""The relation of a process to the one above it.

- root: there is none above it.
- supervised: it is a child of that supervisor.
- linked: it is no supervisor's child, and is linked to that process.
- spawned: that process spawned it, without a link.
"""

CHILDREN: Final = 20
"""The default maximum of children shown below one process."""
ROWS: Final = 500
"""The default maximum of rows in all."""
DEPTH: Final = 30
"""The maximum of levels shown."""
_TEXT: Final = 80
"""Maximum characters of a name or label, since labels may hold what a client sent."""

_shorten = reprlib.Repr()
_shorten.maxother = _TEXT


@attrs.frozen
class Process:
    """A process at one moment."""

    number: int
    """The number of its pid."""
    name: str | None
    """The registered name; None without one."""
    label: str | None
    """The label, as text; None without one."""
    initial_call: str
    """The function or class that it runs."""
    status: Status
    trapping: bool
    """Whether it traps exits."""
    mailbox: int
    """Messages in its mailbox."""


@attrs.frozen
class Supervision:
    """A supervisor's strategy, and its recent restarts against its limit."""

    strategy: str
    restarts: int
    """Restarts within the last `max_seconds`."""
    max_restarts: int
    max_seconds: int


@attrs.frozen
class Row:
    """A line of the picture: a process, a child that does not run, or a number of children that are left out."""

    depth: int
    """0 for a root. The deeper rows that follow, up to the next row of this depth, are below this row."""
    relation: Relation
    process: Process | None = None
    """None for a child that does not run, and for children that are left out."""
    id: str | None = None
    """A supervised child's id, as text; None below a DynamicSupervisor."""
    status: Status = "down"
    """The status of the process, or of the child that does not run."""
    restarts: int = 0
    """How often its supervisor has restarted it."""
    supervision: Supervision | None = None
    """For a supervisor: its strategy and restarts."""
    hidden: int = 0
    """If not 0: this row stands for this many children that are left out."""


@attrs.frozen
class Tracked:
    """A process that a Presence or Tracker tracks under a key of a topic."""

    number: int
    """The number of its pid."""
    topic: str
    key: str


@attrs.frozen
class Present:
    """A Presence or Tracker at one moment."""

    name: str
    processes: int
    """Tracked processes of this node."""
    tracked: int
    """Processes, topics and keys of this node, each combination once."""
    topics: int
    """Topics in which somebody is present, on any node."""
    online: int
    """The same as `tracked`, of all nodes."""
    replicas: dict[str, str]
    """The trackers of other nodes, by the name of the node: `"up"` or `"silent"`."""
    who: tuple[Tracked, ...]
    """Who tracks what on this node: as many as the snapshot has rows at most."""


@attrs.frozen
class Snapshot:
    """All processes of a runtime at one moment, within the limits of `snapshot`."""

    rows: tuple[Row, ...]
    """The tree, each process before those below it."""
    zombies: tuple[Process, ...]
    """Processes that were given up, though their tasks still run."""
    processes: int
    """The number of all processes, shown or not."""
    messages: int
    """The number of messages in all mailboxes."""
    presences: tuple[Present, ...] = ()
    """Each Presence and Tracker that runs."""


@attrs.frozen
class _Branch:
    """A process or child below another process, shown or not."""

    relation: Relation
    pid: Pid | None
    child: ChildStatistics | None = None


def snapshot(runtime: Runtime | None = None, *, children: int = CHILDREN, rows: int = ROWS) -> Snapshot:
    """Return the picture of a runtime, by default the current process's.

    At most `children` children of each process are shown, and `rows` processes in all, those nearest to the root first.
    Children that are left out are counted in one row (`Row.hidden`).
    """
    seen = self_pid().runtime if runtime is None else runtime
    processes = seen.processes.values()
    supervisors = {
        pid: Supervisor.statistics(pid)
        for pid in processes
        if pid.dictionary is not None and SupervisingProcess in pid.dictionary
    }
    below = _branches(seen, supervisors)
    return Snapshot(
        rows=tuple(_rows(below, _choose(below, children, rows), supervisors)),
        zombies=tuple(_process(pid) for pid in sorted(seen.zombies.given_up, key=lambda pid: pid.number)),
        processes=len(processes),
        messages=sum(len(pid.mailbox) for pid in processes),
        presences=tuple(_presences(supervisors, rows)),
    )


def _presences(supervisors: Iterable[Pid], most: int) -> Iterator[Present]:
    for supervisor in supervisors:
        looked = look(supervisor, most)
        if looked is not None:
            counts, who = looked
            yield Present(
                name=_text(supervisor.name),
                processes=counts.processes,
                tracked=counts.tracked,
                topics=counts.topics,
                online=counts.online,
                replicas={_text(node): state for node, state in sorted(counts.replicas.items())},
                who=tuple(Tracked(one.pid.number, _text(one.topic), _text(one.key)) for one in who),
            )


def _branches(runtime: Runtime, supervisors: dict[Pid, SupervisorStatistics]) -> defaultdict[Pid | None, list[_Branch]]:
    """Return the branches below each process; the roots are below None."""
    below: defaultdict[Pid | None, list[_Branch]] = defaultdict(list)
    supervised: set[Pid] = set()
    for supervisor, statistics in supervisors.items():
        for child in statistics.children:
            pid = child.pid if isinstance(child.pid, Pid) else None
            if pid is None:
                below[supervisor].append(_Branch("supervised", None, child))
            elif pid.number > supervisor.number and pid not in supervised:
                supervised.add(pid)
                below[supervisor].append(_Branch("supervised", pid, child))
    for pid in runtime.processes.values():
        if pid not in supervised:
            over, relation = _over(pid)
            below[over].append(_Branch(relation, pid))
    return below


def _over(pid: Pid) -> tuple[Pid | None, Relation]:
    """Return the process above one that is no supervisor's child: its parent, or else the oldest of its links."""
    parent, links = pid.parent, pid.links or {}
    if parent is not None and parent.state is not State.DEAD:
        return parent, "linked" if parent in links else "spawned"
    oldest = min(links, key=lambda other: other.number, default=pid)
    return (oldest, "linked") if oldest.number < pid.number else (None, "root")


def _choose(below: dict[Pid | None, list[_Branch]], children: int, rows: int) -> dict[Pid | None, int]:
    """Return how many branches of each process are shown. Rows are given out level by level, from the root."""
    shown: dict[Pid | None, int] = {}
    waiting: deque[tuple[int, Pid | None]] = deque([(0, None)])
    while waiting:
        depth, over = waiting.popleft()
        branches = below.get(over, ())
        shown[over] = min(len(branches), children, rows) if depth < DEPTH else 0
        rows -= shown[over]
        waiting.extend((depth + 1, branch.pid) for branch in branches[: shown[over]] if branch.pid is not None)
    return shown


def _rows(
    below: dict[Pid | None, list[_Branch]],
    shown: dict[Pid | None, int],
    supervisors: dict[Pid, SupervisorStatistics],
) -> list[Row]:
    """Return the rows of the tree; by a stack, since a chain of processes may exceed Python's recursion limit."""
    rows: list[Row] = []
    stack: list[tuple[int, _Branch | Row]] = []

    def push(over: Pid | None, depth: int) -> None:
        branches = below.get(over, [])
        hidden = len(branches) - shown[over]
        if hidden:
            stack.append((depth, Row(depth, branches[-1].relation, hidden=hidden)))
        stack.extend((depth, branch) for branch in reversed(branches[: shown[over]]))

    push(None, 0)
    while stack:
        depth, branch = stack.pop()
        if isinstance(branch, Row):
            rows.append(branch)
            continue
        rows.append(_row(depth, branch, supervisors.get(branch.pid) if branch.pid is not None else None))
        if branch.pid is not None:
            push(branch.pid, depth + 1)
    return rows


def _row(depth: int, branch: _Branch, statistics: SupervisorStatistics | None) -> Row:
    child = branch.child
    process = None if branch.pid is None else _process(branch.pid)
    if process is not None:
        status = process.status
    else:
        status = "restarting" if child is not None and child.pid == RESTARTING else "down"
    return Row(
        depth,
        branch.relation,
        process,
        id=None if child is None or child.id is None else _text(child.id),
        status=status,
        restarts=0 if child is None else child.restarts,
        supervision=None
        if statistics is None
        else Supervision(statistics.strategy, statistics.restarts, statistics.max_restarts, statistics.max_seconds),
    )


def _process(pid: Pid) -> Process:
    return Process(
        number=pid.number,
        name=None if pid.name is None else _text(pid.name),
        label=None if pid.label is None else _text(pid.label),
        initial_call=_text(pid.initial_call),
        status=_status(pid),
        trapping=pid.trapping,
        mailbox=len(pid.mailbox),
    )


def _status(pid: Pid) -> Status:
    if pid.state is not State.ALIVE:
        return "ended" if pid.state is State.DEAD else "exiting"
    if pid.port is not None:
        return "port"
    return "waiting" if pid.statistics().receiving else "busy"


def _represented(value: object) -> str:
    try:
        return _shorten.repr(value)
    except BaseException:  # noqa: BLE001 - raised by a program's own __repr__
        return object.__repr__(value)


def _text(value: object) -> str:
    """Make one short line of any value, and replace control characters, since terminals would obey them."""
    if type(value) is type:
        value = value.__qualname__
    text = value if type(value) is str else _represented(value)
    if len(text) > _TEXT:
        text = text[: _TEXT - 1] + "…"
    return (
        text
        if text.isprintable()
        else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    )
