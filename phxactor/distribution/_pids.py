"""What stands here for processes, names and return addresses of other nodes. They only pass on what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, final

from phxactor.cluster import Node
from phxactor.distribution._frames import Op
from phxactor.runtime import From, Monitor, NoProcessError, NotLocalError, Pid, Reason, RemotePid, drop_link

if TYPE_CHECKING:
    from phxactor.distribution._peer import Peer


class Elsewhere(RemotePid):
    """What signals for another node have in common: `peer` takes them."""

    __slots__ = ("peer",)

    def __init__(self, peer: Peer, number: int, initial_call: str) -> None:
        """Make the record; `Peer.pid` and `Peer.named` keep one for each process or name."""
        super().__init__(peer.runtime, number, initial_call, peer.node)
        self.peer = peer

    @property
    def node(self) -> Node:
        """The node on which it lives."""
        return self.peer.node

    def absence(self) -> Reason:
        """Return `NOPROC` for a process of an earlier life of a node that is up, else `NOCONNECTION` (ND36)."""
        return self.peer.absence()


@final
class NodePid(Elsewhere):
    """A process of another node, which keeps its number there. For each there is one object here."""

    __slots__ = ()

    def sent(self, message: object) -> None:
        """Send it a message. Raises CannotTravelError for one that cannot travel."""
        self.peer.send(self, message)

    def exited(self, source: Pid, reason: Reason) -> None:
        """Send it an exit signal."""
        self.peer.signal(Op.EXIT, source, self, reason)

    def linked(self, owner: Pid) -> None:
        """Link it with a local process."""
        if self.peer.is_own_past() and not owner.trapping:
            drop_link(owner, self)
            raise NoProcessError(f"cannot link to {self!r}: it has ended")
        self.peer.link(owner, self)

    def unlinked(self, owner: Pid) -> None:
        """Remove the link."""
        self.peer.unlink(owner, self)

    def link_ended(self, owner: Pid, reason: Reason) -> None:
        """Tell it that a local process has ended."""
        self.peer.signal(Op.LINK_ENDED, owner, self, reason)

    def monitored(self, watch: Monitor) -> None:
        """Let a local process watch it."""
        self.peer.monitor(watch, self)

    def demonitored(self, watch: Monitor) -> bool:
        """Watch it no more; what has not come yet counts as active (M9, ND35)."""
        self.peer.demonitor(watch)
        return True

    @property
    def alive(self) -> bool:
        """False for a process of an earlier life of this node (ND37). Raises NotLocalError for others (ND5)."""
        if self.peer.is_own_past():
            return False
        raise NotLocalError(f"whether {self!r} is alive is known on its node only: call it, or monitor it")


@final
class NamedPid(Elsewhere):
    """`(name, node)`: whoever has the name there when a signal arrives (ND3)."""

    __slots__ = ("name_there",)

    def __init__(self, peer: Peer, name: str) -> None:
        """Make an address."""
        super().__init__(peer, 0, name)
        self.name_there = name.encode()

    def sent(self, message: object) -> None:
        """Send a message to whoever has the name."""
        self.peer.send(self, message)

    def monitored(self, watch: Monitor) -> None:
        """Watch whoever has the name."""
        self.peer.monitor(watch, self)

    def demonitored(self, watch: Monitor) -> bool:
        """Watch it no more. Of a name on a node that is not there no monitor was ever active (ND35)."""
        self.peer.demonitor(watch)
        return not self.peer.is_absent()

    def exited(self, source: Pid, reason: Reason) -> NoReturn:
        """Raise NotLocalError: exit signals and links are for processes."""
        raise self._no_process()

    def linked(self, owner: Pid) -> NoReturn:
        """Raise NotLocalError."""
        raise self._no_process()

    def unlinked(self, owner: Pid) -> None:
        """Do nothing: it has no links."""

    def link_ended(self, owner: Pid, reason: Reason) -> None:
        """Do nothing: it has no links."""

    def _no_process(self) -> NotLocalError:
        return NotLocalError(f"{self!r} is an address, no process")


@final
class RemoteMonitor(Monitor):
    """A monitor that a process of another node holds on a local one, or the return address of its call."""

    __slots__ = ("number", "of_call")

    owner: NodePid

    def __init__(self, owner: NodePid, target: Pid, number: int, *, of_call: bool) -> None:
        """Make the value; `number` is what the owner's node calls it."""
        super().__init__(owner, target)
        self.number: int = number
        self.of_call = of_call
        """Whether the first answer ends it."""


@final
class RemoteFrom(From):
    """A return address of another node that has come in a message."""

    __slots__ = ("__weakref__", "number")

    owner: NodePid

    def __init__(self, owner: NodePid, number: int) -> None:
        """Make the value; `number` is what the owner's node calls it."""
        super().__init__(owner)
        self.number = number
