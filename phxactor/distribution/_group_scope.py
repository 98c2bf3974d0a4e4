"""The groups of one name in one runtime: their members, and what other nodes are told of them.

It has no process of its own and outlives the one that hears of other nodes, so that nobody loses a membership when
that one ends (NO17; against ND105 and ND106).

What nodes tell each other, as messages to `(name, node)`:

    ("joined", group, pid)  ("left", group, pid)
    ("members", node, entries, is_last)               all of them, in parts: (group, pid, count) each
    ("ask", node)                                     the answer is all of them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, final
from weakref import WeakKeyDictionary

from phxactor.cluster import LocalNode, Node
from phxactor.distribution._codec_encode import encode
from phxactor.distribution._group_members import Group, Members
from phxactor.runtime import DEAD, Pid, Ref, Runtime, disown, own

if TYPE_CHECKING:
    from phxactor.distribution._codec_wire import Pids

MAX_GROUP_BYTES: Final = 1000
"""Bytes of a group's name at most, encoded."""
MAX_COUNT: Final = 1000
"""How often a process can join a group."""
PART: Final = 500
"""Entries in one message at most."""


@final
class Scope:
    """The groups of one name in one runtime."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        """Start without members."""
        self.members: Final = Members()
        self._runtime: Final = runtime
        self._name: Final = name
        self._joined: Final[dict[Pid, dict[Group, int]]] = {}

    @staticmethod
    def found(runtime: Runtime, name: str) -> Scope | None:
        """Return the groups of a runtime; None if they were never started."""
        return _scopes.get(runtime, {}).get(name)

    @staticmethod
    def made(runtime: Runtime, name: str) -> Scope:
        """Return the groups of a runtime, and make them if there are none."""
        return _scopes.setdefault(runtime, {}).setdefault(name, Scope(runtime, name))

    # ------------------------------------------------------------------------------------ local members

    def join(self, group: Group, pid: Pid) -> None:
        """Enter a local process once more. One that has ended is entered and gone at once (ND101)."""
        if group not in self.members.local:
            _check(group)
        if pid not in self._joined:
            own(pid, self._ended)
        if pid.state is DEAD:
            return
        joined = self._joined.setdefault(pid, {})
        count = joined.get(group, 0) + 1
        if count > MAX_COUNT:
            raise ValueError(f"{pid!r} has joined {group!r:.100} {MAX_COUNT} times, which is the most")
        joined[group] = count
        self.members.enter(None, group, pid)
        self._tell_all(("joined", group, pid))

    def leave(self, group: Group, pid: Pid) -> bool:
        """Remove one entry of a local process; returns whether there was one."""
        joined = self._joined.get(pid)
        if joined is None or group not in joined:
            return False
        joined[group] -= 1
        if not joined[group]:
            del joined[group]
        if not joined:
            del self._joined[pid]
            disown(pid, self._ended)
        self.members.remove(None, group, pid)
        self._tell_all(("left", group, pid))
        return True

    def _ended(self, pid: Pid) -> None:
        for group, count in self._joined.pop(pid, {}).items():
            for _ in range(count):
                self.members.remove(None, group, pid)
                self._tell_all(("left", group, pid))

    # ---------------------------------------------------------------------------------------- monitors

    def watch(self, owner: Pid, group: Group) -> Ref:
        """Tell a local process of changes of a group, until it ends."""
        own(owner, self.members.forget)
        return self.members.watch(owner, group)

    # ------------------------------------------------------------------------------------- other nodes

    def tell_of_all(self, node: Node) -> None:
        """Tell another node of all members of this one."""
        remote = self._runtime.remote
        if remote is None:
            return
        entries = [(group, pid, count) for group, counts in self.members.local.items() for pid, count in counts.items()]
        for start in range(0, max(1, len(entries)), PART):
            part, is_last = entries[start : start + PART], start + PART >= len(entries)
            self._tell(node, ("members", remote.node, part, is_last))

    def ask(self, node: Node) -> None:
        """Ask another node for all of its members."""
        if self._runtime.remote is not None:
            self._tell(node, ("ask", self._runtime.remote.node))

    def _tell_all(self, message: tuple[object, ...]) -> None:
        local = LocalNode.found(self._runtime)
        for node in () if local is None else local.nodes():
            self._tell(node, message)

    def _tell(self, node: Node, message: tuple[object, ...]) -> None:
        remote = self._runtime.remote
        target = None if remote is None else remote.named(self._name, node)
        if target is not None:
            target.deliver(message)


def _check(group: Group) -> None:
    """Raise CannotTravelError or TypeError for a value that cannot be the name of a group."""
    hash(group)
    encode(group, _NO_PIDS, MAX_GROUP_BYTES)


class _NoPids:
    """No process is a part of a group's name."""

    def to_wire(self, _: Pid) -> NoReturn:
        raise TypeError("is a process, which names no group")

    def ref_to_wire(self, _: Ref) -> NoReturn:
        raise TypeError("is a reference, which names no group")

    def from_wire(self, _: bytes) -> NoReturn:
        raise NotImplementedError

    ref_from_wire = from_wire


_NO_PIDS: Final[Pids] = _NoPids()
_scopes: Final[WeakKeyDictionary[Runtime, dict[str, Scope]]] = WeakKeyDictionary()
