"""Process groups: which processes, on all nodes, have joined which group; in the manner of Erlang's `pg`.

    chat = Groups("chat")                     a child of the program's tree, on every node

    chat.join("room:1")                       in any process
    for pid in chat.members("room:1"):        of all nodes that are up
        pid.send("hello")
    ref, members = chat.monitor("room:1")     from now on Joined and Left

What a node says goes to the process of the same name on the others, over the line that carries all signals: so it is
in order with what the members send, and where something is lost, the line is cut and both say everything anew.
"""

from __future__ import annotations

from typing import Any, final

import attrs

from phxactor.cluster import Gap, Node, NodeDown, NodeUp, monitor_nodes, nodes
from phxactor.distribution._group_members import Entries, Group
from phxactor.distribution._group_scope import MAX_COUNT, Scope
from phxactor.otp import ChildSpec, Error, GenServer, Ignore, Ok
from phxactor.runtime import NoProcessError, Pid, Ref, check_name, current_runtime, self_pid


def _checked(_: object, __: object, name: str) -> None:
    check_name(name)


@final
@attrs.frozen
class Groups:
    """Process groups, referred to by their name in the caller's runtime. Two objects with the same name are equal.

    A group is any value with a hash that can travel. It exists while it has members. Its name is that of the process,
    which other nodes address.

    All methods but `child_spec` and `start_link` raise NoProcessError if the groups were not started in this runtime,
    and NotAProcessError as `whereis` does.
    """

    name: str = attrs.field(validator=_checked)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Groups {self.name}>"

    def child_spec(self) -> ChildSpec:
        """Return the child specification for a supervisor. Children that use the groups come after it in the list."""
        return ChildSpec(id=self.name, start=(self.start_link, (), {}))

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start the process that hears of other nodes, linked to the caller. Members stay when it ends (NO17)."""
        return await _GroupsServer.start_link(self.name, name=self.name)

    # ------------------------------------------------------------------------------------- membership

    def join(self, group: Group, pid: Pid | None = None) -> None:
        """Enter a process of this node, by default the caller, until it leaves or ends (ND100).

        One that joins again is a member twice, and leaves twice. Members are seen at once here, soon elsewhere.
        Raises NotLocalError for a process of another node, CannotTravelError for a group that is no data or larger
        than 1,000 bytes, ValueError for one that joins more than a thousand times.
        """
        self._scope().join(group, self_pid() if pid is None else pid)

    def leave(self, group: Group, pid: Pid | None = None) -> bool:
        """Undo one `join`. Returns whether there was one."""
        return self._scope().leave(group, self_pid() if pid is None else pid)

    def members(self, group: Group) -> list[Pid]:
        """List the members on this node and on those that are up now, this node's first (ND102)."""
        return self._scope().members.of(group)

    def local_members(self, group: Group) -> list[Pid]:
        """List the members on this node."""
        return self._scope().members.local_of(group)

    def groups(self) -> list[Group]:
        """List the groups that have members on any node."""
        return self._scope().members.groups()

    # --------------------------------------------------------------------------------------- monitors

    def monitor(self, group: Group) -> tuple[Ref, list[Pid]]:
        """Return the members now, and have Joined and Left in the caller's mailbox from then on (ND104)."""
        scope = self._scope()
        return scope.watch(self_pid(), group), scope.members.of(group)

    def demonitor(self, ref: Ref) -> bool:
        """End that; what has come stays in the mailbox. Returns whether it was a monitor."""
        return self._scope().members.unwatch(ref)

    def _scope(self) -> Scope:
        scope = Scope.found(current_runtime(), self.name)
        if scope is None:
            raise NoProcessError(f"{self!r} was not started in this runtime: make it a child of the program")
        return scope


@final
class _GroupsServer(GenServer):
    """Hears of nodes and of their members."""

    async def init(self, name: str) -> None:
        """Ask all nodes for their members, and tell them of those of this one."""
        self._scope = Scope.made(self_pid().runtime, name)
        self._parts: dict[Node, Entries] = {}
        monitor_nodes()
        up = nodes()
        for gone in {*self._scope.members.remote} - {*up}:
            self._scope.members.replace(gone, {})
        for node in up:
            self._scope.ask(node)
            self._scope.tell_of_all(node)

    async def handle_info(self, message: Any) -> None:  # noqa: ANN401 - as the base says
        """Take what a node says. What it says of processes that are not its own is left alone."""
        members = self._scope.members
        match message:
            case NodeUp(node):
                self._scope.tell_of_all(node)
            case Gap(Node() as node, "signals"):  # the line was cut: what was on it is lost
                self._parts.pop(node, None)
                self._scope.tell_of_all(node)
            case Gap():
                pass
            case NodeDown(node):
                self._parts.pop(node, None)
                members.replace(node, {})
            case ("joined", group, Pid() as pid) if pid.node in self._up() and _has_hash(group):
                members.enter(pid.node, group, pid)
            case ("left", group, Pid() as pid) if pid.node in self._up() and _has_hash(group):
                members.remove(pid.node, group, pid)
            case ("members", Node() as node, list(part), bool(is_last)) if node in self._up() and _is_of(node, part):
                entries = self._parts.setdefault(node, {})
                for group, pid, count in part:
                    entries.setdefault(group, {})[pid] = count
                if is_last:
                    members.replace(node, self._parts.pop(node))
            case ("ask", Node() as node):
                self._scope.tell_of_all(node)
            case _:
                await super().handle_info(message)

    @staticmethod
    def _up() -> list[Node]:
        return nodes()


def _has_hash(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_of(node: Node, part: list[object]) -> bool:
    """Say whether these are entries of processes of a node: a node speaks for its own members only (ND103)."""
    return all(
        isinstance(one, tuple)
        and len(one) == 3  # noqa: PLR2004 - group, process, count
        and _has_hash(one[0])
        and isinstance(one[1], Pid)
        and one[1].node == node
        and one[2] in range(1, MAX_COUNT + 1)
        for one in part
    )
