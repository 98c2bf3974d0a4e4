"""The process that fetches the data of one diff, so that nobody waits for it but the diffs of the same topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from phxactor.presence._element import Changes, Grouped, grouped
from phxactor.presence._guard import Fetch, Guard
from phxactor.runtime import Pid

Done: TypeAlias = Callable[[Grouped, Grouped], None]
"""Takes the joins and the leaves of a diff, fetched or not."""


@final
class Fetching:
    """Starts such processes, as children of the tracker."""

    __slots__ = ("_fetch", "_guard", "tracker")

    def __init__(self, fetch: Fetch, guard: Guard) -> None:
        """`fetch` is the method of the program."""
        self._fetch: Final = fetch
        self._guard: Final = guard
        self.tracker: Pid | None = None
        """The parent of the processes."""

    def start(self, topic: str, changes: Changes, done: Done) -> None:
        """Fetch for a diff, and call `done` in any case: with the diff as it is, if `fetch` fails or is killed."""
        joins, leaves = grouped(changes.joins), grouped(changes.leaves)
        tracker = self.tracker
        if tracker is None or not tracker.alive:
            done(joins, leaves)
        else:
            tracker.runtime.start(tracker, self._run, (topic, joins, leaves, done), False, "presence fetch")  # noqa: FBT003 - by position, as the runtime has it

    async def _run(self, topic: str, joins: Grouped, leaves: Grouped, done: Done) -> None:
        finished = False
        try:
            joins = await self._guard.fetch(self._fetch, topic, joins)
            leaves = await self._guard.fetch(self._fetch, topic, leaves)
            finished = True
        finally:
            if not finished:
                self._guard.failed("fetch", topic, "was ended")
            done(joins, leaves)
