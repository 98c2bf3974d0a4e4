"""Labels: descriptions of processes, for humans and viewers (L12). A label is no address."""

from __future__ import annotations

from phxactor.otp import events
from phxactor.runtime import Pid, self_pid


def set_label(label: object) -> None:
    """Set the label of the current process."""
    pid = self_pid()
    pid.label = label
    if events.labelled.handlers:
        events.labelled.emit(pid=pid, label=label)


def get_label(pid: Pid) -> object:
    """Return the label of a process; None if it has none."""
    return pid.label
