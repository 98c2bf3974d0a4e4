"""The rows of the tree for a viewer: searched, sorted or frozen, and only those of its window."""

from __future__ import annotations

from itertools import takewhile
from typing import Final, final

import attrs
from trio.lowlevel import checkpoint

from phxactor.observer._forest import Forest
from phxactor.observer._node import Node
from phxactor.observer._texts import optional, text
from phxactor.observer._view import View
from phxactor.observer._viewer import Viewer
from phxactor.observer._window import Place, by_name, largest, rows_of, with_those_above
from phxactor.otp import SupervisorProcess
from phxactor.runtime import Pid

SORTS: Final = frozenset({"mailbox", "rate", "cpu", "name", "restarts"})
MANY: Final = 1000
"""Children whose restarts are added up, at most."""
ALL: Final = 50_000
"""Rows of a frozen view that keep their places, at most."""
SLICE: Final = 500
"""Processes that a search looks at without a pause."""
BIG: Final = 2000
"""Processes from which on a tree is not searched and sorted each second for each viewer."""
AGAIN: Final = 2.5
"""Seconds after which it is; values in the rows are always those of this second."""


@final
class TreeRows:
    """The tree as rows."""

    def __init__(self, forest: Forest) -> None:
        """Show this forest."""
        self.forest = forest
        self.rates: dict[Pid, float] = {}
        """Messages handled in a second, by process; those that are not in it handled none."""
        self.cpu: dict[Pid, float] | None = None
        """Parts of a core that a process used in the last second; None if nobody can tell."""

    async def frame(self, viewer: Viewer) -> dict[str, object]:
        """Return the payload of `rows`."""
        view = viewer.view
        if view.sort == "name":
            await self._texts()
        found = await self._search(viewer) if view.search else None
        if view.frozen:
            places = await self._arranged(viewer, found)
            total, rows, held = len(places), places[view.first : view.first + view.count], self._held(viewer, found)
        else:
            held = 0
            total, rows = await self._seen(viewer, found)
        return {
            "total": total,
            "from": view.first,
            "view": view.number,
            "matches": None if found is None else len(found),
            "held": held,
            "rows": [self._row(*place) for place in rows],
        }

    async def _seen(self, viewer: Viewer, found: list[Node] | None) -> tuple[int, list[Place]]:
        """Return the window of a viewer, as it was sorted for it a moment ago if the tree is big."""
        if viewer.view.sort is None:
            if found is not None and viewer.shown is None:
                viewer.shown = with_those_above(found)
            return rows_of(self.forest.root, viewer.view, None if found is None else viewer.shown)  # type: ignore[arg-type]
        view = attrs.evolve(viewer.view, number=0)
        if viewer.ordered_for != view or self._is_due(viewer.ordered_at):
            viewer.ordered_for, viewer.ordered_at = view, self.forest.runtime.now()
            viewer.ordered = await self._places(view, found)
        return viewer.ordered  # type: ignore[no-any-return]

    def _is_due(self, at: float) -> bool:
        """Say whether what was searched or sorted at that time is to be looked at again."""
        return len(self.forest.nodes) < BIG or self.forest.runtime.now() - at >= AGAIN

    async def _places(self, view: View, found: list[Node] | None) -> tuple[int, list[Place]]:
        if view.sort is None:
            return rows_of(self.forest.root, view, None if found is None else with_those_above(found))
        nodes = self.forest.nodes.values() if found is None else found
        if view.sort == "name":
            return len(nodes), await by_name(nodes, view)
        if view.sort == "mailbox":
            return len(nodes), await largest(
                nodes, lambda node: len(node.pid.mailbox) if node.pid is not None else -1, view
            )
        if view.sort == "restarts":
            return len(nodes), await largest(
                nodes, lambda node: 0 if (record := node.record()) is None else record.restarts, view
            )
        values = self.rates if view.sort == "rate" else self.cpu or {}
        return len(nodes), await largest(nodes, lambda node: values.get(node.pid, 0.0), view)  # type: ignore[arg-type]

    async def _arranged(self, viewer: Viewer, found: list[Node] | None) -> list[Place]:
        """Return all rows in the order that they had when the view was frozen."""
        view = attrs.evolve(viewer.view, first=0, count=0, number=0)
        if viewer.arranged is None or viewer.arranged_for != view:
            viewer.freeze((await self._places(attrs.evolve(view, count=ALL), found))[1], view)
        return viewer.arranged or []

    def _held(self, viewer: Viewer, found: list[Node] | None) -> int:
        """Return how many processes have started since the view was frozen, and have no row: the newest are last."""
        nodes = reversed(self.forest.nodes.values()) if found is None else reversed(found)
        after = takewhile(lambda node: node.pid is None or node.pid.number > viewer.newest, nodes)
        return sum(node.pid is not None and not node.ended for node in after)

    async def _texts(self) -> None:
        """Make the texts of all processes that have none yet, in slices."""
        for place, node in enumerate([*self.forest.nodes.values()], 1):
            if node.text is None:
                node.searched()
            if place % SLICE == 0:
                await checkpoint()

    async def _search(self, viewer: Viewer) -> list[Node]:
        """Return the processes whose texts hold the search; looked for again only if something has changed."""
        search = viewer.view.search
        asked, known = (search, self.forest.version), viewer.found_for
        if known != asked and (not isinstance(known, tuple) or known[0] != search or self._is_due(viewer.found_at)):
            viewer.found_at, viewer.shown = self.forest.runtime.now(), None
            found, number = [], number_in(search)
            for place, node in enumerate([*self.forest.nodes.values()], 1):
                if search in node.searched() or (
                    number is not None and node.pid is not None and node.pid.number == number
                ):
                    found.append(node)
                if node.downs:
                    found += [down for down in node.downs.values() if search in down.searched()]
                if place % SLICE == 0:
                    await checkpoint()
            viewer.found, viewer.found_for = found, asked
        return viewer.found  # type: ignore[return-value]

    def _row(self, node: Node, depth: int, position: int, size: int, is_open: bool) -> tuple[object, ...]:  # noqa: FBT001
        pid, record = node.pid, node.record()
        return (
            node.key(),
            depth,
            node.relation,
            None if pid is None else pid.number,
            named(node.id(), node.name),
            None if pid is None else optional(pid.label),
            "" if pid is None else text(pid.initial_call),
            node.status(),
            0 if pid is None else len(pid.mailbox),
            0 if pid is None else round(self.rates.get(pid, 0.0), 1),
            None if pid is None or self.cpu is None else round(self.cpu.get(pid, 0.0), 4),
            0 if record is None else record.restarts,
            len(node.below or ()),
            int(is_open),
            position,
            size,
            supervision(node),
            node.mark or ("down" if pid is None else None),
        )


def number_in(search: str) -> int | None:
    """Return the number of a process that a search names, as `42` or `<42>`: 142 is another."""
    digits = search.removeprefix("<").removesuffix(">")
    return int(digits) if digits.isdecimal() and len(digits) < 20 else None  # noqa: PLR2004


def named(id_: object, name: str | None) -> str | None:
    """Name a row: a supervised child by its id and, if different, its registered name; others by their name, or not."""
    if id_ is None:
        return None if name is None else text(name)
    known = text(id_)
    return known if name is None or name == known else f"{known} ({text(name, 40)})"


def supervision(node: Node) -> tuple[str, int, int, int, int | None] | None:
    """Return a supervisor's strategy, its restarts of late, how many it allows and within how many seconds, and all.

    How often it has restarted children in all is None if it has too many to look at.
    """
    process = node.supervising
    if process is None or node.pid is None or node.ended:
        return None
    intensity = process.intensity
    strategy = process.strategy if isinstance(process, SupervisorProcess) else "one_for_one"
    records = process.records()
    ever = sum(record.restarts for record in records) if len(records) <= MANY else None
    return strategy, intensity.used(node.pid.runtime.now()), intensity.max_restarts, intensity.max_seconds, ever
