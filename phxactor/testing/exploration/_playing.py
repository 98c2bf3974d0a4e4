"""Plays a program again and again in one trio run, with a runtime for each play and no trace (EX61, EX62)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

from trio.lowlevel import current_task
from trio.testing import wait_all_tasks_blocked

from phxactor.runtime import Exit, open_runtime
from phxactor.telemetry import log_as_text
from phxactor.testing._machine_guest import Guest
from phxactor.testing.exploration._bounded import Deviations, Played
from phxactor.testing.exploration._faults import Faults
from phxactor.testing.exploration._options import Option
from phxactor.testing.exploration._receiving import Took
from phxactor.testing.exploration._steps import Steps
from phxactor.testing.exploration._watcher import Watcher
from phxactor.testing.threads import in_turn

Program: TypeAlias = Callable[[], Awaitable[object]]
Pick: TypeAlias = Callable[[int, Sequence[Option]], int]
"""Returns the index of the option that is taken, given the number of the choice."""


class Playground:
    """One trio run in which a program is played again and again."""

    def __init__(
        self, program: Program, *, timeouts: float, faults: Faults | None = None, took: Took | None = None
    ) -> None:
        """Store the program, what may happen beside its steps, and what is told of each taken message."""
        self._program = program
        self._faults = faults
        self._took = took
        self._timeouts = timeouts
        self._guest: Guest | None = None
        self._steps: Steps | None = None
        self.plays = 0
        """The number of plays so far."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep the trio run while the block lasts. Nothing is logged: each play would write the same lines."""
        self._guest = Guest(self._world)
        with unlogged():
            try:
                yield
            finally:
                guest, self._guest = self._guest, None
                guest.finish()

    def play(self, pick: Pick, watcher: Watcher | None = None, *, to_the_end: bool = False) -> Played:
        """Play the program once. With `to_the_end`, the others go on after the program until none can (EX37)."""
        if self._guest is None:
            raise RuntimeError("the playground is not open")
        self.plays += 1
        counts: list[int] = []
        deviations: Deviations = {}

        def choose(options: Sequence[Option]) -> int:
            number = len(counts)
            counts.append(len(options))
            chosen = pick(number, options)
            if chosen:
                deviations[number] = chosen
            return chosen

        async def once() -> BaseException | None:
            steps = self._steps
            if steps is None:
                raise RuntimeError("the playground is not open")
            steps.begin(choose)
            returned = False
            try:
                async with open_runtime() as runtime:
                    steps.budget.runtime = runtime
                    await wait_all_tasks_blocked()
                    steps.free, steps.watcher = True, watcher
                    if watcher is not None:
                        watcher.before(current_task(), ())
                    try:
                        with steps.watched():
                            await self._program()
                        returned = True
                        steps.ending = True
                        if to_the_end:
                            await wait_all_tasks_blocked()
                    finally:
                        steps.free, steps.watcher = False, None
            except (Exception, Exit, BaseExceptionGroup) as error:  # noqa: BLE001 - what the program raises is the result
                return error
            return None if returned else AssertionError("an exit signal has ended the first process")

        error = self._guest.do(once)
        return Played(deviations, counts, error if isinstance(error, BaseException) else None)

    def order(self, order: Mapping[int, int]) -> Played:
        """Play the program once, with these choices."""
        return self.play(lambda number, options: min(order.get(number, 0), len(options) - 1))

    def play_all(self, orders: Iterable[Deviations]) -> Iterator[Played]:
        """Play orders, one after the other."""
        return map(self.order, orders)

    @asynccontextmanager
    async def _world(self) -> AsyncIterator[None]:
        steps = self._steps = Steps(_first, timeouts=self._timeouts, faults=self._faults)
        steps.free = False
        steps.receiving.took = self._took
        with log_as_text(), in_turn(), steps.ordered():
            yield
        self._steps = None


def _first(_: Sequence[Option]) -> int:
    return 0


@contextmanager
def unlogged() -> Iterator[None]:
    """Log nothing while the block lasts."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
