"""The process that a PubSub's tables live and die with: when it starts, or starts again, they are empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phxactor.otp import GenServer, Reply
from phxactor.otp.events import brief
from phxactor.runtime import From, is_atom, self_pid

if TYPE_CHECKING:
    from phxactor.pubsub.pubsub import PubSub


class PubSubServer(GenServer):
    """Owns the tables; answers `call(server, "statistics")`."""

    async def init(self, pubsub: PubSub) -> None:
        """Begin with empty tables."""
        self.pubsub = pubsub
        pubsub.clear(self_pid())

    async def handle_call(self, request: object, from_: From) -> Reply:
        """Answer `"statistics"`."""
        if not is_atom(request, "statistics"):
            raise ValueError(f"a PubSub answers 'statistics', not {brief(request)}")
        return Reply(self.pubsub.statistics())
