"""The process of a PubSub: its tables are there while it runs, and empty when it starts again."""

from __future__ import annotations

from phxactor.otp import GenServer, Reply
from phxactor.otp.events import brief
from phxactor.pubsub.tables import Tables
from phxactor.runtime import From, is_atom, own, self_pid


class PubSubServer(GenServer):
    """Owns the tables; answers `call(server, "statistics")`."""

    async def init(self) -> None:
        """Begin with empty tables, which are found by this process's name."""
        self.tables = Tables()
        pid = self_pid()
        pid.dictionary = {**(pid.dictionary or {}), Tables: self.tables}
        own(pid, self.tables.end)

    async def handle_call(self, request: object, from_: From) -> Reply:
        """Answer `"statistics"`."""
        if not is_atom(request, "statistics"):
            raise ValueError(f"a PubSub answers 'statistics', not {brief(request)}")
        return Reply(self.tables.statistics())
