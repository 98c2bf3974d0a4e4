"""The cluster as this node sees it: other nodes, what carries messages, and the workers of its parent."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, final

import trio

from phxactor.cluster import LocalNode
from phxactor.cluster import events as cluster
from phxactor.cluster.carriers.workers import this_worker
from phxactor.observer._shards import rows
from phxactor.observer._texts import text
from phxactor.runtime import Runtime
from phxactor.telemetry import Event
from phxactor.workers import FolderError, WorkerState, ask_state

ASK_EVERY: Final = 3.0
"""Seconds between two questions to the parent of the workers."""


@final
class Nodes:
    """The view of this node."""

    def __init__(self, runtime: Runtime) -> None:
        """Know nothing of before."""
        self.runtime = runtime
        self.since: dict[bytes, float] = {}
        """Since when a node is known, as far as somebody looks, in unix seconds."""
        self.gaps: Counter[bytes] = Counter()
        self.workers: list[WorkerState] | None = None
        self.asked = -ASK_EVERY

    def start(self) -> None:
        """Follow the cluster's events."""
        cluster.gap.attach(self.count)

    def stop(self) -> None:
        """Follow them no more."""
        cluster.gap.detach(self.count)

    def count(self, _: Event, fields: Mapping[str, Any]) -> None:
        """Count a gap."""
        if fields["node"] is not None:
            self.gaps[fields["node"].id] += 1

    async def frame(self) -> dict[str, object]:
        """Return the payload of `nodes`."""
        await self.ask()
        node = LocalNode.found(self.runtime)
        workers = None if self.workers is None else [_worker(one) for one in self.workers]
        if node is None:
            return {"self": None, "carriers": [], "nodes": [], "workers": workers, "sharded": rows(self.runtime)}
        now, counts = self.runtime.now(), node.statistics().carriers
        reached = {name: {one.id for one in node.reached(name)} for name in counts}
        return {
            "self": text(node.identity.name),
            "carriers": [
                (
                    text(name),
                    "ready" if one.away is None else f"away: {text(one.away.why)}",
                    None if one.away is None else one.away.at,
                    one.nodes,
                    one.sent,
                    one.received,
                    one.dropped,
                )
                for name, one in counts.items()
            ],
            "nodes": [
                (
                    text(other.name),
                    other.id.hex()[-8:],
                    [text(name) for name, ids in reached.items() if other.id in ids],
                    self.since.setdefault(other.id, time.time()),
                    self.gaps[other.id],
                    min(
                        (now - heard for name in counts if (heard := counts[name].last_heard) is not None), default=None
                    ),
                )
                for other in node.nodes()
            ],
            "workers": workers,
            "sharded": rows(self.runtime),
        }

    async def ask(self) -> None:
        """Ask the parent of this worker for all workers, in a thread, now and then."""
        now = self.runtime.now()
        if this_worker() is None or now - self.asked < ASK_EVERY:
            return
        self.asked = now
        try:
            self.workers = (await trio.to_thread.run_sync(ask_state, os.getppid(), abandon_on_cancel=True)).workers
        except (OSError, ValueError, FolderError):
            self.workers = []


def _worker(one: WorkerState) -> tuple[object, ...]:
    return (one.number, one.process, one.state, one.connections, one.restarts, one.age)
