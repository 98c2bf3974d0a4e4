"""The events that tell of a crash: one for each, as docs/events.md has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phxactor.channels import events as channels
from phxactor.otp import events as servers
from phxactor.runtime import Pid, Runtime
from phxactor.runtime import events as processes
from phxactor.telemetry import Event

CRASHES: Final[tuple[Event, ...]] = (
    processes.crashed,
    servers.terminated,
    servers.task_terminated,
    servers.crash_report,
    channels.crashed,
)


def crashed(fields: Mapping[str, Any], runtime: Runtime) -> Pid | None:
    """Return the process that has crashed by the fields of such an event; None if another event tells of it."""
    pid = fields.get("pid")
    return pid if isinstance(pid, Pid) and pid.runtime is runtime and not fields.get("told") else None
