"""The connections of an endpoint as rows: who is connected, for how long, and what waits for whom."""

from __future__ import annotations

import time
from heapq import nlargest
from typing import Final, final

from trio.lowlevel import checkpoint

from phxactor.endpoint import Serving
from phxactor.observer._texts import optional, text
from phxactor.observer._viewer import Viewer
from phxactor.runtime import Pid, Runtime
from phxactor.transport import TransportStatistics, transport_of

SORTS: Final = frozenset({"age", "in", "out", "waits", "channels"})
SLICE: Final = 200
"""Connections that are looked at without a pause."""
SECONDS: Final = 5.0
"""Seconds between two looks at all connections, where an order or a search needs it; those seen are always read."""


@final
class Sockets:
    """The connections."""

    def __init__(self, runtime: Runtime, endpoint: str) -> None:
        """Show the connections of the endpoint with this name."""
        self.runtime = runtime
        self.endpoint = endpoint
        self.looked = -SECONDS
        self.known: dict[Pid, TransportStatistics] = {}
        """All connections, as they were at the last look."""
        self.traffic: dict[Pid, tuple[float, int]] = {}
        """When a connection was read last, and the bytes that had come then."""

    async def frame(self, viewer: Viewer) -> dict[str, object]:
        """Return the payload of `rows`."""
        view = viewer.view
        pids = self.pids()
        if view.search or view.sort not in (None, "age"):
            await self.look(pids)
            pids = [pid for pid in pids if pid in self.known and view.search in self.searched(pid)]
        held = 0
        if view.frozen:
            now, pids = pids, viewer.kept(pids)
            held = sum(pid.number > viewer.newest for pid in now)
        elif view.sort not in (None, "age"):
            pids = nlargest(view.first + view.count, pids, key=lambda pid: value(self.known[pid], view.sort))
        seen = pids[view.first : view.first + view.count]
        return {
            "total": len(pids) if view.sort in (None, "age") or view.frozen else len(self.known),
            "from": view.first,
            "view": view.number,
            "held": held,
            "rows": [row for pid in seen if (row := self.row(pid)) is not None],
        }

    def pids(self) -> list[Pid]:
        """List the processes of connections to sockets, the oldest first."""
        serving = Serving.found(self.endpoint, self.runtime)
        pids = [] if serving is None else [pid for pid in serving.transport_pids() if pid.port is not None]
        pids.sort(key=lambda pid: pid.number)
        return pids

    async def look(self, pids: list[Pid]) -> None:
        """Read all connections, in slices, unless that was just done."""
        now = self.runtime.now()
        if now - self.looked < SECONDS:
            return
        self.looked = now
        known: dict[Pid, TransportStatistics] = {}
        for place, pid in enumerate(pids, 1):
            found = transport_of(pid)
            if found is not None:
                known[pid] = found
            if place % SLICE == 0:
                await checkpoint()
        self.known = known

    def searched(self, pid: Pid) -> str:
        """Return what a search looks in."""
        one = self.known[pid]
        return f"{one.socket} {one.id or ''} {text(pid.label)} {one.peer} {one.transport} {pid.number}".lower()

    def row(self, pid: Pid) -> tuple[object, ...] | None:
        """Return the row of a connection; None if it has ended."""
        one = transport_of(pid)
        if one is None:
            return None
        self.known[pid] = one
        came, went = one.traffic or (None, None)
        return (
            pid.number,
            one.socket,
            optional(one.id),
            None if pid.label is None or pid.label == one.peer else text(pid.label),
            one.transport,
            one.peer,
            None if one.since is None else round(time.time() - (self.runtime.now() - one.since), 1),
            came,
            went,
            one.waiting,
            one.channels,
            self.rate(pid, came),
        )

    def rate(self, pid: Pid, came: int | None) -> float | None:
        """Return the bytes that came in a second, since this connection was read last."""
        now = self.runtime.now()
        if came is None or not pid.alive:
            return None
        before, then = self.traffic.get(pid, (now, came))
        if now - before < 0.5:  # noqa: PLR2004 - a frame for a scrolling viewer
            self.traffic.setdefault(pid, (now, came))
            return 0.0
        self.traffic[pid] = now, came
        return round((came - then) / (now - before), 1)

    def second(self) -> None:
        """Forget the connections that have ended."""
        self.traffic = {pid: seen for pid, seen in self.traffic.items() if pid.alive}


def value(one: TransportStatistics, sort: str | None) -> int:
    """Return what the rows are sorted by."""
    match sort:
        case "waits":
            return one.waiting
        case "channels":
            return one.channels
        case "in":
            return 0 if one.traffic is None else one.traffic[0]
        case _:
            return 0 if one.traffic is None else one.traffic[1]
