"""The picture on a channel: `channel("tree", TreeChannel)`, and a page shows what runs while it changes.

A custom channel: an actor that keeps the contract of channels by itself (docs/custom-channels.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phxactor.observer.render import tree
from phxactor.observer.snapshot import snapshot
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
"""Seconds between two pictures at the least, and between two looks for changes that nobody tells of."""
SETTLE: Final = 0.05
"""Seconds between a change and the look at it: a crash is seldom the only thing that happens."""


class TreeChannel(GenServer):
    """Answers the join with the tree as text, and pushes it as `tree` when it has changed: `{"text": ...}`.

    As soon as a process has come or gone, but never twice within `INTERVAL`.
    """

    async def init(self, arguments: tuple[object, From, Socket]) -> None:
        """Join: look for the first time."""
        _, from_, self.socket = arguments
        self.pid = self_pid()
        self.watch = monitor(self.socket.transport_pid)
        self.told = False
        """Whether a change has been told of since the last look."""
        for event in (spawned, exited):
            event.attach(self.changed)
        own(self.pid, self.detach)
        self.text = tree(snapshot())
        self.pushed = self.pid.runtime.now() - INTERVAL  # the first picture has this very channel half started in it
        self.timer: Timer | None = None
        self.look_after(SETTLE)
        from_.reply(Ok({"text": self.text}))

    def changed(self, _: Event, fields: Mapping[str, object]) -> None:
        """Take note that a process has come or gone; runs in whichever process did it."""
        pid = fields["pid"]
        if not self.told and isinstance(pid, Pid) and pid.runtime is self.pid.runtime:
            self.told = True
            self.pid.send("changed")

    def detach(self, _: Pid) -> None:
        """Hear of no more changes, once the process has ended."""
        for event in (spawned, exited):
            event.detach(self.changed)

    async def handle_info(self, message: object) -> Stop | None:
        """Look again; end with the client or its connection."""
        if is_atom(message, "changed"):
            self.look_after(max(SETTLE, self.pushed + INTERVAL - self.pid.runtime.now()))
        elif is_atom(message, "look"):
            self.look()
        elif type(message) is Message and message.event == "phx_leave":
            self.socket.reply(message, "ok", {})
            self.socket.close(Shutdown("left"))
            return Stop(Shutdown("left"))
        elif type(message) is Message:
            self.socket.reply(message, "error", {"reason": "the tree only speaks"})
        elif type(message) is Down and message.ref is self.watch:
            reason = message.reason
            return Stop(Shutdown("closed") if is_atom(reason, NORMAL) or is_atom(reason, NOPROC) else reason)
        return None

    def look_after(self, seconds: float) -> None:
        """Look next in so many seconds."""
        if self.timer is not None:
            cancel_timer(self.timer)
        self.timer = send_after(self.pid, "look", seconds)

    def look(self) -> None:
        """Push the tree if it has changed."""
        self.told = False
        self.look_after(INTERVAL)
        text = tree(snapshot())
        if text != self.text:
            self.text = text
            self.pushed = self.pid.runtime.now()
            self.socket.push("tree", {"text": text})
