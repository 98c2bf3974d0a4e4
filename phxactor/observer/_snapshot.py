"""A picture of all processes of a runtime at one moment, as plain values.

It is read from the runtime's tables in one step, so it is consistent. No process notices: no message is sent, and no
time-out starts anew (docs/otp-semantics.md, Y10 to Y12).

Below a supervisor come its children, in its order. After them, and below every other process, come the processes that
it spawned and that are no supervisor's children. A process whose parent has ended is shown below the oldest process
that it is linked to. Every process is younger than the one it is shown below, so the picture is a tree.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from phxactor.observer._picture import Present, Process, Relation, Row, Snapshot, Status, Supervision, Tracked
from phxactor.observer._shards import shared
from phxactor.observer._texts import optional, text
from phxactor.otp import SupervisedChild, SupervisingProcess, SupervisorProcess
from phxactor.presence import look
from phxactor.runtime import Pid, Runtime, State, self_pid

CHILDREN: Final = 20
"""The default maximum of children shown below one process."""
ROWS: Final = 500
"""The default maximum of rows in all."""
DEPTH: Final = 30
"""The maximum of levels shown."""

_Branch: TypeAlias = "tuple[Relation, Pid | None, SupervisedChild | None]"
"""What is below a process: the relation, the process, and the supervisor's record of it; the last two may be None."""


class _Below:
    """What is below one process: as many branches as may be shown, and how many there are."""

    __slots__ = ("branches", "count", "last")

    def __init__(self) -> None:
        self.branches: list[_Branch] = []
        self.count = 0
        self.last: Relation = "root"


def snapshot(runtime: Runtime | None = None, *, children: int = CHILDREN, rows: int = ROWS) -> Snapshot:
    """Return the picture of a runtime, by default the current process's.

    At most `children` children of each process are shown, and `rows` processes in all, those nearest to the root first.
    Children that are left out are counted in one row (`Row.hidden`).
    """
    seen = self_pid().runtime if runtime is None else runtime
    processes = seen.processes.values()
    supervisors = {
        pid: process
        for pid in processes
        if pid.dictionary is not None
        and isinstance(process := pid.dictionary.get(SupervisingProcess), SupervisingProcess)
    }
    below = _branches(seen, supervisors, children)
    return Snapshot(
        rows=tuple(_rows(below, _choose(below, rows), supervisors)),
        zombies=tuple(_process(pid) for pid in sorted(seen.zombies.given_up, key=lambda pid: pid.number)),
        processes=len(processes),
        messages=sum(len(pid.mailbox) for pid in processes),
        presences=tuple(_presences(supervisors, rows)),
        sharded=shared(seen),
    )


def _presences(supervisors: Iterable[Pid], most: int) -> Iterator[Present]:
    for supervisor in supervisors:
        looked = look(supervisor, most)
        if looked is not None:
            counts, who = looked
            yield Present(
                name=text(supervisor.name),
                processes=counts.processes,
                tracked=counts.tracked,
                topics=counts.topics,
                online=counts.online,
                replicas={text(node): state for node, state in sorted(counts.replicas.items())},
                who=tuple(Tracked(one.pid.number, text(one.topic), text(one.key)) for one in who),
            )


def _branches(
    runtime: Runtime, supervisors: Mapping[Pid, SupervisingProcess[Any]], most: int
) -> dict[Pid | None, _Below]:
    """Return what is below each process, and below None the roots: children of supervisors first, in their order."""
    below: dict[Pid | None, _Below] = defaultdict(_Below)
    supervised: set[Pid] = set()
    for supervisor, process in supervisors.items():
        under = below[supervisor]
        for record in process.records():
            pid = None if record.restarting else record.pid
            if pid is not None:
                if pid.number < supervisor.number or pid in supervised:
                    continue
                supervised.add(pid)
            under.count += 1
            if under.count <= most:
                under.branches.append(("supervised", pid, record))
        under.last = "supervised"
    for pid in runtime.processes.values():
        if pid not in supervised:
            over, relation = _over(pid)
            under = below[over]
            under.count += 1
            under.last = relation
            if under.count <= most:
                under.branches.append((relation, pid, None))
    return below


def _over(pid: Pid) -> tuple[Pid | None, Relation]:
    """Return the process above one that is no supervisor's child: its parent, or else the oldest of its links."""
    parent, links = pid.parent, pid.links or {}
    if parent is not None and parent.state is not State.DEAD:
        return parent, "linked" if parent in links else "spawned"
    oldest = min(links, key=lambda other: other.number, default=pid)
    return (oldest, "linked") if oldest.number < pid.number else (None, "root")


def _choose(below: Mapping[Pid | None, _Below], rows: int) -> dict[Pid | None, int]:
    """Return how many branches of each process are shown. Rows are given out level by level, from the root."""
    shown: dict[Pid | None, int] = {}
    waiting: deque[tuple[int, Pid | None]] = deque([(0, None)])
    while waiting:
        depth, over = waiting.popleft()
        branches = below[over].branches if over in below else []
        shown[over] = min(len(branches), rows) if depth < DEPTH else 0
        rows -= shown[over]
        waiting.extend((depth + 1, pid) for _, pid, _ in branches[: shown[over]] if pid is not None)
    return shown


def _rows(
    below: Mapping[Pid | None, _Below],
    shown: Mapping[Pid | None, int],
    supervisors: Mapping[Pid, SupervisingProcess[Any]],
) -> list[Row]:
    """Return the rows of the tree; by a stack, since a chain of processes may exceed Python's recursion limit."""
    rows: list[Row] = []
    stack: list[tuple[int, Pid | None, _Branch | Row]] = []

    def push(over: Pid | None, depth: int) -> None:
        if over not in below:
            return
        under = below[over]
        hidden = under.count - shown[over]
        if hidden:
            stack.append((depth, over, Row(depth, under.last, hidden=hidden)))
        stack.extend((depth, over, branch) for branch in reversed(under.branches[: shown[over]]))

    push(None, 0)
    while stack:
        depth, over, branch = stack.pop()
        if isinstance(branch, Row):
            rows.append(branch)
            continue
        pid = branch[1]
        supervisor = None if over is None else supervisors.get(over)
        rows.append(_row(depth, branch, supervisor, None if pid is None else supervisors.get(pid)))
        if pid is not None:
            push(pid, depth + 1)
    return rows


def _row(
    depth: int, branch: _Branch, above: SupervisingProcess[Any] | None, itself: SupervisingProcess[Any] | None
) -> Row:
    relation, pid, record = branch
    process = None if pid is None else _process(pid)
    if process is not None:
        status = process.status
    else:
        status = "restarting" if record is not None and record.restarting else "down"
    id_ = None if record is None or above is None else above.id_of(record)
    return Row(
        depth,
        relation,
        process,
        id=optional(id_),
        status=status,
        restarts=0 if record is None else record.restarts,
        supervision=None if itself is None else _supervision(itself),
    )


def _supervision(process: SupervisingProcess[Any]) -> Supervision:
    intensity = process.intensity
    strategy = process.strategy if isinstance(process, SupervisorProcess) else "one_for_one"
    used = intensity.used(process.pid.runtime.now())
    return Supervision(strategy, used, intensity.max_restarts, intensity.max_seconds)


def _process(pid: Pid) -> Process:
    return Process(
        number=pid.number,
        name=optional(pid.name),
        label=optional(pid.label),
        initial_call=text(pid.initial_call),
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
