"""The process of a PubSub. Its tables exist while it runs, and are empty after a restart."""

from __future__ import annotations

from phxactor.otp import GenServer, Reply
from phxactor.pubsub._tables import Tables
from phxactor.runtime import From, is_atom, own, self_pid
from phxactor.telemetry import brief


class PubSubServer(GenServer):
    """Owns the tables; answers `call(server, "statistics")`."""

    async def init(self) -> None:
        """Put empty tables into this process's dictionary, where `PubSub` finds them by the process's name."""
        self.tables = Tables()
        pid = self_pid()
        pid.dictionary = {**(pid.dictionary or {}), Tables: self.tables}
        own(pid, self.tables.end)

    async def handle_call(self, request: object, from_: From) -> Reply:
        """Answer `"statistics"` with a PubSubStatistics; any other request raises ValueError."""
        if not is_atom(request, "statistics"):
            raise ValueError(f"a PubSub answers 'statistics', not {brief(request)}")
        return Reply(self.tables.statistics())
