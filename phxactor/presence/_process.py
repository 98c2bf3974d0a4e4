"""The tracker's process: it sends the diffs whose time has come, and hears of other nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from phxactor.cluster import Gap, NodeDown, NodeUp, monitor_nodes
from phxactor.otp import GenServer, NoReply, Stop
from phxactor.presence._publisher import FLUSH
from phxactor.presence._replication import BEAT, Replication
from phxactor.runtime import SHUTDOWN, Reason, is_atom, self_pid, send_after, trap_exit

if TYPE_CHECKING:
    from phxactor.presence._tables import Tables

_BEAT: Final = "beat"


@final
class TrackerProcess(GenServer):
    """The process of one Presence or Tracker. Its tables are its supervisor's, so that they outlive it."""

    async def init(self, tables: Tables) -> None:
        """Take over: what the last one has left behind goes out, and other nodes are asked what they have."""
        self.tables = tables
        pid = self_pid()
        if tables.publisher.fetching is not None:
            tables.publisher.fetching.tracker = pid
        tables.publisher.tracker_starts(pid)
        if tables.replication is not None:
            trap_exit()  # so that `terminate` says goodbye
            monitor_nodes()
            tables.replication.start()
            send_after(pid, _BEAT, BEAT)

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Send diffs when told to; take news of nodes."""
        if message is FLUSH:
            self.tables.publisher.flush()
        elif self.tables.replication is None:
            return await super().handle_info(message)
        else:
            self._hear(self.tables.replication, message)
        return None

    def _hear(self, replication: Replication, message: object) -> None:
        match message:
            case NodeUp(node):
                replication.node_up(node)
            case NodeDown(node, reason):
                replication.node_down(node, returns=reason == "silent", orderly=reason == "left")
            case Gap(node):
                replication.gap(node)
            case "beat":
                replication.beat()
                send_after(self_pid(), _BEAT, BEAT)

    async def terminate(self, reason: Reason) -> None:
        """Say goodbye to the other nodes, if the program stops; after a crash the next process goes on."""
        if self.tables.replication is not None and is_atom(reason, SHUTDOWN):
            self.tables.replication.say_goodbye()
