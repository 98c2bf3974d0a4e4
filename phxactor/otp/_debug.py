"""Observation of a server by `system.trace`, `log`, `install` and `statistics` (docs/otp-semantics.md, section 12).

In a server that is not observed, this costs one attribute test for each message.
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
    """The server takes a message, or one of its time-outs fires."""

    message: object


@attrs.frozen
class Out:
    """The server answers a call."""

    value: object
    to: Pid
    state: object


@attrs.frozen
class NoAnswer:
    """A callback has returned without an answer to a call."""

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
"""The result of a debug function that is to be removed."""

DebugFunction: TypeAlias = Callable[[DebugEvent], object]
"""A function that the server calls at each event. If it returns `DONE` or raises, the server removes it (Y6)."""


@attrs.frozen
class ServerStatistics:
    """The counts of a server since its statistics were switched on (Y7)."""

    start_time: float
    """The time when they were switched on, in seconds of the runtime's clock."""
    current_time: float
    """The time of this snapshot, by the same clock."""
    work: int
    """Number of callbacks that ran for messages, time-outs and continues."""
    messages_in: int
    """Number of messages and time-outs that the server took."""
    messages_out: int
    """Number of calls that a callback answered by its result."""


class Debug:
    """The observers of one server."""

    __slots__ = ("answered", "counts", "functions", "log", "process", "since", "traced")

    def __init__(self, process: ServerProcess) -> None:
        """Start without observers."""
        self.process = process
        self.functions: dict[object, DebugFunction] = {}
        self.log: deque[DebugEvent] | None = None
        """The last events, oldest first; None if they are not kept."""
        self.traced = False
        self.since: float | None = None
        """The time when the statistics were switched on, in seconds of the runtime's clock; None while off."""
        self.counts = {In: 0, Out: 0, NoAnswer: 0, Continued: 0}
        self.answered = False
        """Whether the last event was an answer to a call."""

    def watching(self) -> bool:
        """Return whether anything observes the server."""
        return bool(self.functions) or self.log is not None or self.traced or self.since is not None

    def options(self) -> tuple[str, ...]:
        """Return the names of the observations that are on, for `get_status` (Y5)."""
        on = {"log": self.log is not None, "trace": self.traced, "statistics": self.since is not None}
        return (*(name for name, is_on in on.items() if is_on), *("install" for _ in self.functions))

    def tell(self, event: DebugEvent) -> None:
        """Pass an event to all observers."""
        self.counts[type(event)] += 1
        self.answered = isinstance(event, Out)
        if self.log is not None:
            self.log.append(event)
        if self.traced and events.traced.handlers:
            events.traced.emit(pid=self.process.pid, event=event)
        for key, function in list(self.functions.items()):
            try:
                done = function(event)
            except BaseException:  # noqa: BLE001 - an observer must not harm the server
                done = DONE
            if done is DONE:
                del self.functions[key]

    def took(self, message: object) -> None:
        """Record a message, before its callback runs."""
        self.tell(In(message))

    def answers(self, value: object, to: Pid) -> None:
        """Record the answer that a callback returned."""
        self.tell(Out(value, to, self.state()))

    def returned(self) -> None:
        """Record that a callback has returned, unless it answered a call."""
        if not self.answered:
            self.tell(NoAnswer(self.state()))

    def state(self) -> object:
        """Return the server's state, or the exception that `system_get_state` raised."""
        try:
            return self.process.server.system_get_state()
        except BaseException as error:  # noqa: BLE001 - an observer must not harm the server
            return error

    def count(self, *, on: bool) -> None:
        """Switch the statistics on or off, and reset the counts."""
        self.since = self.process.pid.runtime.now() if on else None
        self.counts = dict.fromkeys(self.counts, 0)

    def statistics(self) -> ServerStatistics | None:
        """Return the counts, or None if the statistics are off."""
        if self.since is None:
            return None
        return ServerStatistics(
            start_time=self.since,
            current_time=self.process.pid.runtime.now(),
            work=self.counts[In] + self.counts[Continued],
            messages_in=self.counts[In],
            messages_out=self.counts[Out],
        )
