"""The panels that the collector fills: which data each viewer gets."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final, final

from phxactor.observer._forest import Forest
from phxactor.observer._hub import Hub
from phxactor.observer._totals import total
from phxactor.observer._tree_rows import TreeRows
from phxactor.observer._viewer import Viewer


@final
class Panels:
    """What is collected for those who look."""

    def __init__(self, hub: Hub, forest: Forest) -> None:
        """Collect nothing yet."""
        self.hub = hub
        self.forest = forest
        self.viewed: Counter[str] = Counter()
        """Viewers by the kind of panel."""
        self.tree = TreeRows(forest)
        self.summary: dict[str, object] = {}

    def joined(self, viewer: Viewer) -> None:
        """Collect what a new viewer looks at."""
        self.viewed[kind_of(viewer)] += 1

    def left(self, viewer: Viewer) -> None:
        """Stop collecting what nobody looks at any more."""
        self.viewed[kind_of(viewer)] -= 1

    def detach(self) -> None:
        """Collect nothing more."""

    async def second(self) -> None:
        """Read what all viewers share, once a second."""
        self.forest.settle()
        self.summary = self.summarise()

    async def show(self, viewer: Viewer) -> None:
        """Send a viewer its panel."""
        match kind_of(viewer):
            case "summary":
                viewer.show("summary", self.summary)
            case "tree":
                viewer.show("rows", await self.tree.frame(viewer))

    def summarise(self) -> dict[str, object]:
        """Return the numbers at the head of the page."""
        totals, history = total(self.forest.runtime, self.hub.endpoint), self.hub.history
        counts = Counter() if history is None else history.counts
        return {
            "now": round(time.time(), 3),
            "processes": totals.processes,
            "messages": totals.messages,
            "zombies": totals.zombies,
            "connections": totals.connections,
            "memory": totals.memory,
            "lag": 0.0 if history is None else history.lag,
            "crashes": counts["crashes"],
            "restarts": counts["restarts"],
            "joins": counts["joins"],
        }


def kind_of(viewer: Viewer) -> str:
    """Return the kind of panel: `process` for `process:7`."""
    return viewer.panel.partition(":")[0]


NAMES: Final = ("tree", "sockets", "topics", "nodes", "presence", "charts", "log")
"""The panels of the page."""
