"""The channels of the page: one for each panel that is shown. They check what a viewer asks; the collector sends it."""

from __future__ import annotations

from typing import ClassVar, Final

from phxactor.channels import Channel, HandleResult, JoinResult, Payload, on
from phxactor.observer._hub import Hub
from phxactor.observer._settings import Settings
from phxactor.observer._view import View, WrongViewError
from phxactor.observer._viewer import Viewer
from phxactor.otp import Error, NoReply, Ok, Stop
from phxactor.runtime import Down, Monitor, Pid, Shutdown, monitor, self_pid, send_after

IDLE: Final = 15 * 60.0
"""Seconds without a message of the viewer after which its panel ends."""
AGAIN: Final = 1.0
"""Seconds until a panel asks for the collector again."""
NOT_RUNNING: Final = {"reason": "the observer does not run"}


class Panel(Channel):
    """A panel: joins the collector, and leaves it when the viewer leaves or is idle."""

    sorts: ClassVar[frozenset[str]] = frozenset()
    """The orders that its rows may have."""
    settings: Settings

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        """Let the viewer in; the collector sends the first frame soon."""
        pid = self_pid()
        hub = Hub.found(self.socket.endpoint.name, pid.runtime)  # type: ignore[attr-defined]
        if hub is None:
            return Error(NOT_RUNNING)
        self.hub = hub
        self.settings = self.assigns.observer
        self.viewer = Viewer(pid, self.socket, topic.partition(":")[2])
        self.collector: Pid | None = None
        self.watch: Monitor | None = None
        self.heard = pid.runtime.now()
        first = await self.first()
        if isinstance(first, Error):
            return first
        pid.send("watch")
        send_after(pid, "idle", IDLE)
        return Ok(first)

    async def first(self) -> dict[str, object] | Error:
        """Return the answer of the join."""
        return {}

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Ask the collector for frames, again if it has ended; end when the viewer is idle."""
        match message:
            case "watch":
                self.collector = await self.hub.collector()
                if self.collector is None:
                    return Stop(Shutdown("no collector"))
                self.watch = monitor(self.collector)
                self.collector.send(self.viewer)
            case "idle":
                now = self_pid().runtime.now()
                if now - self.heard >= IDLE:
                    self.push("idle", {})
                    self.socket.close(Shutdown("idle"))
                    return Stop(Shutdown("idle"))
                send_after(self_pid(), "idle", self.heard + IDLE - now)
            case Down() if message.ref is self.watch:
                send_after(self_pid(), "watch", AGAIN)
        return None

    def heard_of(self) -> None:
        """Note that the viewer is there."""
        self.heard = self_pid().runtime.now()

    def ask_soon(self) -> None:
        """Have the collector send a frame soon."""
        self.viewer.asked = True
        if self.collector is not None:
            self.collector.send(self.viewer)

    @on("view")
    async def view(self, payload: Payload) -> HandleResult:
        """Show another window of the rows."""
        try:
            self.viewer.view = View.parse(payload, self.sorts)
        except WrongViewError as wrong:
            return Error({"reason": str(wrong)})
        if not self.viewer.view.frozen:
            self.viewer.arranged = None
        self.viewer.sent = None  # rows come even if they are the same
        self.heard_of()
        self.ask_soon()
        return Ok()

    @on("here")
    async def here(self, _: Payload) -> HandleResult:
        """Note that somebody still looks."""
        self.heard_of()
        return Ok()

    async def handle_in(self, event: str, payload: Payload) -> HandleResult:
        """Refuse what the panel does not know."""
        return Error({"reason": f"this panel knows no {event[:40]!r}"})
