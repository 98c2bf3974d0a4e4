"""The keeper of an application's requests: it ends after the last of them, and before the lifespan ends.

A request's process may go on behind its answer and behind its connection: a background task, or work whose client has
left. The endpoint's drainer waits for connections, so this process waits for the others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from phxactor.otp import GenServer
from phxactor.runtime import SHUTDOWN, Reason, counted, monitor, self_pid, trap_exit

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication


class Requests(GenServer):
    """The keeper; its state is in `HostedApplication`."""

    async def init(self, hosted: HostedApplication) -> None:
        """Trap exits, for `terminate`."""
        trap_exit()
        self.hosted = hosted

    async def terminate(self, reason: Reason) -> None:
        """Wait for the requests, up to the endpoint's limit for draining; after a crash of the lifespan, end them."""
        hosted = self.hosted
        if hosted.ready:
            await self._wait(hosted.drain_limit)
        hosted.ready = False
        for pid in [*hosted.requests, *hosted.websockets]:
            pid.exit(SHUTDOWN)
        await self._wait(math.inf)

    async def _wait(self, seconds: float) -> None:
        me = self_pid()
        left = {monitor(pid) for pid in [*self.hosted.requests, *self.hosted.websockets]}
        with counted(me.runtime.timers, seconds):
            while left:
                down = await me.receive_refs(left, 0, None)
                left.discard(down.ref)  # type: ignore[attr-defined]  # a Down has a ref
