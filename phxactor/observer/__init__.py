"""The live picture of a running system: what runs, under whom, and how it fares. See README.md in this folder."""

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
