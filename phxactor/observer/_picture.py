"""A picture of all processes at one moment: plain values, which `_snapshot` makes."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

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
class Shared:
    """Sharded servers or a singleton, as this node sees them."""

    name: str
    view: int | None
    """The number of the present view; None if there is none yet."""
    owners: tuple[str, ...]
    """The names of the nodes that own keys."""
    keys: int
    """Keys whose servers run on this node."""
    state: str
    """`runs`, `owns no keys`, `suspended`, `waits for a view`, `waits for members`, or how many keys it hands over."""


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
    sharded: tuple[Shared, ...] = ()
    """All sharded servers and singletons that run."""
