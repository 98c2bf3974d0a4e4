"""A trace of the processes' actions as a value, and how its lines read.

          #PID<2 main> spawns, links and monitors #PID<3 Counter.init>
          #PID<3 Counter.init> sends #PID<2 main>: Answer(Ok(...))
      5 s #PID<3 Counter.init> exits: (ValueError) boom

`_tracing` records it, `_trace_rows` folds the lines, and `_chart` draws them.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from phxactor.otp import Call, supervisor_events
from phxactor.runtime import (
    Down,
    Exited,
    Mailbox,
    Monitor,
    Pid,
    Reason,
    Ref,
    Runtime,
    Timer,
    current,
    events,
    format_reason,
)
from phxactor.telemetry import Event
from phxactor.testing import _chart, _trace_rows

LINES: Final = 100
"""Maximum lines that a trace prints: the last ones."""

_NOISE: Final = re.compile(r" at 0x[0-9a-f]+|(?:\w+\.)+<locals>\.")
"""Parts of a text that differ in each run (addresses), and the names of enclosing functions; both are removed."""
LOST: Final = " (which has ended)"
"""The end of the line of a message to a process that does not exist any more."""
COLUMNS: Final = 12
"""Maximum processes that a failure shows as columns."""
WHOLE: Final = 2000
"""Maximum lines of a trace that is written to a file."""
WIDTH: Final = 160
"""Maximum characters of a message in a line."""
_repr: Final = reprlib.Repr()
_repr.maxstring = WIDTH
_repr.maxother = 100 * WIDTH  # `show` cuts it, after removing _NOISE


@attrs.frozen
class Happening:
    """One line of a trace."""

    time: float
    """Seconds since the trace began; with a mock clock, those of the clock."""
    by: Pid | None
    """The acting process; None outside of any process."""
    verb: str
    """`spawns`, `sends`, `takes`, `times out`, `sets`, `cancels`, `links`, `unlinks`, `monitors`, `signals`,
    `is named`, `exits`, `restarts`, `gives up`; `remark` is about no process, and `waits` is how it was at the end."""
    whom: Pid | None
    what: object
    """The message, the reason or the name."""
    text: str
    """The whole line, made at that time, since a message may change later; empty in a trace without text."""


Listener: TypeAlias = Callable[[Happening], object]


class Trace:
    """The recorded actions, in order."""

    def __init__(self, *, told: bool = True) -> None:
        """Start empty. Without `told` the trace has actions, and no text: for plays that nobody reads."""
        self.happenings: list[Happening] = []
        self.first = 0
        """The index at which printing begins: earlier actions are the setup."""
        self.last: int | None = None
        """The index at which printing ends, except for the first process's exit: later actions are the shutdown."""
        self.labels: dict[Runtime, str] = {}
        """The names of runtimes, if there are several: a process is shown with that of its runtime."""
        self.listeners: list[Listener] = []
        """Functions called with each happening, at once after it; they must not raise."""
        self.began = 0.0
        """The time that counts as 0, in seconds of trio's clock."""
        self.told = told
        """Whether actions get a text."""
        self._firing: Timer | None = None
        """The timer whose message is being sent."""

    def __str__(self) -> str:
        """Return one line for each happening, the last `LINES` of them; `chart` has the processes as columns."""
        return "\n".join(_trace_rows.lines(self.rows()))

    def chart(self, most: int = LINES) -> str:
        """Return the same with the processes as columns beside it, in the order of their births."""
        return "\n".join(_chart.text(self.rows(most)))

    def mermaid(self) -> str:
        """Return a sequence diagram in the language of mermaid, which code hosts and editors draw."""
        return "\n".join(_chart.mermaid(self.rows(WHOLE)))

    def rows(self, most: int = LINES) -> Sequence[_trace_rows.Row]:
        """Return what is printed: folded, and the last `most` of it."""
        shown = self.happenings[self.first : self.last]
        if self.last is not None:
            shown += [one for one in self.happenings[self.last :] if _is_end(one)]
        return _trace_rows.folded(shown, self.first, most)

    def of(self, verb: str) -> list[Happening]:
        """Return the happenings with this verb."""
        return [happening for happening in self.happenings if happening.verb == verb]

    def tell(self, by: Pid | None, verb: str, whom: Pid | None = None, what: object = None, text: str = "") -> None:
        """Add a line; `text` is its part after the verb."""
        line = ""
        if self.told:
            who = self.show(by) if by is not None else "outside" if self._firing is None else "a timer"
            line = plain(f"{who} {verb}{text}").partition("\n")[0]
        self._add(
            Happening(round(trio.current_time() - self.began, 2 if self.began else 6), by, verb, whom, what, line)
        )

    def show(self, pid: Pid) -> str:
        """Return a process as the trace shows it."""
        label = self.labels.get(pid.runtime) if self.labels else None
        return repr(pid) if label is None else f"{label} {pid!r}"

    def remark(self, text: str) -> None:
        """Add a line that is no action of a process."""
        self._add(
            Happening(
                round(trio.current_time() - self.began, 2 if self.began else 6),
                None,
                "remark",
                None,
                text,
                plain(f"({text})"),
            )
        )

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
        sender = None if self._firing is not None else current.get(None)
        gone = "" if to.alive else LOST
        self.tell(sender, "sends", to, message, f" {self.show(to)}: {show(message)}{gone}" if self.told else "")

    def took(self, mailbox: Mailbox, message: object) -> None:
        """Record a message that a process takes out of its mailbox."""
        if isinstance(mailbox, Pid):
            self.tell(mailbox, "takes", None, message, f" {show(message)}" if self.told else "")

    def timed_out(self, mailbox: Mailbox, seconds: float | None, refs: Collection[Ref | None]) -> None:
        """Record the end of a receive without a message."""
        if isinstance(mailbox, Pid):
            asked = [ref.target for ref in refs if isinstance(ref, Monitor) and ref.target is not None]
            what = "for a message" if not asked else f"for the answer of {', '.join(map(self.show, asked))}"
            self.tell(mailbox, "times out", None, seconds, f": {seconds or 0:g} s {what}")

    def timer_set(self, timer: Timer, seconds: float) -> None:
        """Record a timer that sends a message."""
        whom = destination_of(timer)
        if whom is not None and self.told:
            pid, name = whom
            text = f" a timer of {seconds:g} s for {name}: {show(timer.argument)}"
            self.tell(current.get(None), "sets", pid, timer.argument, text)

    def timer_cancelled(self, timer: Timer) -> None:
        """Record that a process cancels a timer that sends a message, in time or not."""
        message = timer.argument
        whom = destination_of(timer)
        if not timer.pending:
            self.tell(current.get(None), "cancels", None, None, " a timer that has fired, or was cancelled before")
        elif whom is not None and self.told:
            pid, name = whom
            self.tell(current.get(None), "cancels", pid, message, f" the timer for {name}: {show(message)}")

    @contextmanager
    def fires(self, timer: Timer) -> Iterator[None]:
        """Make the timer the sender of what is sent in the block."""
        self._firing, before = timer, self._firing
        try:
            yield
        finally:
            self._firing = before

    def signalled(self, to: Pid, reason: Reason) -> None:
        """Record an explicit exit signal."""
        self.tell(current.get(None), "signals", to, reason, f" {self.show(to)} to exit: {format_reason(reason)}")

    def ends(self, text: str) -> None:
        """Add a line about the end of the play: for what a process waits."""
        self._add(
            Happening(
                round(trio.current_time() - self.began, 2 if self.began else 6),
                None,
                "waits",
                None,
                text,
                plain(f"({text})"),
            )
        )

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


def plain(text: str) -> str:
    """Remove from a text what differs in each run, and the names of enclosing functions."""
    return _NOISE.sub("", text)


def show(message: object) -> str:
    """Return a message as one line."""
    if isinstance(message, Down):
        return f"Down({message.object!r}, {format_reason(message.reason)})"
    if isinstance(message, Exited):
        return f"Exited({message.pid!r}, {format_reason(message.reason)})"
    text = plain(_repr.repr(message))
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def note_of(trace: Trace) -> str:
    """Return the end of a failure's note: the chart, or the lines alone if there are too many columns for one."""
    if not trace.told:
        return " (without a trace, which only the last play has)"
    return f":\n{trace.chart() if len(_chart.columns(trace.rows())) <= COLUMNS else trace}"


def destination_of(timer: Timer) -> tuple[Pid | None, str] | None:
    """Return the process or the name that gets a timer's message; None for a timer that sends none."""
    to = timer.callback
    pid = getattr(to, "__self__", None)
    if isinstance(pid, Pid) and getattr(to, "__name__", "").endswith("deliver"):
        return pid, repr(pid)
    if isinstance(to, partial) and len(to.args) == 2 and isinstance(to.args[1], str):  # noqa: PLR2004 - names, name
        return None, repr(to.args[1])
    return None


def _is_end(happening: Happening) -> bool:
    by = happening.by
    return happening.verb == "waits" or (happening.verb == "exits" and by is not None and by is by.runtime.main)


def _pid(fields: Mapping[str, object], name: str) -> Pid | None:
    pid = fields[name]
    return pid if isinstance(pid, Pid) else None
