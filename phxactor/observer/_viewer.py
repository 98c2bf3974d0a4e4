"""A viewer of one panel: what it has asked to see, and what it was sent."""

from __future__ import annotations

from typing import Any, TypeVar, final

import attrs
import trio

from phxactor.channels import SocketRef
from phxactor.observer._view import View
from phxactor.runtime import Pid
from phxactor.socket import Socket
from phxactor.transport import waiting_output

Row = TypeVar("Row")


@final
@attrs.frozen
class Find:
    """A viewer asks where in the tree a process is."""

    to: SocketRef
    number: int
    view: View
    """The view by which the index of its row is counted."""


@final
@attrs.frozen
class Members:
    """A viewer asks who is in a topic."""

    to: SocketRef
    topic: str


@final
class Viewer:
    """One panel on one page."""

    __slots__ = (
        "arranged",
        "arranged_for",
        "asked",
        "found",
        "found_at",
        "found_for",
        "kind",
        "looked",
        "newest",
        "ordered",
        "ordered_at",
        "ordered_for",
        "panel",
        "pid",
        "process",
        "sent",
        "shown",
        "socket",
        "state",
        "subject",
        "task",
        "view",
    )

    def __init__(self, pid: Pid, socket: Socket, panel: str) -> None:
        """Make a viewer that has seen nothing yet; `pid` is the channel's process."""
        self.pid = pid
        self.socket = socket
        self.panel = panel
        """The name of the panel: the topic without `observer:`."""
        self.kind, _, self.subject = panel.partition(":")
        """The kind of panel, `process` for `process:7`, and what it is about."""
        self.view = View()
        self.asked = True
        """Whether it has asked for something that it was not sent yet."""
        self.looked = 0.0
        """When it was sent something, in seconds of the runtime's clock."""
        self.sent: object = None
        """The last payload: the same is not sent twice."""
        self.arranged: list[Any] | None = None
        """All rows in the order that a frozen view keeps; None while it is not frozen."""
        self.arranged_for: object = None
        self.newest = 0
        """The number of the newest process when that was frozen: those after it wait."""
        self.found: object = None
        """What its search has found."""
        self.process: Pid | None = None
        """The process that it looks at."""
        self.state: tuple[str | None, str | None] = None, "not asked yet"
        """The state of that process as text, or why it is not shown."""
        self.task: trio.lowlevel.Task | None = None
        """The task of that process, once it was found."""
        self.found_for: object = None
        """The search, and the version of the tree, for which that is."""
        self.found_at = 0.0
        """When it was found, in seconds of the runtime's clock."""
        self.shown: object = None
        """What its search has found, and what is above it in the tree; None if nobody has asked."""
        self.ordered: Any = None
        """The window of a sorted list, as it was found at `ordered_at` for `ordered_for`."""
        self.ordered_for: object = None
        self.ordered_at = 0.0

    def kept(self, rows: list[Row]) -> list[Row]:
        """Return the rows of a frozen view as they were when it was frozen; those of now if it has just been."""
        frozen = (self.view.search, self.view.sort)
        if self.arranged is None or self.arranged_for != frozen:
            self.freeze(rows, frozen)
        return rows if self.arranged is None else self.arranged

    def freeze(self, rows: list[Row], asked: object) -> None:
        """Keep the rows as they are, for as long as the viewer asks for the same."""
        self.arranged, self.arranged_for = [*rows], asked
        self.newest = next(reversed(self.pid.runtime.processes), 0)

    def is_slow(self) -> bool:
        """Say whether the last frame has not been written yet: then this one is dropped."""
        return waiting_output(self.socket.transport_pid) > 0

    def push(self, event: str, payload: object) -> None:
        """Send an event to the page."""
        self.socket.push(event, payload)

    def show(self, event: str, payload: object) -> None:
        """Send a frame, unless the page has it already."""
        if payload != self.sent:
            self.sent = payload
            self.push(event, payload)
