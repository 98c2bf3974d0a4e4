"""What `system.trace`, `log`, `install` and `statistics` switch on in a server (docs/otp-semantics.md, section 12).

A server that nobody watches pays one attribute test for a message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from phxactor.otp import events
from phxactor.runtime import Pid

if TYPE_CHECKING:
    from phxactor.otp._process import ServerProcess


@attrs.frozen
class In:
    """The server takes a message, or a time-out of its own."""

    message: object


@attrs.frozen
class Out:
    """The server answers a call."""

    value: object
    to: Pid
    state: object


@attrs.frozen
class NoAnswer:
    """A callback has returned, and answers nobody."""

    state: object


@attrs.frozen
class Continued:
    """A callback asked for `handle_continue`."""

    argument: object


DebugEvent: TypeAlias = In | Out | NoAnswer | Continued


@final
class Done:
    """The type of `DONE`."""


DONE: Final = Done()
"""Returned by a debug function that wants to be removed."""

DebugFunction: TypeAlias = Callable[[DebugEvent], object]
"""Called in the server at each event; one that returns `DONE` or raises is removed (Y6)."""


@attrs.frozen
class ServerStatistics:
    """What a server did since its statistics were switched on (Y7)."""

    start_time: float
    """When they were, by the runtime's clock."""
    current_time: float
    """Now, by the same clock."""
    work: int
    """Callbacks that were run for messages, time-outs and continues."""
    messages_in: int
    """Messages and time-outs that were taken."""
    messages_out: int
    """Calls that were answered by the value of their callback."""


class Debug:
    """Who watches one server."""

    __slots__ = ("answered", "counts", "functions", "log", "process", "since", "traced")

    def __init__(self, process: ServerProcess) -> None:
        """Watch nothing yet."""
        self.process = process
        self.functions: dict[object, DebugFunction] = {}
        self.log: deque[DebugEvent] | None = None
        """The last events."""
        self.traced = False
        self.since: float | None = None
        """When the statistics were switched on."""
        self.counts = {In: 0, Out: 0, NoAnswer: 0, Continued: 0}
        self.answered = False
        """Whether the callback that runs has answered its call."""

    def watching(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.functions) or self.log is not None or self.traced or self.since is not None

    def options(self) -> tuple[str, ...]:
        """Name what is on, for `get_status` (Y5)."""
        on = {"log": self.log is not None, "trace": self.traced, "statistics": self.since is not None}
        return (*(name for name, is_on in on.items() if is_on), *("install" for _ in self.functions))

    def tell(self, event: DebugEvent) -> None:
        """Let all who watch know."""
        self.counts[type(event)] += 1
        self.answered = isinstance(event, Out)
        if self.log is not None:
            self.log.append(event)
        if self.traced and events.traced.handlers:
            events.traced.emit(pid=self.process.pid, event=event)
        for key, function in list(self.functions.items()):
            try:
                done = function(event)
            except BaseException:  # noqa: BLE001 - a watcher must not hurt whom it watches
                done = DONE
            if done is DONE:
                del self.functions[key]

    def took(self, message: object) -> None:
        """Tell of a message, before its callback runs."""
        self.tell(In(message))

    def answers(self, value: object, to: Pid) -> None:
        """Tell of the answer that a callback returned."""
        self.tell(Out(value, to, self.state()))

    def returned(self) -> None:
        """Tell that a callback has returned, unless it answered a call."""
        if not self.answered:
            self.tell(NoAnswer(self.state()))

    def state(self) -> object:
        """Return the server's state, or why it cannot be had."""
        try:
            return self.process.server.system_get_state()
        except BaseException as error:  # noqa: BLE001 - a watcher must not hurt whom it watches
            return error

    def count(self, *, on: bool) -> None:
        """Switch the statistics on, from zero, or off."""
        self.since = self.process.pid.runtime.now() if on else None
        self.counts = dict.fromkeys(self.counts, 0)

    def statistics(self) -> ServerStatistics | None:
        """Return the counts, or None if they are not switched on."""
        if self.since is None:
            return None
        return ServerStatistics(
            start_time=self.since,
            current_time=self.process.pid.runtime.now(),
            work=self.counts[In] + self.counts[Continued],
            messages_in=self.counts[In],
            messages_out=self.counts[Out],
        )
