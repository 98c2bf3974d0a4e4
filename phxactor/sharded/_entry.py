"""One key that this node runs: its process, who watches it, and what waits while it ends."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, final

from phxactor.otp import UNSET, Call, Cast
from phxactor.runtime import From, Monitor, Pid, Reason, exit_signal, link_signal
from phxactor.sharded._instance import HAND_OVER
from phxactor.sharded._ops import Far, Op, Watcher, fire

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.sharded._region import Region


class Phase(Enum):
    """What becomes of a key's server. It goes downward only; then the entry is gone.

    RUNNING     takes what comes, from the moment of its start on
    CLOSING     nothing has come for the idle time, and it ends; what comes waits, and starts it again
    MOVING      another node owns the key; what comes waits, and follows the state there
    """

    RUNNING = 0
    CLOSING = 1
    MOVING = 2


@final
class FarCall(From):
    """The return address of a call of another node."""

    __slots__ = ("entry", "watcher")

    def __init__(self, entry: Entry, watcher: Far) -> None:
        """Make an active address."""
        super().__init__(entry.pid)
        self.entry = entry
        self.watcher = watcher

    def reply(self, value: object) -> None:
        """Send the answer to the caller's node. Raises TypeError if it cannot travel."""
        if self.active:
            self.entry.region.places.answer(self.watcher, value)
            self.active = False
            self.entry.watchers.pop(self.watcher, None)


@final
class Entry:
    """One key that this node runs."""

    __slots__ = ("__weakref__", "key", "phase", "pid", "queue", "region", "state", "watchers")

    pid: Pid

    def __init__(self, region: Region, key: str) -> None:
        """Prepare it; the region starts the process."""
        self.region = region
        self.key = key
        self.phase = Phase.RUNNING
        self.queue: list[Op] = []
        self.watchers: dict[Watcher, bool] = {}
        """Who is told of the end, and whether it waits for an answer."""
        self.state: object = UNSET
        """What `hand_over` has returned."""

    @property
    def is_running(self) -> bool:
        """Whether it takes what comes."""
        return self.phase is Phase.RUNNING

    def take(self, op: Op) -> None:
        """Do something to the server, or let it wait."""
        if op.kind == "unwatch":
            self.watchers.pop(op.watcher, None)  # type: ignore[arg-type]
        elif self.phase is not Phase.RUNNING:
            self.region.wait_for_end(self, op)
        else:
            self._do(op)

    def _do(self, op: Op) -> None:
        match op.kind:
            case "send":
                self.pid.deliver(op.body)
            case "cast":
                self.pid.deliver(Cast(op.body))
            case "call":
                self._call(op)
            case "watch":
                if op.watcher is not None:
                    self.watchers[op.watcher] = False
            case _:
                self._signal(op.kind, op.body)

    def _signal(self, kind: str, body: Any) -> None:  # noqa: ANN401 - what another node says
        match body:
            case (Pid() as source, reason):
                (exit_signal if kind == "exit" else link_signal)(self.pid, source, reason)

    def _call(self, op: Op) -> None:
        watcher = op.watcher
        if isinstance(watcher, Far):
            self.watchers[watcher] = True
            self.pid.deliver(Call(op.body, FarCall(self, watcher)))
        elif isinstance(watcher, Monitor):
            if watcher.owner is self.pid:
                fire(watcher, "calling_self")
                return
            if watcher.active:
                self.watchers[watcher] = True
            self.pid.deliver(Call(op.body, watcher))

    # -------------------------------------------------------------------------------------------- its end

    def close(self) -> bool:
        """Let what comes from now on wait, if nothing is open; called by the process, which then ends (NO29)."""
        if self.phase is not Phase.RUNNING or self.pid.mailbox or any(self.watchers.values()):
            return False
        self.phase = Phase.CLOSING
        return True

    def move(self) -> None:
        """Let what comes from now on wait, and the server end after what has come before."""
        if self.phase is Phase.RUNNING:
            self.pid.deliver(HAND_OVER)
        self.phase = Phase.MOVING

    def forget(self, node: Node) -> None:
        """Forget who watches from a node that is gone."""
        for watcher in [one for one in self.watchers if isinstance(one, Far) and one.node == node]:
            del self.watchers[watcher]

    def ended(self, _: Pid) -> None:
        """Hear of the end of the process, before anybody else does."""
        self.region.ended(self)

    def tell(self, reason: Reason) -> None:
        """Tell all who watch."""
        watchers, self.watchers = self.watchers, {}
        for watcher in watchers:
            self.region.fire(watcher, reason)
