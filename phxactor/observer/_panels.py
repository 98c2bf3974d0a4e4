"""The panels that the collector fills: what is read for those who look, and which data each of them gets."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final, final

from phxactor.observer import _process_view as process_view
from phxactor.observer._counting import Counting
from phxactor.observer._cpu import Sampling
from phxactor.observer._forest import Forest
from phxactor.observer._hub import Hub
from phxactor.observer._nodes import Nodes
from phxactor.observer._sockets import Sockets
from phxactor.observer._topics import Topics
from phxactor.observer._totals import total
from phxactor.observer._tree_rows import TreeRows
from phxactor.observer._viewer import Viewer
from phxactor.runtime import task_of

NAMES: Final = ("tree", "sockets", "topics", "nodes", "charts", "log")
"""The panels of the page."""


@final
class Panels:
    """What is collected for those who look."""

    def __init__(self, hub: Hub, forest: Forest) -> None:
        """Collect nothing yet."""
        self.hub = hub
        self.forest = forest
        self.viewers: Counter[str] = Counter()
        """Viewers by the kind of panel."""
        runtime = forest.runtime
        self.counting, self.sampling = Counting(runtime), Sampling(runtime)
        self.tree = TreeRows(forest)
        self.sockets = Sockets(runtime, hub.endpoint)
        self.topics = Topics(forest, hub.endpoint)
        self.nodes = Nodes(runtime)
        self.summary: dict[str, object] = {}
        self.point: dict[str, object] = {}
        self.counted = Counter(hub.history.counts)

    def start(self) -> None:
        """Count messages and take samples from now on."""
        self.counting.start()
        self.sampling.start()
        self.nodes.start()

    def stop(self) -> None:
        """Count nothing more."""
        self.counting.stop()
        self.sampling.stop()
        self.nodes.stop()
        self.topics.stop()
        self.hub.live = {}

    def joined(self, viewer: Viewer) -> None:
        """Collect what a new viewer looks at."""
        self.viewers[viewer.kind] += 1
        if viewer.kind == "topics" and self.viewers["topics"] == 1:
            self.topics.start()

    def left(self, viewer: Viewer) -> None:
        """Stop collecting what nobody looks at any more."""
        self.viewers[viewer.kind] -= 1
        if viewer.kind == "topics" and not self.viewers["topics"]:
            self.topics.stop()

    async def second(self) -> dict[str, list[tuple[str, object]]]:
        """Read what all viewers share, once a second; return the news of each kind of panel: events and payloads."""
        self.forest.settle()
        self.counting.second()
        self.sampling.second()
        self.topics.second()
        self.sockets.second()
        self.tree.rates, self.tree.cpu = self.counting.rates, self.sampling.shares
        p50, p99 = self.counting.take_durations()
        self.hub.live = {"messages": self.counting.rate, "p50": p50, "p99": p99}
        self.take()
        return {
            "summary": [("summary", self.summary)],
            "charts": [("point", self.point)],
            "tree": [("crash", story.payload()) for story in self.hub.stories.fresh()],
            "log": [("group", group.payload()) for group in self.hub.log.fresh()],
        }

    async def show(self, viewer: Viewer) -> None:
        """Send a viewer the frame of its panel."""
        match viewer.kind:
            case "tree":
                viewer.show("rows", await self.tree.frame(viewer))
            case "sockets":
                viewer.show("rows", await self.sockets.frame(viewer))
            case "topics":
                viewer.show("rows", self.topics.frame(viewer))
            case "nodes":
                viewer.show("nodes", await self.nodes.frame())
            case "process":
                viewer.show("process", await self.process(viewer))

    async def process(self, viewer: Viewer) -> dict[str, object]:
        """Return what is shown of a process."""
        pid = viewer.process
        assert pid is not None  # noqa: S101 - the panel has found it
        if viewer.task is None and pid.alive:
            viewer.task = await task_of(pid)
        task = viewer.task if pid.alive else None
        told = process_view.payload(pid, self.forest, self.hub.settings.redact)
        server = process_view.server_of(task)
        if server is not None and server.suspended:
            told["status"] = "suspended"
        cpu = self.sampling.shares
        return {
            **told,
            "state": viewer.state[0],
            "state_why": viewer.state[1],
            "stack": process_view.stack_of(task),
            "handled": self.counting.totals.get(pid, 0) + self.counting.counts.get(pid, 0),
            "rate": round(self.counting.rates.get(pid, 0.0), 1),
            "cpu": None if cpu is None else round(cpu.get(pid, 0.0), 4),
        }

    def take(self) -> None:
        """Take the numbers of this second."""
        totals, history = total(self.forest.runtime, self.hub.endpoint), self.hub.history
        before, self.counted = self.counted, Counter(history.counts)
        now = round(time.time(), 3)
        shared = {"processes": totals.processes, "connections": totals.connections, "memory": totals.memory}
        lag = round(history.lag, 4)
        self.summary = {
            **shared,
            **{name: self.counted[name] for name in ("crashes", "restarts", "joins")},
            "now": now,
            "messages": totals.messages,
            "zombies": totals.zombies,
            "lag": lag,
        }
        changes = {name: self.counted[name] - before[name] for name in ("crashes", "restarts", "joins")}
        self.point = {
            "at": now,
            "values": {**shared, **changes, **self.hub.live, "waiting": totals.messages, "lag": lag},
        }
