"""The live picture of a running system: its processes, their supervisors and their states. See README.md here."""

from phxactor.observer._address import Unreachable, locate
from phxactor.observer._open_page import open_page
from phxactor.observer._picture import Present, Process, Row, Shared, Snapshot, Supervision, Tracked
from phxactor.observer._render import table, tree
from phxactor.observer._routes import PATH, observer_routes, read
from phxactor.observer._snapshot import snapshot

__all__ = [
    "PATH",
    "Present",
    "Process",
    "Row",
    "Shared",
    "Snapshot",
    "Supervision",
    "Tracked",
    "Unreachable",
    "locate",
    "observer_routes",
    "open_page",
    "read",
    "snapshot",
    "table",
    "tree",
]
