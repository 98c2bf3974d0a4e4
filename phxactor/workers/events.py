"""Telemetry events of a parent of workers, and their log lines."""

from __future__ import annotations

import logging
import signal
from contextlib import suppress
from typing import Final

from phxactor.telemetry import Event, log

ready: Final = Event("phxactor.workers.ready", "A worker serves: number, process (its pid), generation, seconds.")
ended: Final = Event(
    "phxactor.workers.ended",
    "A worker has ended that should not have: number, process (its pid), status (exit code, or minus the number of a "
    "signal), stack (of a crash in C code, else empty), seconds (until it is started again; None if it is not).",
)
left: Final = Event("phxactor.workers.left", "A worker has ended that was told to: number, process (its pid).")
hung: Final = Event(
    "phxactor.workers.hung",
    "A worker gave no sign of life, and was killed: number, process (its pid), seconds, stack (where it hung).",
)
reloading: Final = Event("phxactor.workers.reloading", "New workers start; then they take the place of the old: why.")
reloaded: Final = Event("phxactor.workers.reloaded", "New workers have taken the place of the old: workers, seconds.")
reload_failed: Final = Event(
    "phxactor.workers.reload_failed", "A new worker did not start; the old ones stay: number, status."
)
waiting: Final = Event(
    "phxactor.workers.waiting",
    "In development: no worker can start, and the parent waits for a change of a file: number, status.",
)
gave_up: Final = Event("phxactor.workers.gave_up", "Workers ended too often, and the parent stops: why.")
stopping: Final = Event("phxactor.workers.stopping", "The parent stops its workers: workers.")
control_failed: Final = Event(
    "phxactor.workers.message_lost", "A message of a worker could not be read or sent: number, why."
)

no_admin: Final = Event(
    "phxactor.workers.no_admin", "The parent has no admin socket, so `phxactor workers` does not find it: why."
)


def words_of(status: int | None) -> str:
    """Say how a process ended: its exit code, or the signal that killed it."""
    if status is None:
        return "ended"
    if status >= 0:
        return f"ended with exit code {status}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def _again(seconds: object) -> str:
    if seconds is None:
        return ""
    return f"; it is started again{f' in {seconds:g} s' if seconds else ''}"


def _status(status: object) -> str:
    return words_of(status if isinstance(status, int) else None)


log(
    ready,
    logging.INFO,
    lambda fields: f"worker {fields['number']} (pid {fields['process']}) is ready after {fields['seconds']:.1f} s",
)
log(
    ended,
    logging.ERROR,
    lambda fields: (
        f"worker {fields['number']} (pid {fields['process']}) {_status(fields['status'])}{_again(fields['seconds'])}"
        + (f"; it was here:\n{fields['stack']}" if fields["stack"] else "")
    ),
)
log(left, logging.INFO, lambda fields: f"worker {fields['number']} (pid {fields['process']}) has left")
log(
    hung,
    logging.ERROR,
    lambda fields: (
        f"worker {fields['number']} (pid {fields['process']}) gave no sign of life for {fields['seconds']:.0f} s and "
        f"is killed. It hung here:\n{fields['stack'] or '(unknown: it did not answer the signal)'}"
    ),
)
log(reloading, logging.INFO, lambda fields: f"reloading: {fields['why']}")
log(
    reloaded,
    logging.INFO,
    lambda fields: (
        f"reloaded: {fields['workers']} new {'worker serves' if fields['workers'] == 1 else 'workers serve'} "
        f"after {fields['seconds']:.1f} s"
    ),
)
log(
    reload_failed,
    logging.ERROR,
    lambda fields: f"the reload failed: worker {fields['number']} {_status(fields['status'])}; the old workers stay",
)
log(
    waiting,
    logging.ERROR,
    lambda fields: f"worker {fields['number']} {_status(fields['status'])}; waiting for a change of a file",
)
log(gave_up, logging.CRITICAL, lambda fields: f"the parent gives up: {fields['why']}")
log(
    stopping,
    logging.INFO,
    lambda fields: f"stopping {fields['workers']} {'worker' if fields['workers'] == 1 else 'workers'}",
)
log(
    control_failed,
    logging.WARNING,
    lambda fields: f"a message between the parent and worker {fields['number']} is lost: {fields['why']}",
)
log(no_admin, logging.WARNING, lambda fields: f"phxactor workers will not find these workers: {fields['why']}")
