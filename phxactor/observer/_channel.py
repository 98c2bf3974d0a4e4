"""The tree of processes on a channel, `channel("tree", TreeChannel)`, for pages that show it live.

This is a custom channel: a GenServer that follows the contract of channels by itself (docs/custom-channels.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phxactor.observer._render import tree
from phxactor.observer._snapshot import snapshot
from phxactor.otp import GenServer, Ok, Stop
from phxactor.runtime import (
    NOPROC,
    NORMAL,
    Down,
    From,
    Pid,
    Shutdown,
    Timer,
    cancel_timer,
    is_atom,
    monitor,
    own,
    self_pid,
    send_after,
)
from phxactor.runtime.events import exited, spawned
from phxactor.socket import Message, Socket
from phxactor.telemetry import Event

INTERVAL: Final = 1.0
"""Minimum seconds between two pushes; also the seconds between two looks for changes that have no event."""
SETTLE: Final = 0.05
"""Seconds from the start or end of a process to the look at the tree, since a crash seldom is the only change."""


class TreeChannel(GenServer):
    """Answers the join with `{"text": tree}`, and pushes the event `tree` with the same payload when the tree changed.

    It pushes soon after a process has started or ended, but never twice within `INTERVAL`.
    """

    async def init(self, arguments: tuple[object, From, Socket]) -> None:
        """Join: reply with the first picture."""
        _, from_, self.socket = arguments
        self.pid = self_pid()
        self.watch = monitor(self.socket.transport_pid)
        self.told = False
        """Whether a "changed" message has been sent since the last look."""
        for event in (spawned, exited):
            event.attach(self.changed)
        own(self.pid, self.detach)
        self.text = tree(snapshot())
        self.pushed = self.pid.runtime.now() - INTERVAL  # the first picture shows this channel half started
        self.timer: Timer | None = None
        self.look_after(SETTLE)
        from_.reply(Ok({"text": self.text}))

    def changed(self, _: Event, fields: Mapping[str, object]) -> None:
        """Send this channel "changed": a process has started or ended. Runs in the process that emits the event."""
        pid = fields["pid"]
        if not self.told and isinstance(pid, Pid) and pid.runtime is self.pid.runtime:
            self.told = True
            self.pid.send("changed")

    def detach(self, _: Pid) -> None:
        """Detach from the events when this channel's process has ended."""
        for event in (spawned, exited):
            event.detach(self.changed)

    async def handle_info(self, message: object) -> Stop | None:
        """Look at the tree when told to; stop when the client leaves or its transport ends."""
        if is_atom(message, "changed"):
            self.look_after(max(SETTLE, self.pushed + INTERVAL - self.pid.runtime.now()))
        elif is_atom(message, "look"):
            self.look()
        elif type(message) is Message and message.event == "phx_leave":
            self.socket.reply(message, "ok", {})
            self.socket.close(Shutdown("left"))
            return Stop(Shutdown("left"))
        elif type(message) is Message:
            self.socket.reply(message, "error", {"reason": "the tree channel takes no events"})
        elif type(message) is Down and message.ref is self.watch:
            reason = message.reason
            return Stop(Shutdown("closed") if is_atom(reason, NORMAL) or is_atom(reason, NOPROC) else reason)
        return None

    def look_after(self, seconds: float) -> None:
        """Plan the next look in `seconds`, instead of the one planned before."""
        if self.timer is not None:
            cancel_timer(self.timer)
        self.timer = send_after(self.pid, "look", seconds)

    def look(self) -> None:
        """Push the tree if its text has changed."""
        self.told = False
        self.look_after(INTERVAL)
        text = tree(snapshot())
        if text != self.text:
            self.text = text
            self.pushed = self.pid.runtime.now()
            self.socket.push("tree", {"text": text})
