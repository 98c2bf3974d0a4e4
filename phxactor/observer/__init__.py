"""The live picture of a running system: its processes, their supervisors and their states. See README.md here."""

from phxactor.observer.channel import TreeChannel
from phxactor.observer.render import table, tree
from phxactor.observer.routes import observer_routes
from phxactor.observer.snapshot import Process, Row, Snapshot, Supervision, snapshot

__all__ = [
    "Process",
    "Row",
    "Snapshot",
    "Supervision",
    "TreeChannel",
    "observer_routes",
    "snapshot",
    "table",
    "tree",
]
