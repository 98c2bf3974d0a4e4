"""A trace of the processes' actions, to find the cause of a failure.

    with tracing() as trace:
        ...
    print(trace)

          #PID<2 main> spawns and links #PID<3 Counter.init>
          #PID<2 main> monitors #PID<3 Counter.init>
          #PID<3 Counter.init> sends #PID<2 main>: Answer(Ok(...))
      5 s #PID<3 Counter.init> exits: (ValueError) boom

It costs nothing while there is no trace. Actions without an event (sending a message, making a monitor, sending an exit
signal) are recorded by wrapping the methods while the block lasts.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final, TypeAlias
from unittest.mock import patch

import attrs
import trio

from phxactor.otp import Call, supervisor_events
from phxactor.runtime import Down, Exited, Monitor, Pid, Reason, Runtime, current, events, format_reason, of_this_thread
from phxactor.telemetry import Event

LINES: Final = 200
"""Maximum lines that a trace prints: the last ones."""

_NOISE: Final = re.compile(r" at 0x[0-9a-f]+|(?:\w+\.)+<locals>\.")
"""Parts of a text that differ in each run (addresses), and the names of enclosing functions; both are removed."""
WIDTH: Final = 160
"""Maximum characters of a message in a line."""
_repr: Final = reprlib.Repr()
_repr.maxstring = WIDTH
_repr.maxother = 100 * WIDTH  # `show` cuts it, after removing _NOISE


@attrs.frozen
class Happening:
    """One line of a trace."""

    time: float
    """Seconds of trio's clock."""
    by: Pid | None
    """The acting process; None outside of any process."""
    verb: str
    """`spawns`, `sends`, `links`, `unlinks`, `monitors`, `signals`, `is named`, `exits`, `restarts`, `gives up`;
    `remark` is about no process."""
    whom: Pid | None
    what: object
    """The message, the reason or the name."""
    text: str
    """The whole line, made at that time, since a message may change later."""


Listener: TypeAlias = Callable[[Happening], object]


class Trace:
    """The recorded actions, in order."""

    def __init__(self) -> None:
        """Start empty."""
        self.happenings: list[Happening] = []
        self.first = 0
        """The index at which printing begins: earlier actions are the setup."""
        self.last: int | None = None
        """The index at which printing ends, except for the first process's exit: later actions are the shutdown."""
        self.labels: dict[Runtime, str] = {}
        """The names of runtimes, if there are several: a process is shown with that of its runtime."""
        self.listeners: list[Listener] = []
        """Functions called with each happening, at once after it; they must not raise."""

    def __str__(self) -> str:
        """Return one line for each happening, the last `LINES` of them."""
        shown = self.happenings[self.first : self.last]
        missing = self.first + max(0, len(shown) - LINES)
        shown = shown[-LINES:]
        if self.last is not None:
            shown += [one for one in self.happenings[self.last :] if one.verb == "exits" and _is_first(one.by)]
        lines = [f"      ... {missing} before"] if missing else []
        time = 0.0
        for happening in shown:
            column = "" if happening.time == time else f"{happening.time:g} s"
            time = happening.time
            lines.append(f"{column:>9} {happening.text}")
        return "\n".join(lines)

    def of(self, verb: str) -> list[Happening]:
        """Return the happenings with this verb."""
        return [happening for happening in self.happenings if happening.verb == verb]

    def tell(self, by: Pid | None, verb: str, whom: Pid | None = None, what: object = None, text: str = "") -> None:
        """Add a line; `text` is its part after the verb."""
        who = "outside" if by is None else self.show(by)
        self._add(Happening(trio.current_time(), by, verb, whom, what, _NOISE.sub("", f"{who} {verb}{text}")))

    def show(self, pid: Pid) -> str:
        """Return a process as the trace shows it."""
        label = self.labels.get(pid.runtime) if self.labels else None
        return repr(pid) if label is None else f"{label} {pid!r}"

    def remark(self, text: str) -> None:
        """Add a line that is no action of a process."""
        self._add(Happening(trio.current_time(), None, "remark", None, None, _NOISE.sub("", f"({text})")))

    def _add(self, happening: Happening) -> None:
        self.happenings.append(happening)
        for listener in self.listeners:
            listener(happening)

    # ------------------------------------------------------------------------------------- recorded actions

    def sent(self, to: Pid, message: object) -> None:
        """Record a message. The monitor that belongs to a call gets no line of its own."""
        last = self.happenings[-1] if self.happenings else None
        if isinstance(message, Call) and last is not None and last.verb == "monitors" and last.whom is to:
            self.happenings.pop()
        self.tell(current.get(None), "sends", to, message, f" {self.show(to)}: {show(message)}")

    def signalled(self, to: Pid, reason: Reason) -> None:
        """Record an explicit exit signal."""
        self.tell(current.get(None), "signals", to, reason, f" {self.show(to)} to exit: {format_reason(reason)}")

    def monitored(self, owner: Pid, target: Pid | None, name: object) -> None:
        """Record a monitor."""
        self.tell(owner, "monitors", target, name, f" {repr(name) if target is None else self.show(target)}")

    def heard(self, event: Event, fields: Mapping[str, object]) -> None:
        """Record an event of the runtime or of a supervisor."""
        if event is events.spawned:
            self._spawned(_pid(fields, "parent"), _pid(fields, "pid"), linked=bool(fields["linked"]))
        elif event is events.exited:
            self.tell(_pid(fields, "pid"), "exits", None, fields["reason"], f": {format_reason(fields['reason'])}")
        elif event is events.named:
            self.tell(_pid(fields, "pid"), "is named", None, fields["name"], f" {fields['name']!r}")
        elif event is supervisor_events.restarted:
            child = _pid(fields, "pid")
            identity = getattr(fields["spec"], "id", None)
            self.tell(_pid(fields, "supervisor"), "restarts", child, identity, f" {identity!r} as {child!r}")
        elif event is supervisor_events.gave_up:
            self.tell(_pid(fields, "supervisor"), "gives up")
        else:
            other = _pid(fields, "other")
            self.tell(_pid(fields, "pid"), "links" if event is events.linked else "unlinks", other, None, f" {other!r}")

    def _spawned(self, parent: Pid | None, pid: Pid | None, *, linked: bool) -> None:
        if linked:
            self.happenings.pop()  # the line of the link, whose event comes first
        self.tell(parent, "spawns", pid, None, f"{' and links' if linked else ''} {pid!r}")


_HEARD: Final = (
    events.spawned,
    events.exited,
    events.linked,
    events.unlinked,
    events.named,
    supervisor_events.restarted,
    supervisor_events.gave_up,
)


def show(message: object) -> str:
    """Return a message as one line."""
    if isinstance(message, Down):
        return f"Down({message.object!r}, {format_reason(message.reason)})"
    if isinstance(message, Exited):
        return f"Exited({message.pid!r}, {format_reason(message.reason)})"
    text = _NOISE.sub("", _repr.repr(message))
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def _is_first(pid: Pid | None) -> bool:
    return pid is not None and pid is pid.runtime.main


def _pid(fields: Mapping[str, object], name: str) -> Pid | None:
    pid = fields[name]
    return pid if isinstance(pid, Pid) else None


@contextmanager
def tracing() -> Iterator[Trace]:
    """Record the actions in all runtimes of the thread while the block lasts."""
    trace = Trace()
    deliver, exit_, make_monitor = Pid.deliver, Pid.exit, Monitor.__init__

    def traced_send(pid: Pid, message: object) -> None:
        of_this_thread(pid).deliver(message)

    def traced_deliver(pid: Pid, message: object) -> None:
        trace.sent(pid, message)
        deliver(pid, message)

    def traced_exit(pid: Pid, reason: Reason) -> None:
        trace.signalled(of_this_thread(pid), reason)
        exit_(pid, reason)

    def traced_monitor(monitor: Monitor, owner: Pid, target: Pid | None, name: object = None) -> None:
        trace.monitored(owner, target, name)
        make_monitor(monitor, owner, target, name)

    with ExitStack() as stack:
        stack.enter_context(patch.object(Pid, "send", traced_send))
        stack.enter_context(patch.object(Pid, "deliver", traced_deliver))
        stack.enter_context(patch.object(Pid, "exit", traced_exit))
        stack.enter_context(patch.object(Monitor, "__init__", traced_monitor))
        for event in _HEARD:
            event.attach(trace.heard)
            stack.callback(event.detach, trace.heard)
        yield trace
