"""The parent of worker processes: it starts, watches, reloads and stops them. See README.md in this folder."""

from phxactor.workers._admin import FolderError, ask_state, folder, parents, publish
from phxactor.workers._files import check_watchfiles
from phxactor.workers._parent import NAME
from phxactor.workers._run import Count, check_count, run, run_parent, with_redis
from phxactor.workers._state import ParentState, WorkerState

__all__ = [
    "NAME",
    "Count",
    "FolderError",
    "ParentState",
    "WorkerState",
    "ask_state",
    "check_count",
    "check_watchfiles",
    "folder",
    "parents",
    "publish",
    "run",
    "run_parent",
    "with_redis",
]
