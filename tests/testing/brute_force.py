"""All orders of a program, with and without the reduction, and what each shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from phxactor.testing.exploration._accesses import Recorder
from phxactor.testing.exploration._bounded import Bounded, Played
from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._hooks import Hooks
from phxactor.testing.exploration._options import Option
from phxactor.testing.exploration._playing import Playground
from phxactor.testing.exploration._reduction import Class, Reduction, class_of, races

Program = Callable[[], Awaitable[object]]


class Seen:
    """What all orders of a program have shown."""

    def __init__(self, program: Program, timeouts: float) -> None:
        self.outcomes: set[str] = set()
        self.classes: set[Class] = set()
        self.plays = 0
        self._program = program
        self.hooks = Hooks()
        self.ground = Playground(self._main, timeouts=timeouts, took=self.hooks.took)

    async def _main(self) -> None:
        try:
            outcome = repr(await self._program())
        except AssertionError as error:
            outcome = repr(error)
        self.outcomes.add(outcome)


def reduced(program: Program, timeouts: float = 0.0) -> Seen:
    """Play with the reduction."""
    seen = Seen(program, timeouts)
    with seen.hooks.in_force(), seen.ground.open():
        search = Reduction(seen.ground, seen.hooks)
        for played in search.plays():
            assert played.error is None
            seen.plays += 1
        seen.classes = search.classes
    return seen


def forced(program: Program, timeouts: float = 0.0, most: int = 30_000) -> Seen:
    """Play all orders, one by one."""
    seen = Seen(program, timeouts)

    def play(order: Mapping[int, int]) -> Played:
        recorder = seen.hooks.recorder = Recorder(outside=seen.hooks.outside)

        def pick(number: int, options: Sequence[Option]) -> int:
            chosen = order.get(number, 0)
            if isinstance(options[chosen], Clock):
                recorder.jumps()
            return chosen

        played = seen.ground.play(pick, recorder, to_the_end=True)
        seen.hooks.recorder = None
        assert played.error is None
        seen.classes.add(class_of(recorder.events, races(recorder.events, [])))
        return played

    with seen.hooks.in_force(), seen.ground.open():
        for _ in Bounded(lambda orders: map(play, orders)).plays():
            seen.plays += 1
            assert seen.plays <= most
    return seen
