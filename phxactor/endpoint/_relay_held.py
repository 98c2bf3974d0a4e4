"""Requests to a session whose node cannot be reached while a carrier is away: they wait until it may be there again.

Nothing was said to the node, so nothing can be lost or doubled. A poll that has waited long enough is answered with
nothing: the client polls again, perhaps at the session's own node, and keeps its session. A publish request is
answered 410, as if the node were gone.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

import attrs

from phxactor.cluster import LocalNode
from phxactor.endpoint._relay_requests import RemotePoll, RemotePublication
from phxactor.otp import Call
from phxactor.runtime import Pid

SECONDS: Final = 5.0
"""Seconds that a request waits at most."""
AGAIN: Final = 0.25
"""Seconds from one try to the next."""
UNHEARD: Final = 2.0
"""Seconds after the return of a carrier in which a node may not have been heard yet; and seconds after that in which
the two tell each other what they have missed, which would end requests that were asked before.
"""
MOST: Final = 16_384
"""Requests that may wait."""
Request: TypeAlias = RemotePoll | RemotePublication


@final
@attrs.frozen(eq=False)
class Again:
    """A message to the relay: a request that waits is tried again."""

    call: Call


@final
class Held:
    """The requests that wait, of the process `pid`."""

    def __init__(self, node: LocalNode, pid: Pid | None) -> None:
        self._node = node
        self._pid = pid
        self._since: dict[Request, float] = {}
        self._away_at = float("-inf")
        """When a carrier was last seen to be away."""
        self._returned: dict[bytes, float] = {}
        """Until when nodes that are up again are still told what was missed."""

    def has(self, request: object) -> bool:
        """Say whether a request waits."""
        return request in self._since

    def is_unsure(self) -> bool:
        """Say whether a node that cannot be reached may be there all the same."""
        now = self._node.runtime.now()
        if self._node.health().state == "degraded":
            self._away_at = now
        return now < self._away_at + UNHEARD

    def returned(self, node_id: bytes) -> None:
        """Note that a node is up again."""
        now = self._node.runtime.now()
        self._returned = {one: until for one, until in self._returned.items() if until > now}
        self._returned[node_id] = now + UNHEARD

    def is_early(self, request: Request) -> bool:
        """Say whether the node of a request is down, or is up again and still tells what was missed."""
        return self._node.node(request.session.node_id) is None or self._is_back(request.session.node_id)

    def _is_back(self, node_id: bytes) -> bool:
        until = self._returned.get(node_id)
        return until is not None and self._node.runtime.now() < until

    def add(self, call: Call, request: Request) -> bool:
        """Have a request wait, or wait on; return False if it is not to wait, or has waited long enough."""
        now = self._node.runtime.now()
        since = self._since.get(request, now)
        waits = self.is_unsure() or self._is_back(request.session.node_id)
        if self._pid is None or not waits or now >= since + SECONDS or len(self._since) >= MOST:
            self.drop(request)
            return False
        self._since[request] = since
        self._node.runtime.timers.add(AGAIN, self._pid.send, Again(call))
        return True

    def drop(self, request: Request) -> None:
        """Have a request wait no more, if it does."""
        self._since.pop(request, None)
