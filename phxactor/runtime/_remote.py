"""What stands here for a process of another node: the record, and what the runtime tells it.

    local process ── send, exit, link, monitor ──▶ RemotePid ── its hooks ──▶ whoever carries signals to that node
                  ◀── elsewhere.ended, elsewhere.down, link_signal, ... ────────────────────────────────────────

The runtime knows no nodes. Whoever carries signals makes a subclass, and keeps one object for each remote process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from phxactor.runtime._errors import NotLocalError, not_here
from phxactor.runtime._pid import Pid, current, silenced
from phxactor.runtime._reasons import NOCONNECTION
from phxactor.runtime._state import REMOTE

if TYPE_CHECKING:
    from phxactor.runtime._messages import Monitor
    from phxactor.runtime._reasons import Reason
    from phxactor.runtime._runtime import Runtime


class Remote(Protocol):
    """What knows the processes of other nodes; `Runtime.remote`."""

    @property
    def node(self) -> object:
        """This node, as others see it."""

    def named(self, name: str, node: object) -> Pid | None:
        """Return whom `(name, node)` addresses now; None if `node` is this node and the name is not registered.

        Raises TypeError if `node` is no node.
        """


class RemotePid(Pid, ABC):
    """A process of another node, or an address of one: it has neither a task nor a mailbox here.

    Links and monitors of local processes are in its tables, as in those of any process; a monitor that the remote
    process holds on a local one is in `monitors`. All hooks are synchronous, and run in the step of the caller.
    """

    __slots__ = ("_node",)

    def __init__(self, runtime: Runtime, number: int, initial_call: str, node: object) -> None:
        """Make the record."""
        super().__init__(runtime, number, initial_call, None)
        self.state = REMOTE
        self._node = node

    def __repr__(self) -> str:
        """Show the number there and the node."""
        return f"#PID<{self.number} {self.initial_call} @ {self._node}>"

    @property
    def node(self) -> Any:  # noqa: ANN401 - the runtime knows no nodes
        """The `Node` on which it lives."""
        return self._node

    @property
    def alive(self) -> bool:
        """Raise NotLocalError: whether it lives is known on its node only (ND5)."""
        raise NotLocalError(f"whether {self!r} is alive is known on its node only: call it, or monitor it")

    def send(self, message: object) -> None:
        """Send it a message, as `Pid.send`. Raises TypeError if the message cannot travel."""
        if get_ident() != self.thread:
            raise not_here(self)
        self.deliver(message)

    def deliver(self, message: object) -> None:
        """Do as `send`, without the check of the thread."""
        if silenced and current.get(None) in silenced:
            return
        self.sent(message)

    def exit(self, reason: Reason) -> None:
        """Send it an exit signal, as `Pid.exit`."""
        self.runtime.exit(self, reason)

    def absence(self) -> Reason:
        """Return what links and monitors are told that are made while there is no line to its node."""
        return NOCONNECTION

    def called(self, watch: Monitor, reason: Reason) -> Reason:
        """Return why a call fails whose monitor `watch` has fired: `("nodedown", node)` for a lost line (ND82)."""
        return ("nodedown", self._node) if watch.late else reason

    # ---------------------------------------------------------------------------- hooks, told by the runtime

    @abstractmethod
    def sent(self, message: object) -> None:
        """Take a message for it; a `Down` whose monitor it owns, and an `Answer` to it, are such too."""

    @abstractmethod
    def exited(self, source: Pid, reason: Reason) -> None:
        """Take an exit signal of `source` for it (X4 to X9)."""

    @abstractmethod
    def linked(self, owner: Pid) -> None:
        """Note that a local process has linked it, and had not before; the link is in both tables."""

    @abstractmethod
    def unlinked(self, owner: Pid) -> None:
        """Note that a local process has removed its link; it is in neither table."""

    @abstractmethod
    def link_ended(self, owner: Pid, reason: Reason) -> None:
        """Note that a local process that was linked with it has ended."""

    @abstractmethod
    def monitored(self, watch: Monitor) -> None:
        """Note that a local process watches it; `watch` is in both tables."""

    @abstractmethod
    def demonitored(self, watch: Monitor) -> bool:
        """Note that a local process watches it no more: the process has removed the monitor, or has ended.

        Returns whether the monitor was still active: what `demonitor` returns (ND35).
        """
