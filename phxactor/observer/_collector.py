"""The collector: the one process that reads what viewers look at; it runs while somebody looks.

Each second it reads what the panels in view need, one viewer after the other, and lets other processes run between
them. Its cost is bounded by what is seen: a window of rows for each viewer.
"""

from __future__ import annotations

from typing import Final

from trio.lowlevel import checkpoint

from phxactor.channels import reply
from phxactor.observer._forest import Forest
from phxactor.observer._hub import Hub
from phxactor.observer._panels import Panels
from phxactor.observer._viewer import Find, Members, Viewer
from phxactor.observer._window import path_of, place_of
from phxactor.otp import ChildSpec, Continue, GenServer, Ok, Stop
from phxactor.runtime import NORMAL, Down, Monitor, Pid, monitor, own, self_pid, send_after

INTERVAL: Final = 1.0
"""Seconds between two frames."""
SOON: Final = 0.1
"""Fewest seconds between two frames to one viewer: after it has scrolled, for example."""
LINGER: Final = 10.0
"""Seconds for which the collector stays after the last viewer has gone."""
SLICE: Final = 250
"""Processes that are taken in without a pause at the first look."""


class Collector(GenServer):
    """The process."""

    async def init(self, hub: Hub) -> Continue:
        """Follow the events of the runtime from now on, and take in all processes afterwards."""
        self.pid = self_pid()
        self.hub = hub
        self.viewers: dict[Pid, Viewer] = {}
        self.watches: dict[Monitor, Pid] = {}
        self.forest = Forest(self.pid.runtime)
        self.panels = Panels(hub, self.forest)
        self.idle = 0.0
        self.soon = False
        """Whether a frame for those who have asked is on its way."""
        self.forest.attach()
        self.panels.start()
        own(self.pid, self.let_go)
        return Continue(None)

    async def handle_continue(self, _: object) -> None:
        """Take in all processes, in slices."""
        known = [*self.pid.runtime.processes.values()]
        for place, pid in enumerate(known, 1):
            if pid.runtime.processes.get(pid.number) is pid:
                self.forest.add(pid)
            if place % SLICE == 0:
                await checkpoint()
        self.forest.settle()
        self.pid.send("tick")

    def let_go(self, _: Pid) -> None:
        """Follow nothing any more."""
        self.forest.detach()
        self.panels.stop()

    async def handle_info(self, message: object) -> Stop | None:
        """Take a new viewer, its wish, or its end; or send frames."""
        match message:
            case "tick":
                send_after(self.pid, "tick", INTERVAL)
                return await self.tick()
            case "soon":
                self.soon = False
                for viewer in [viewer for viewer in self.viewers.values() if viewer.asked and not viewer.is_slow()]:
                    await self.frame(viewer)
            case Find():
                pid = self.pid.runtime.processes.get(message.number)
                node = None if pid is None else self.forest.nodes.get(pid)
                path, index = ([], None) if node is None else (path_of(node), place_of(node, message.view))
                reply(message.to, Ok({"path": path, "index": index}))
            case Members():
                reply(message.to, Ok(self.panels.topics.members(message.topic)))
            case Viewer():
                if message.pid not in self.viewers:
                    self.watches[monitor(message.pid)] = message.pid
                    self.viewers[message.pid] = message
                    self.panels.joined(message)
                if not self.soon:
                    self.soon = True
                    send_after(self.pid, "soon", max(0.0, message.looked + SOON - self.pid.runtime.now()))
            case Down():
                pid = self.watches.pop(message.ref, None)
                if pid is not None:
                    self.panels.left(self.viewers.pop(pid))
        return None

    async def tick(self) -> Stop | None:
        """Send a frame to each viewer; stop if there has been none for a while."""
        if self.viewers:
            self.idle = 0.0
        else:
            self.idle += INTERVAL
            if self.idle > LINGER:
                return Stop(NORMAL)
        news = await self.panels.second()
        await checkpoint()
        # Before the first push: the panels of a page share its transport, where each push waits for a moment.
        ready = [viewer for viewer in self.viewers.values() if not viewer.is_slow()]
        for viewer in ready:
            for event, payload in news.get(viewer.kind, ()):
                viewer.push(event, payload)
        for viewer in ready:
            await self.frame(viewer)
        return None

    async def frame(self, viewer: Viewer) -> None:
        """Send what a viewer looks at; others run before it."""
        await checkpoint()
        if viewer.pid in self.viewers:
            viewer.asked = False
            viewer.looked = self.pid.runtime.now()
            await self.panels.show(viewer)

    @classmethod
    def spec(cls, name: str, hub: Hub) -> ChildSpec:
        """Return the specification of the collector with this name."""
        return ChildSpec(id="collector", start=(cls.start_link, (hub,), {"name": name}), restart="transient")
