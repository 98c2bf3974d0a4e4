"""Stories of crashes: which process crashed, which others its exit signals ended, and what supervisors did about it.

They are made of events, in the order in which those come, and are kept also while nobody looks. A crash is told to
supervisors by their child's end; while a supervisor restarts children, those that it ends belong to the story too.
What follows a crash is listened to only while a story is open: the usual end of a process costs nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from phxactor.observer._crash_events import CRASHES, crashed
from phxactor.observer._texts import text
from phxactor.otp import SupervisingProcess
from phxactor.otp import supervisor_events as supervisors
from phxactor.runtime import Crash, Pid, Reason, Runtime, describe_reason, is_benign
from phxactor.runtime import events as processes
from phxactor.telemetry import Event

KEPT: Final = 20
"""Stories that are kept."""
STEPS: Final = 200
"""Maximum steps of a story."""
QUIET: Final = 2.0
"""Seconds without a step after which a story is over."""
BURST: Final = 10
"""Stories that may begin at once."""
REFILL: Final = 5.0
"""Seconds after which another one may: a crash loop does not need more, and leaves older stories to be read."""
REASON: Final = 300
"""Maximum characters of a reason."""
NAMES: Final = 500
"""Maximum children of a restarting supervisor whose names are noted."""


@final
class Story:
    """One crash as it spread."""

    def __init__(self, number: int, now: float, root: Pid, reason: Reason) -> None:
        """Begin with the process that has crashed."""
        self.id = number
        self.at = time.time()
        self.last = now
        """When the last step was added, by the runtime's clock."""
        self.root = root.number
        self.reason = reason
        self.steps: list[tuple[float, str, int, str, int | None, str | None]] = []
        self.ended: set[Pid] = set()
        """The processes that it has ended, or is about to."""
        self.names: dict[Pid, str] = {}
        """The names of processes that it may reach: one that has ended has none any more."""
        self.above: dict[str, str] = {}
        """The names of what the processes are below, by number."""
        self.supervisors: set[Pid] = set()
        """The supervisors that it has reached."""
        self.stopping: set[Pid] = set()
        """Those of them that end children just now."""
        self.changed = True
        """Whether there are steps that nobody was shown."""

    def add(self, now: float, kind: str, pid: Pid, name: str | None = None, reason: str | None = None) -> None:
        """Add a step."""
        self.last = now
        if len(self.steps) < STEPS:
            above = None
            if pid.parent is not None and pid.parent.number != 1:
                above = pid.parent.number
                self.above.setdefault(str(above), named(pid.parent))
            self.steps.append((time.time(), kind, pid.number, name or self.names.get(pid) or named(pid), above, reason))
            self.changed = True

    def payload(self) -> dict[str, object]:
        """Return it for the page."""
        return {"id": self.id, "at": self.at, "root": self.root, "steps": self.steps, "above": self.above}


@final
class Stories:
    """The last stories of a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        """Start with none."""
        self.runtime = runtime
        self.kept: deque[Story] = deque(maxlen=KEPT)
        self.open: list[Story] = []
        """Those that may go on, the oldest first."""
        self.count = 0
        self._may_begin = (0.0, float(BURST))
        """A time, and how many stories might begin then."""
        self._follows = False
        self.by_event: dict[Event, Callable[[Mapping[str, Any]], None]] = {
            processes.exited: self.on_exited,
            supervisors.child_terminated: self.on_child_terminated,
            supervisors.restart_started: self.on_restart_started,
            supervisors.restart_stopped: self.on_restart_stopped,
            supervisors.restarted: self.on_restarted,
            supervisors.gave_up: self.on_gave_up,
        }

    def attach(self) -> None:
        """Wait for crashes from now on."""
        for event in CRASHES:
            event.attach(self.on_crashed)

    def detach(self) -> None:
        """Follow no more events; the stories stay."""
        for event in CRASHES:
            event.detach(self.on_crashed)
        self.open.clear()
        self.follow()

    def follow(self) -> None:
        """Listen to what follows crashes if a story is open, else not."""
        if self._follows != bool(self.open):
            self._follows = bool(self.open)
            for event in self.by_event:
                if self._follows:
                    event.attach(self.handle)
                else:
                    event.detach(self.handle)

    def handle(self, event: Event, fields: Mapping[str, Any]) -> None:
        """Take an event that may follow a crash, in the process that emits it."""
        pid = fields.get("supervisor") or fields.get("pid")
        if isinstance(pid, Pid) and pid.runtime is self.runtime:
            self.by_event[event](fields)

    # --------------------------------------------------------------------------------------------- events

    def on_crashed(self, _: Event, fields: Mapping[str, Any]) -> None:
        """Begin a story, or go on with that of a supervisor that has just started the process again."""
        pid = crashed(fields, self.runtime)
        if pid is None:
            return
        now = self.runtime.now()
        self.close(now)
        reason = fields.get("reason")
        if reason is None:
            reason = Crash(fields["exception"])
        story = self.of(lambda one: pid in one.ended or pid.parent in one.stopping)
        if story is None:
            if not self.may_begin(now):
                return
            self.count += 1
            story = Story(self.count, now, pid, reason)
            self.open.append(story)
            self.kept.append(story)
            self.follow()
        elif pid in story.ended:
            return
        story.ended.add(pid)
        story.add(now, "crashed", pid, named(pid), text(describe_reason(reason), REASON))
        for other in [*(pid.links or ())][:NAMES]:
            story.names[other] = named(other)

    def on_exited(self, fields: Mapping[str, Any]) -> None:
        """Add the end of a process that a crash has reached by a link, or that a supervisor has ended for it."""
        pid, reason = fields["pid"], fields["reason"]
        for story in reversed(self.open):
            if pid in story.ended:
                if pid.number == story.root:
                    story.reason = reason  # the same value reaches those that are linked to it
                if pid in story.supervisors:  # it gave up
                    story.add(self.runtime.now(), "ended", pid, None, text(describe_reason(reason), REASON))
                return
            if pid.parent in story.stopping:
                kind = "terminated_by_supervisor"
            elif not is_benign(reason) and (reason is story.reason or (reason == story.reason and pid in story.names)):
                kind = "exit_signal"
            else:
                continue
            story.ended.add(pid)
            story.add(self.runtime.now(), kind, pid, None, text(describe_reason(reason), REASON))
            return

    def on_child_terminated(self, fields: Mapping[str, Any]) -> None:
        """Note that a story has reached a supervisor, or that the supervisor goes on to a crash without a story."""
        pid, supervisor = fields["pid"], fields["supervisor"]
        story = self.of(lambda one: pid in one.ended)
        if story is None:
            for one in self.open:
                if supervisor not in one.stopping:
                    one.supervisors.discard(supervisor)
        else:
            story.supervisors.add(supervisor)
            story.names[supervisor] = named(supervisor)

    def on_restart_started(self, fields: Mapping[str, Any]) -> None:
        """Note that a supervisor ends and starts children."""
        supervisor = fields["supervisor"]
        story = self.of(lambda one: supervisor in one.supervisors)
        if story is not None:
            story.stopping.add(supervisor)
            self.note_children(story, supervisor)

    def on_restart_stopped(self, fields: Mapping[str, Any]) -> None:
        """Note that it is done."""
        for story in self.open:
            story.stopping.discard(fields["supervisor"])

    def on_restarted(self, fields: Mapping[str, Any]) -> None:
        """Add a child that runs again."""
        supervisor, pid = fields["supervisor"], fields["pid"]
        story = self.of(lambda one: supervisor in one.supervisors)
        if story is not None:
            id_ = getattr(fields["spec"], "id", None)
            story.add(self.runtime.now(), "restarted", pid, pid.name or (None if id_ is None else text(id_)))

    def on_gave_up(self, fields: Mapping[str, Any]) -> None:
        """Add that a supervisor gives up; it ends, and its children before it."""
        supervisor = fields["supervisor"]
        story = self.of(lambda one: supervisor in one.supervisors)
        if story is not None:
            self.note_children(story, supervisor)
            story.stopping.add(supervisor)
            story.ended.add(supervisor)
            story.add(self.runtime.now(), "gave_up", supervisor)

    # -------------------------------------------------------------------------------------------- stories

    def of(self, belongs: Callable[[Story], bool]) -> Story | None:
        """Return the youngest open story that something belongs to."""
        return next((story for story in reversed(self.open) if belongs(story)), None)

    def note_children(self, story: Story, supervisor: Pid) -> None:
        """Note the names of a supervisor's children, which have none any more when they have ended."""
        process = (supervisor.dictionary or {}).get(SupervisingProcess)
        if isinstance(process, SupervisingProcess) and len(process.records()) <= NAMES:
            for record in process.records():
                id_ = process.id_of(record)
                if record.pid is not None:
                    story.names[record.pid] = named(record.pid) if id_ is None else text(id_)

    def may_begin(self, now: float) -> bool:
        """Say whether another story may begin now, and count it."""
        then, left = self._may_begin
        left = min(BURST, left + (now - then) / REFILL)
        self._may_begin = now, left - (left >= 1)
        return left >= 1

    def close(self, now: float) -> None:
        """Close the stories that have not gone on for a while."""
        if self.open and any(now - story.last >= QUIET for story in self.open):
            self.open = [story for story in self.open if now - story.last < QUIET]
            self.follow()

    def fresh(self) -> list[Story]:
        """Return the stories with new steps that have come to rest, and count them as shown."""
        now = self.runtime.now()
        self.close(now)
        fresh = [story for story in self.kept if story.changed and now - story.last >= QUIET / 4]
        for story in fresh:
            story.changed = False
        return fresh


def named(pid: Pid) -> str:
    """Return what a process is called, for people."""
    return text(pid.name or (pid.initial_call if pid.label is None else pid.label))
