"""Who is in which group, as one node knows it: plain values.

A node speaks for its own members only. What is known of another node is what that node has said last, as a whole or
change by change; so there are no clocks, and nothing is left of one that has gone (ND103).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar, final

import attrs

from phxactor.runtime import Pid, Ref

Group: TypeAlias = object
"""The name of a group: a value with a hash that can travel, such as "room:1" or ("room", 1)."""
K = TypeVar("K")
V = TypeVar("V")
Entries: TypeAlias = dict[Group, dict[Pid, int]]
"""How often each process has joined each group."""


@attrs.frozen
class Joined:
    """Processes have joined a group that the receiver monitors; one that joins again comes again."""

    ref: Ref
    group: Group
    pids: tuple[Pid, ...]


@attrs.frozen
class Left:
    """Processes have left a group that the receiver monitors: by themselves, by their end, or with their node."""

    ref: Ref
    group: Group
    pids: tuple[Pid, ...]


@final
class Members:
    """The members of all groups of one name, of this node and of others."""

    def __init__(self) -> None:
        """Start without members."""
        self.local: Entries = {}
        self.remote: dict[object, Entries] = {}
        """Those of other nodes, by node."""
        self._monitors: dict[Group, dict[Ref, Pid]] = {}
        self._watched: dict[Ref, tuple[Group, Pid]] = {}
        self._by_owner: dict[Pid, dict[Ref, None]] = {}

    # ----------------------------------------------------------------------------------------- asking

    def of(self, group: Group) -> list[Pid]:
        """List the members of a group, this node's first; one that has joined twice is there twice (ND100)."""
        return [pid for entries in (self.local, *self.remote.values()) for pid in _repeated(entries.get(group))]

    def local_of(self, group: Group) -> list[Pid]:
        """List those of this node."""
        return [*_repeated(self.local.get(group))]

    def groups(self) -> list[Group]:
        """List the groups that have members."""
        return [*dict.fromkeys(group for entries in (self.local, *self.remote.values()) for group in entries)]

    # ---------------------------------------------------------------------------------------- changes

    def enter(self, node: object, group: Group, pid: Pid) -> None:
        """Enter a process once more; `node` is None for this node."""
        entries = self.local if node is None else self.remote.setdefault(node, {})
        counts = entries.setdefault(group, {})
        counts[pid] = counts.get(pid, 0) + 1
        self._tell(Joined, group, (pid,))

    def remove(self, node: object, group: Group, pid: Pid) -> bool:
        """Remove one entry of a process; returns whether there was one."""
        entries = self.local if node is None else self.remote.get(node, {})
        counts = entries.get(group)
        if counts is None or pid not in counts:
            return False
        counts[pid] -= 1
        if not counts[pid]:
            del counts[pid]
        if not counts:
            del entries[group]
        self._tell(Left, group, (pid,))
        return True

    def replace(self, node: object, new: Entries) -> None:
        """Take what another node has said of all its members, and tell of what that changes."""
        old = self.remote.pop(node, {})
        if new:
            self.remote[node] = new
        for group in {**old, **new}:
            before, after = old.get(group, {}), new.get(group, {})
            self._tell(Left, group, tuple(_more(before, after)))
            self._tell(Joined, group, tuple(_more(after, before)))

    # --------------------------------------------------------------------------------------- monitors

    def watch(self, owner: Pid, group: Group) -> Ref:
        """Tell a process of changes of a group from now on."""
        ref = Ref()
        self._monitors.setdefault(group, {})[ref] = owner
        self._watched[ref] = group, owner
        self._by_owner.setdefault(owner, {})[ref] = None
        return ref

    def unwatch(self, ref: Ref) -> bool:
        """End that; returns whether it was so."""
        if ref not in self._watched:
            return False
        group, owner = self._watched.pop(ref)
        _take_out(self._monitors, group, ref)
        _take_out(self._by_owner, owner, ref)
        return True

    def forget(self, owner: Pid) -> None:
        """End all monitors of a process."""
        for ref in [*self._by_owner.get(owner, ())]:
            self.unwatch(ref)

    def _tell(self, make: Callable[[Ref, Group, tuple[Pid, ...]], object], group: Group, pids: tuple[Pid, ...]) -> None:
        if pids:
            for ref, pid in [*self._monitors.get(group, {}).items()]:
                pid.deliver(make(ref, group, pids))


def _take_out(table: dict[K, dict[Ref, V]], key: K, ref: Ref) -> None:
    del table[key][ref]
    if not table[key]:
        del table[key]


def _repeated(counts: dict[Pid, int] | None) -> Iterator[Pid]:
    for pid, count in (counts or {}).items():
        for _ in range(count):
            yield pid


def _more(one: dict[Pid, int], other: dict[Pid, int]) -> Iterator[Pid]:
    """Yield each process as often as the first has it more than the other."""
    for pid, count in one.items():
        for _ in range(count - other.get(pid, 0)):
            yield pid
