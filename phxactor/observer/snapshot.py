"""A picture of all processes of a runtime at one moment, as plain values.

It is read from the runtime's tables in one go, so it is consistent, and no process notices: nobody is asked, no
message is sent, no time-out starts anew (docs/otp-semantics.md, Y10 to Y12).

Below a supervisor stand the children that it knows, in its order; then, and below all others, the processes that were
spawned there and are no supervisor's. One whose parent has ended hangs on the oldest process that it is linked to.
Whatever stands below a process is younger than it, so the picture is a tree.
"""

from __future__ import annotations

import reprlib
from collections import defaultdict, deque
from typing import Final, Literal, TypeAlias

import attrs

from phxactor.otp import RESTARTING, ChildStatistics, Supervisor, SupervisorStatistics
from phxactor.otp.supervising import SupervisingProcess
from phxactor.runtime import Pid, Runtime, State, self_pid

Status: TypeAlias = Literal["waiting", "port", "busy", "exiting", "ended", "restarting", "down"]
"""How a process fares: waits for a message; lets its senders run its port; runs, or waits for something else than a
message; was told to end and has not yet; has ended, and its supervisor does not know yet. And of a child that does not
run: its start is tried again and again, or it is left down."""
Relation: TypeAlias = Literal["root", "supervised", "linked", "spawned"]
"""What a process is to the one above it: nothing; its child by a supervisor's word; spawned by it, linked to it or not.
"""

CHILDREN: Final = 20
"""How many of one process's children are shown, unless told otherwise."""
ROWS: Final = 500
"""How many processes are shown in all, unless told otherwise."""
DEPTH: Final = 30
"""How many levels are shown."""
_TEXT: Final = 80
"""Characters of a name or label: labels may hold what a client sent."""

_shorten = reprlib.Repr()
_shorten.maxother = _TEXT


@attrs.frozen
class Process:
    """A process at one moment."""

    number: int
    """Of its pid."""
    name: str | None
    """The registered name."""
    label: str | None
    """What it was labelled with, as text."""
    initial_call: str
    """What it runs."""
    status: Status
    trapping: bool
    """Whether it traps exits."""
    mailbox: int
    """Messages that wait."""


@attrs.frozen
class Supervision:
    """A supervisor's rules, and how much of its patience is used up."""

    strategy: str
    restarts: int
    """Restarts within the last `max_seconds`."""
    max_restarts: int
    max_seconds: int


@attrs.frozen
class Row:
    """A line of the picture: a process, a child that does not run, or so many that are left out."""

    depth: int
    """0 for what stands below nobody; the rows that follow, and are deeper, stand below this one."""
    relation: Relation
    process: Process | None = None
    """None for a child that does not run, and for those left out."""
    id: str | None = None
    """A supervised child's id, as text; None below a DynamicSupervisor."""
    status: Status = "down"
    """The process's, or what has become of the child."""
    restarts: int = 0
    """How often its supervisor has started it again."""
    supervision: Supervision | None = None
    """Of a supervisor."""
    hidden: int = 0
    """If not 0: this row stands for so many children that are left out."""


@attrs.frozen
class Snapshot:
    """All processes of a runtime at one moment, as far as they are shown."""

    rows: tuple[Row, ...]
    """Each process before those below it."""
    zombies: tuple[Process, ...]
    """Given up, though their tasks still run."""
    processes: int
    """How many there are, shown or not."""
    messages: int
    """Messages that wait in all mailboxes."""


@attrs.frozen
class _Branch:
    """What hangs on a process, before it is decided what is shown."""

    relation: Relation
    pid: Pid | None
    child: ChildStatistics | None = None


def snapshot(runtime: Runtime | None = None, *, children: int = CHILDREN, rows: int = ROWS) -> Snapshot:
    """Look at a runtime, by default the current process's.

    At most `children` of each process are shown, and `rows` in all, those near the root first; one row counts the
    others.
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
        zombies=tuple(_process(pid) for pid in sorted(seen.zombies.undead, key=lambda pid: pid.number)),
        processes=len(processes),
        messages=sum(len(pid.mailbox) for pid in processes),
    )


def _branches(runtime: Runtime, supervisors: dict[Pid, SupervisorStatistics]) -> defaultdict[Pid | None, list[_Branch]]:
    """Say what stands below whom; below None: the roots."""
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
    """Find where a process hangs that is no supervisor's: on its parent, or else on its oldest link."""
    parent, links = pid.parent, pid.links or {}
    if parent is not None and parent.state is not State.DEAD:
        return parent, "linked" if parent in links else "spawned"
    oldest = min(links, key=lambda other: other.number, default=pid)
    return (oldest, "linked") if oldest.number < pid.number else (None, "root")


def _choose(below: dict[Pid | None, list[_Branch]], children: int, rows: int) -> dict[Pid | None, int]:
    """Decide how many branches of each process are shown: level by level, until there are enough rows."""
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
    """Write the tree down; with a stack, as a chain of processes may be longer than Python recurses."""
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
    except BaseException:  # noqa: BLE001 - of somebody's __repr__
        return object.__repr__(value)


def _text(value: object) -> str:
    """Make one short line of anything: it is shown in terminals, which obey control characters."""
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
