"""What the runtime tells its observers. Unattached, each costs one attribute test."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

spawned: Final = Event("phxactor.process.spawned", "A process was made: pid, parent, linked.")
exited: Final = Event("phxactor.process.exited", "A process has wholly ended: pid, reason.")
crashed: Final = Event("phxactor.process.crashed", "A bare process ended by an uncaught exception: pid, exception.")
linked: Final = Event("phxactor.process.linked", "Two processes were linked: pid, other.")
unlinked: Final = Event("phxactor.process.unlinked", "A link was removed by unlink: pid, other.")
named: Final = Event("phxactor.process.named", "A name was registered: pid, name.")
cleanup_failed: Final = Event(
    "phxactor.process.cleanup_failed",
    "An exception came out of a process that was already ending, and was not adopted: pid, exception.",
)
zombie: Final = Event(
    "phxactor.process.zombie",
    "A killed process has not ended in time and is taken for dead, though its task still runs: pid, reason.",
)
stray: Final = Event(
    "phxactor.process.stray", "Processes that the orderly stop of a runtime has not ended are about to be killed: pids."
)
stuck: Final = Event(
    "phxactor.process.stuck",
    "A process does not let others run: pid (or None), seconds, stack (text). Emitted in the watchdog's thread.",
)
unstuck: Final = Event(
    "phxactor.process.unstuck", "It does again: pid, seconds (that nothing else ran). Emitted in the watchdog's thread."
)
call_failed: Final = Event("phxactor.run_soon.failed", "What `run_soon` called has raised: exception.")
timer_failed: Final = Event("phxactor.timer.failed", "What a timer called has raised: exception.")

log(crashed, logging.ERROR, lambda fields: f"{fields['pid']!r} crashed")
log(cleanup_failed, logging.ERROR, lambda fields: f"the cleanup of {fields['pid']!r}, which was ending, failed")
log(zombie, logging.ERROR, lambda fields: f"{fields['pid']!r} was killed and does not end: it shields itself, or waits")
log(
    stuck,
    logging.ERROR,
    lambda fields: f"{fields['pid']!r} has let nothing else run for {fields['seconds']:.1f} s:\n{fields['stack']}",
)
log(unstuck, logging.ERROR, lambda fields: f"{fields['pid']!r} let nothing else run for {fields['seconds']:.1f} s")
log(timer_failed, logging.ERROR, lambda _: "what a timer called has raised")
log(call_failed, logging.ERROR, lambda _: "what run_soon called has raised")
