"""The telemetry events of the runtime. An event without handlers costs one attribute test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.telemetry import Event, log

measured: Final = Event(
    "phxactor.runtime.measured",
    "Every 5 seconds while it has handlers, of each runtime: runtime, processes, zombies, names, timers, messages"
    " (that wait), longest_mailbox (messages), lag (most seconds by which the loop came late), collections and "
    "collector_seconds (of the garbage collector since somebody listens), longest_collection (seconds, since the "
    "last time), memory (bytes).",
)
spawned: Final = Event("phxactor.process.spawned", "A process was made: pid, parent, linked.")
exited: Final = Event("phxactor.process.exited", "A process has wholly ended: pid, reason.")
crashed: Final = Event("phxactor.process.crashed", "A bare process ended by an uncaught exception: pid, exception.")
linked: Final = Event("phxactor.process.linked", "Two processes were linked: pid, other.")
unlinked: Final = Event("phxactor.process.unlinked", "A link was removed by unlink: pid, other.")
named: Final = Event("phxactor.process.named", "A name was registered: pid, name.")
cleanup_failed: Final = Event(
    "phxactor.process.cleanup_failed",
    "An exception came out of a process that was already ending. It is not the exit reason: pid, exception.",
)
zombie: Final = Event(
    "phxactor.process.zombie",
    "A killed process has not ended in time. It counts as dead, but its task still runs: pid, reason.",
)
stray: Final = Event(
    "phxactor.process.stray", "The orderly stop of a runtime has left processes, which it will now kill: pids."
)
stuck: Final = Event(
    "phxactor.process.stuck",
    "A process lets nothing else run: pid (None if it is not one process alone), seconds, stack (text). Emitted in the "
    "watchdog's thread.",
)
unstuck: Final = Event(
    "phxactor.process.unstuck",
    "The loop goes on after `stuck`: pid (as there), seconds (in which nothing else ran). Emitted in the same thread.",
)
call_failed: Final = Event("phxactor.run_soon.failed", "A function given to `run_soon` has raised: exception.")
timer_failed: Final = Event("phxactor.timer.failed", "The callback of a timer has raised: exception.")


def _blocking(fields: Mapping[str, object]) -> str:
    seconds = f"has let nothing else run for {fields['seconds']:.1f} s"
    return f"the loop {seconds}" if fields["pid"] is None else f"{fields['pid']!r} {seconds}"


log(crashed, logging.ERROR, lambda fields: f"{fields['pid']!r} crashed")
log(cleanup_failed, logging.ERROR, lambda fields: f"the cleanup of {fields['pid']!r}, which was ending, failed")
log(
    zombie,
    logging.ERROR,
    lambda fields: f"{fields['pid']!r} was killed but does not end: its task is in a shield, or waits for a thread",
)
log(stuck, logging.WARNING, lambda fields: f"{_blocking(fields)}, and is here:\n{fields['stack']}")
log(unstuck, logging.INFO, lambda fields: f"{_blocking(fields)}, and goes on")
log(timer_failed, logging.ERROR, lambda _: "the callback of a timer raised")
log(call_failed, logging.ERROR, lambda _: "a function given to run_soon raised")
