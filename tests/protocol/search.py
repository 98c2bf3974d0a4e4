"""The search for an order of events that explains what clients were seen to get.

Between two moments of rest there are many orders in which processes may run. The search tries them, gives up an order
as soon as it would tell a client something that it did not get, and remembers the states it has been in. What is left
are the states in which the server may be now; there may be more than one, and the next step begins with all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tests.protocol.machine import Action, optional, play, ready, tick
from tests.protocol.steps import Drain, Step, Wait
from tests.protocol.world import ImpossibleError, Seen, World

TOO_MANY: Final = 200_000
"""States after which a search is given up."""
LONG: Final = 40.0
"""Seconds that the end of an endpoint may take."""


class TooManyError(Exception):
    """There are too many orders in which this may happen."""


class Search:
    """One search: `worlds` are the states in which the server may have been when the steps began, all at one time."""

    def __init__(self, worlds: Iterable[World], steps: Sequence[Step], seen: Seen) -> None:
        self._steps = steps
        self._seen = seen
        self._open: list[tuple[World, int]] = []
        """States that have not been looked at, and how many steps had begun by then."""
        self._known: set[object] = set()
        self._found: dict[object, World] = {}
        self._nearest: tuple[int, World, int] | None = None
        """The state that explains most of what was seen, by how many items, and how many steps had begun by then."""
        for world in worlds:
            world.seen = seen
            self._open.append((world, 0))
        self._until = self._open[0][0].now + _seconds(steps)
        self._thorough = False

    def outcomes(self) -> list[World]:
        """Find the states in which the server may be when nothing happens any more; none if there is no such order."""
        while self._open:
            try:
                self._look(*self._open.pop())
            except ImpossibleError:
                continue
        for world in self._found.values():
            for name in world.connections:
                world.connection(name, told=0)
        return list(self._found.values())

    def nearest(self) -> dict[str, list[str]]:
        """Explain as much as can be explained, and go on in one of the orders that there are; return what is told."""
        self._thorough = True
        self.outcomes()
        assert self._nearest is not None
        _, world, begun = self._nearest
        told = {name: list(self._seen.get(name) or ())[: one.told] for name, one in world.connections.items()}
        world.seen = None
        for step in self._steps[begun:]:
            _exhaust(world)
            play(world, step)
        _exhaust(world)
        while tick(world, self._until):
            _exhaust(world)
        for name, item in world.log:
            told.setdefault(name, []).append(item)
        return told

    def _look(self, world: World, begun: int) -> None:
        actions = self._next(world, begun)
        while len(actions) == 1 and not self._thorough:  # the usual case: nothing to choose, and nothing to remember
            begun = self._take(world, begun, actions[0])
            actions = self._next(world, begun)
        if self._thorough:
            told = sum(connection.told for connection in world.connections.values())
            if self._nearest is None or self._nearest[0] < told:
                self._nearest = told, world.copy(), begun
        key = begun, world.key()
        if key in self._known:
            return
        self._known.add(key)
        if len(self._known) > TOO_MANY:
            raise TooManyError
        for action in [*actions, *optional(world)]:
            twin = world.copy()
            try:
                self._open.append((twin, self._take(twin, begun, action)))
            except ImpossibleError:
                continue
        if not actions:
            if tick(world, self._until):
                self._open.append((world, begun))
            elif self._all_told(world):
                world.now = self._until
                self._found[world.key()] = world

    def _next(self, world: World, begun: int) -> list[Action | None]:
        """List what can happen now, in the server or, as None, in the program."""
        return [*([None] if begun < len(self._steps) else []), *ready(world)]

    def _take(self, world: World, begun: int, action: Action | None) -> int:
        if action is not None:
            action(world)
            return begun
        play(world, self._steps[begun])
        return begun + 1

    def _all_told(self, world: World) -> bool:
        """Say whether clients would have got all that they were seen to get."""
        return all(
            connection.blind or (items := self._seen.get(name, ())) is None or connection.told == len(items)
            for name, connection in world.connections.items()
        )


def _exhaust(world: World) -> None:
    while (action := next(ready(world), None)) is not None:
        action(world)


def _seconds(steps: Sequence[Step]) -> float:
    """Say how much time passes."""
    return sum(step.seconds if isinstance(step, Wait) else LONG for step in steps if isinstance(step, Wait | Drain))
