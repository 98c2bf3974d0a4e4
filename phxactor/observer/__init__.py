"""The live picture of a running system: its processes, their supervisors and their states. See README.md here."""

from phxactor.observer._channel import TreeChannel
from phxactor.observer._picture import Present, Process, Row, Snapshot, Supervision, Tracked
from phxactor.observer._render import table, tree
from phxactor.observer._routes import observer_routes
from phxactor.observer._snapshot import snapshot
from phxactor.observer._top import watch

__all__ = [
    "Present",
    "Process",
    "Row",
    "Snapshot",
    "Supervision",
    "Tracked",
    "TreeChannel",
    "observer_routes",
    "snapshot",
    "table",
    "tree",
    "watch",
]
