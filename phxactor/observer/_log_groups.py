"""What went wrong, grouped: crashes and the reports of supervisors, by what they are and where they come from.

A group keeps the count, the first and last time, and one text; a crash that repeats a thousand times a second adds to a
number. All is kept in memory, and bounded.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from itertools import count
from math import inf
from typing import Any, Final, final

from phxactor.observer._crash_events import CRASHES
from phxactor.observer._stories import named
from phxactor.observer._texts import printable, text
from phxactor.observer._values import Redact, message_text
from phxactor.otp import supervisor_events as supervisors
from phxactor.runtime import Crash, Pid, Runtime, describe_reason
from phxactor.runtime import events as processes
from phxactor.telemetry import EVENTS, Event

GROUPS: Final = 200
"""Groups that are kept; a new one takes the place of the one that was silent for the longest."""
TEXT: Final = 16_384
"""Maximum characters of a group's text."""
SENT: Final = 4_000
"""Characters of it that are sent before somebody asks for all."""
LINE: Final = 300
AGAIN: Final = 1.0
"""Seconds after which the text of a group is made anew from its last event."""
MANY: Final = 5
"""Events since then that make it a loop."""
AGAIN_IN_A_LOOP: Final = 10.0
"""Seconds for which the text of a loop stays, as a text costs as much as a hundred events."""

_SUPERVISORS: Final = frozenset(
    {supervisors.child_terminated, supervisors.start_error, supervisors.gave_up, supervisors.shutdown_error}
)
_STUCK: Final = frozenset({processes.stuck, processes.zombie, processes.stray})


@final
class Group:
    """Events of one kind and origin."""

    def __init__(self, number: int, kind: str, title: str) -> None:
        """Begin with no events."""
        self.id = number
        self.kind = kind
        self.title = title
        self.count = 0
        self.first = self.last = time.time()
        self.text: str | None = None
        self.message: str | None = None
        self.number: int | None = None
        self.name: str | None = None
        self.reason: str | None = None
        self.described = -inf
        """When its text was made, by the runtime's clock."""
        self.described_count = 0
        """The events before that."""
        self.sent = 0
        """The count that viewers were told."""

    def payload(self, *, whole: bool = False) -> dict[str, object]:
        """Return it for the page."""
        cut = self.text is not None and len(self.text) > SENT and not whole
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "count": self.count,
            "first": self.first,
            "last": self.last,
            "text": self.text[-SENT:] if cut and self.text is not None else self.text,
            "cut": cut,
            "message": self.message,
            "number": self.number,
            "name": self.name,
            "reason": self.reason,
        }


@final
class LogGroups:
    """The groups of one runtime."""

    def __init__(self, runtime: Runtime, redact: Redact | None) -> None:
        """Start with none."""
        self.runtime = runtime
        self.redact = redact
        self.groups: dict[tuple[object, ...], Group] = {}
        """By what makes them one, the one that was silent for the longest first."""
        self.numbers = count(1)
        self.events: tuple[Event, ...] = ()

    def attach(self) -> None:
        """Follow all events that are logged as warnings or errors."""
        self.events = tuple(one for one in EVENTS.values() if one in CRASHES or (one.level or 0) >= logging.WARNING)
        for event in self.events:
            event.attach(self.handle)

    def detach(self) -> None:
        """Follow no more events; the groups stay."""
        for event in self.events:
            event.detach(self.handle)

    def handle(self, event: Event, fields: Mapping[str, Any]) -> None:
        """Add an event to its group, in the process that emits it, or in another thread: the watchdog's."""
        pid = fields.get("pid", fields.get("supervisor"))
        if fields.get("told") or (isinstance(pid, Pid) and pid.runtime is not self.runtime):
            return
        exception, origin = exception_of(fields), origin_of(fields)
        key = (event, origin, type(exception), place_of(exception))
        group = self.groups.pop(key, None)
        if group is None:
            group = Group(next(self.numbers), kind_of(event), title_of(event, origin, exception))
            if len(self.groups) >= GROUPS:
                del self.groups[next(iter(self.groups))]
        self.groups[key] = group
        now = self.runtime.now()
        is_loop = group.count - group.described_count > MANY
        if now >= group.described + (AGAIN_IN_A_LOOP if is_loop else AGAIN):
            group.described, group.described_count = now, group.count
            self.describe(group, fields, exception)
        group.count += 1
        group.last = time.time()

    def describe(self, group: Group, fields: Mapping[str, Any], exception: BaseException | None) -> None:
        """Note the particulars of an event."""
        pid = fields.get("pid", fields.get("supervisor"))
        if isinstance(pid, Pid):
            group.number, group.name = pid.number, named(pid)
        if exception is not None:
            lines = "".join(traceback.format_exception(exception))
            group.text = printable(lines if len(lines) <= TEXT else f"…{lines[1 - TEXT :]}", "\n\t")
            group.reason = text("".join(traceback.format_exception_only(exception)).strip(), LINE)
        elif "reason" in fields:
            group.reason = text(describe_reason(fields["reason"]), LINE)
        if isinstance(fields.get("stack"), str):
            group.text = printable(fields["stack"][:TEXT], "\n\t")
        if fields.get("message") is not None:
            group.message = message_text(fields["message"], self.redact)

    def fresh(self) -> list[Group]:
        """Return the groups that have grown since they were shown, and count them as shown."""
        fresh = [group for group in [*self.groups.values()] if group.count != group.sent]
        for group in fresh:
            group.sent = group.count
        return fresh

    def find(self, number: object) -> Group | None:
        """Return the group with a number."""
        return next((group for group in [*self.groups.values()] if group.id == number), None)


def kind_of(event: Event) -> str:
    """Return the kind of an event's group."""
    if event in CRASHES:
        return "crash"
    if event in _SUPERVISORS:
        return "supervisor"
    return "stuck" if event in _STUCK else "warning"


def exception_of(fields: Mapping[str, Any]) -> BaseException | None:
    """Return the exception of an event."""
    exception, reason = fields.get("exception"), fields.get("reason")
    if isinstance(exception, BaseException):
        return exception
    return reason.exception if isinstance(reason, Crash) else None


def origin_of(fields: Mapping[str, Any]) -> str:
    """Return what an event is about: a class, a function or a child, not one process of many."""
    for name in ("channel", "server", "function", "initial_call"):
        if isinstance(fields.get(name), str):
            return text(fields[name])
    spec = fields.get("spec")
    if spec is not None and getattr(spec, "id", None) is not None:
        return f"child {text(spec.id)}"
    pid = fields.get("pid", fields.get("supervisor"))
    return text(pid.initial_call) if isinstance(pid, Pid) else ""


def place_of(exception: BaseException | None) -> tuple[str, int] | None:
    """Return the file and the line that raised."""
    trace = None if exception is None else exception.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno


def title_of(event: Event, origin: str, exception: BaseException | None) -> str:
    """Return a line for the head of a group."""
    what = event.name.removeprefix("phxactor.") if exception is None else type(exception).__qualname__
    return f"{origin}: {what}" if origin else what
