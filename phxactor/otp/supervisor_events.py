"""The telemetry events of supervisors: starts, ends and restarts of children, and when a supervisor gives up (L7).

Failures are logged at ERROR, restarts at INFO, and starts at DEBUG. The end of a child that has reported it itself, or
that another process caused by its crash, is logged at DEBUG.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import Reason, describe_reason
from phxactor.telemetry import Event, log

child_started: Final = Event(
    "phxactor.supervisor.child_started",
    "A child was started, or started again: supervisor, spec, pid.",
)
child_terminated: Final = Event(
    "phxactor.supervisor.child_terminated",
    "A child ended by itself, abnormally or although it is permanent: supervisor, spec, pid, reason, "
    "told (whether a process has reported this failure).",
)
start_error: Final = Event(
    "phxactor.supervisor.start_error",
    "The start function of a child failed: supervisor, spec, reason, "
    "told (whether a process has reported this failure), exception (None if told).",
)
restarted: Final = Event(
    "phxactor.supervisor.restarted",
    "A child was started again: supervisor, spec, pid, restarts (of this child so far).",
)
restart_started: Final = Event(
    "phxactor.supervisor.restart.start",
    "A supervisor begins to restart a child, and those that its strategy restarts with it: supervisor, spec (of the "
    "child that has ended).",
)
restart_stopped: Final = Event(
    "phxactor.supervisor.restart.stop",
    "A supervisor has restarted them, or could not: supervisor, spec, seconds, outcome (ok or failed; it tries again).",
)
gave_up: Final = Event(
    "phxactor.supervisor.gave_up",
    "There were more restarts than the supervisor allows: supervisor, spec (of the last child to fail).",
)
shutdown_error: Final = Event(
    "phxactor.supervisor.shutdown_error",
    "A child that was told to end ended in an unexpected way: supervisor, spec, pid, reason.",
)


def _reason(fields: Mapping[str, object]) -> str:
    reason: Reason = fields["reason"]
    return describe_reason(reason)


def _child(fields: Mapping[str, object]) -> str:
    return f"child {getattr(fields['spec'], 'id', None)!r} of supervisor {fields['supervisor']!r}"


log(child_started, logging.DEBUG, lambda fields: f"{_child(fields)} started as {fields['pid']!r}")
log(
    child_terminated,
    logging.ERROR,
    lambda fields: f"{_child(fields)} terminated: {_reason(fields)}",
    told_level=logging.DEBUG,
)
log(
    start_error,
    logging.ERROR,
    lambda fields: f"{_child(fields)} did not start: {_reason(fields)}",
    told_level=logging.DEBUG,
)
log(restarted, logging.INFO, lambda fields: f"{_child(fields)} restarted as {fields['pid']!r}")
log(gave_up, logging.ERROR, lambda fields: f"{_child(fields)} was restarted too often; the supervisor ends")
log(
    shutdown_error,
    logging.ERROR,
    lambda fields: f"{_child(fields)} was told to end, and ended otherwise: {_reason(fields)}",
)
