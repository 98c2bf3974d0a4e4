"""The tracker's process: it sends the diffs whose time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from phxactor.otp import GenServer, NoReply, Stop
from phxactor.presence._publisher import FLUSH
from phxactor.runtime import self_pid

if TYPE_CHECKING:
    from phxactor.presence._tables import Tables


@final
class TrackerProcess(GenServer):
    """The process of one Presence or Tracker. Its tables are its supervisor's, so that they outlive it."""

    async def init(self, tables: Tables) -> None:
        """Take over: what the last one has left behind goes out."""
        self.tables = tables
        pid = self_pid()
        if tables.publisher.fetching is not None:
            tables.publisher.fetching.tracker = pid
        tables.publisher.tracker_starts(pid)

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Send diffs when told to."""
        if message is FLUSH:
            self.tables.publisher.flush()
            return None
        return await super().handle_info(message)
