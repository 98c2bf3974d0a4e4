"""For what the processes of a program wait, as their frames say it."""

from __future__ import annotations

import linecache
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import PurePath
from types import FrameType
from typing import Any, Final

import attrs
from trio.lowlevel import Task

from phxactor.runtime import Monitor, Pid
from phxactor.testing._frames import is_library
from phxactor.testing._trace import plain, show
from phxactor.testing.exploration._actors import process_of
from phxactor.testing.exploration._options import DeadlockError, OutsideError
from phxactor.testing.threads import strangers

NAMED: Final = 3
"""Processes that are named of those that wait for their next message."""
ADVICE: Final = """
  A schedule plays one loop, and nothing outside of it:
  - a connection: give the program its peer in the same loop, in memory (`FaultyLine`, `phxactor.testing.connect`)
  - a thread of its own: use `trio.to_thread.run_sync`, whose threads run in turn with the loop
  - another program or service: replace the function that asks it by one that returns an answer"""
_RECEIVE: Final = {"receive", "receive_matching", "receive_ref", "receive_refs"}
_OUTSIDE: Final = {
    "wait_readable": "a socket or a pipe",
    "wait_writable": "a socket or a pipe",
    "to_thread_run_sync": "a thread",
}
"""Functions of trio that wait for what is not in the loop."""


@attrs.frozen
class Wait:
    """For what one process waits."""

    pid: Pid
    text: str
    on: Pid | None = None
    """The process that must answer or end."""
    idle: bool = False
    """Whether it is a server between two messages."""
    outside: str = ""
    """What must wake it, if that is outside of the loop."""


def waits(root: Task | None, running: Collection[Task] = ()) -> list[Wait]:
    """List for what the processes of a loop wait, whose outermost task is `root`, except those that run or could."""
    found: dict[Pid, Wait] = {}
    for task in _tasks(root):
        pid = process_of(task)
        if pid is not None and pid.alive and task not in running:
            wait = _wait_of(pid, list(task.iter_await_frames()))
            if pid not in found or found[pid].idle:
                found[pid] = wait
    return [found[pid] for pid in sorted(found, key=lambda pid: pid.number)]


def endless(steps: int) -> AssertionError:
    """Return the error of a play that does not end."""
    return DeadlockError(f"after {steps} steps there is no end in sight")


def stuck(found: Sequence[Wait]) -> AssertionError:
    """Return the error of a play in which no task can go on."""
    others = strangers()
    lines = [f"\n  {line}" for line in told(found)]
    outside = next((wait for wait in found if wait.outside), None)
    if outside is not None or others:
        who = "the program" if outside is None else repr(outside.pid)
        what = f"the thread {', '.join(others)}" if outside is None else outside.outside
        return OutsideError(f"{who} waits for {what}, which is outside of the schedule{''.join(lines)}{ADVICE}")
    return DeadlockError(f"no task can go on: every task waits, and no time-out will wake one{''.join(lines)}")


def told(found: Iterable[Wait]) -> Iterator[str]:
    """Yield one line for each process that waits, and one for all servers between two messages."""
    yield from map(plain, _told(list(found)))


def _told(found: list[Wait]) -> Iterator[str]:
    busy = [wait for wait in found if not wait.idle]
    idle = [repr(wait.pid) for wait in found if wait.idle]
    for wait in busy:
        yield f"{wait.pid!r} waits{wait.text}"
    circle = _circle({wait.pid: wait.on for wait in busy if wait.on is not None})
    if circle:
        yield f"they wait for one another: {', '.join(map(repr, circle))}"
    if idle:
        more = f", and {len(idle) - NAMED} others" if len(idle) > NAMED else ""
        verb = "waits for its" if len(idle) == 1 else "wait for their"
        yield f"{', '.join(idle[:NAMED])}{more} {verb} next message"


def _tasks(task: Task | None) -> Iterator[Task]:
    """Yield a task, and all below it."""
    if task is not None:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _tasks(child)


def _circle(on: dict[Pid, Pid]) -> list[Pid]:
    """Return the processes of a circle, the first one again at its end; empty if there is none."""
    for pid in on:
        path = [pid]
        while path[-1] in on and on[path[-1]] not in path:
            path.append(on[path[-1]])
        after = on.get(path[-1])
        if after is pid:
            return [*path, pid]
    return []


def _wait_of(pid: Pid, frames: list[tuple[FrameType, int | None]]) -> Wait:
    """Read the frames of a task, the outermost first."""
    what, on, outside, idle = "", None, "", False
    where = ""
    for frame, line in frames:
        module, name = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
        if not is_library(frame):
            where = _line(frame, line)
        elif module == "phxactor.otp._call" and name == "request_reply":
            on = frame.f_locals.get("pid")
            what = f" for the answer of {on!r} to {show(frame.f_locals.get('request'))}"
        elif module == "phxactor.runtime._mailbox" and name in _RECEIVE:
            if not what:
                what, on, idle = _received(pid, frame.f_locals)
        elif module.startswith("trio.") and name in _OUTSIDE:
            outside = _OUTSIDE[name]
            what = f" for {outside}"
    return Wait(
        pid, what + (f"{',' if what else ''} at {where}" if where else ""), on, idle=idle and not where, outside=outside
    )


def _received(pid: Pid, values: dict[str, Any]) -> tuple[str, Pid | None, bool]:
    """Say for which message a receive waits."""
    refs = values.get("refs") or ((values["ref"],) if "ref" in values else ())
    asked = [ref.target for ref in refs if isinstance(ref, Monitor) and ref.target is not None]
    if asked:
        return f" for the answer or the end of {', '.join(map(repr, asked))}", asked[0], False
    match = values.get("match")
    if match is not None:
        left = f", which is none of the {len(pid.mailbox)} in its mailbox" if pid.mailbox else ""
        return f" for a message that its pattern matches{left}", None, False
    return " for a message", None, not refs


def _line(frame: FrameType, line: int | None) -> str:
    """Return the place and the source of a line of the program."""
    path = frame.f_code.co_filename
    number = line or frame.f_lineno
    source = linecache.getline(path, number).strip()
    return f"{PurePath(path).name}:{number}" + (f": {source}" if source else "")
