"""The parent of worker processes: it starts, watches, reloads and stops them. See README.md in this folder."""

from phxactor.workers._parent import NAME
from phxactor.workers._run import Count, check_count, run, run_parent
from phxactor.workers._state import ParentState, WorkerState

__all__ = [
    "NAME",
    "Count",
    "ParentState",
    "WorkerState",
    "check_count",
    "run",
    "run_parent",
]
