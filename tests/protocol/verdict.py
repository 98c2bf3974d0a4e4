"""Plays programs against the endpoint and against the model, and says where the two differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Final

import trio
from trio.testing import MockClock

from tests.protocol.driver import Driver, Population, driving
from tests.protocol.programs import Move, Player
from tests.protocol.search import Search
from tests.protocol.steps import Drain, End, Open, Send, Step
from tests.protocol.wires import MemoryStream, Wire
from tests.protocol.world import World

ALONE: Final = ("open", "refused", "stall", "resume", "large", "wait")
"""Moves before and after which the program waits until nothing happens: what is large may not come at once."""


TOGETHER: Final = 6
"""Steps that are played at once, at most: with each there are many more orders in which they may happen."""


class DisagreementError(AssertionError):
    """The server does what the model does not allow; the message shows the program, and both."""


class Play:
    """A program while it is played."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.steps = 0
        self._worlds = [World()]
        """The states in which the server may be."""
        self._begun: list[Step] = []
        self._played: list[str] = []

    @property
    def begun(self) -> int:
        """How many steps have been begun since the last rest."""
        return len(self._begun)

    async def begin(self, step: Step) -> None:
        """Begin a step, without waiting for what comes of it."""
        self._begun.append(await self.driver.begin(step))

    async def rest(self) -> None:
        """Wait until nothing happens, and compare; raises DisagreementError."""
        steps, self._begun = self._begun, []
        got = await self.driver.rest()
        seen: dict[str, list[str] | None] = {**got}
        for step in steps:
            if isinstance(step, Send) and isinstance(step.what, End) and step.what.broken:
                seen[step.client] = None
        before = [world.copy() for world in self._worlds]
        possible = Search(self._worlds, steps, seen).outcomes()
        if not possible:
            raise DisagreementError(self._explain(steps, got, Search(before, steps, seen).nearest()))
        there = self.driver.population()
        self._worlds = [world for world in possible if population(world) == there]
        if not self._worlds:
            raise DisagreementError(self._leak(steps, there, population(possible[0])))
        self._played += _together(steps)
        self.steps += len(steps)

    # ---------------------------------------------------------------------------------------------- reports

    def _explain(
        self, steps: Sequence[Step], got: Mapping[str, Sequence[str]], want: Mapping[str, Sequence[str]]
    ) -> str:
        lines = [*self._program(steps), "", "the model would have, among others, and the server has:"]
        for name in sorted({*got, *want}):
            wanted, seen = want.get(name, ()), got.get(name, ())
            if wanted or seen:
                lines.append(f"  {name}:")
            for one, other in zip_longest(wanted, seen):
                if one == other:
                    lines.append(f"      both    {one}")
                    continue
                lines += [f"    ! model   {one}"] * (one is not None) + [f"    ! server  {other}"] * (other is not None)
        return "\n".join(lines)

    def _leak(self, steps: Sequence[Step], there: Population, wanted: Population) -> str:
        return "\n".join([*self._program(steps), "", f"the model has {wanted}", f"the server  {there}"])

    def _program(self, steps: Sequence[Step]) -> list[str]:
        return ["the program:", *(f"  {line}" for line in self._played), *(f"> {line}" for line in _together(steps))]


def _together(steps: Sequence[Step]) -> list[str]:
    return [f"{'  and ' if number else ''}{step}" for number, step in enumerate(steps)]


def population(world: World) -> Population:
    """Count what the model has."""
    connections = [connection for connection in world.connections.values() if connection.stage == "open"]
    subscriptions = Counter(channel.topic for channel in world.channels.values() if channel.subscribed)
    subscriptions.update(f"users_socket:{one.user}" for one in connections if one.user is not None)
    answering = sum(timer.what == "reply" for timer in world.timers)
    return Population(len(connections) + len(world.channels) + answering, tuple(sorted(subscriptions.items())))


def reason_of_failure(program: Sequence[Move], wires: Callable[[], Wire] = MemoryStream) -> int:
    """Play a program, and then the end of the endpoint; return the number of steps. Raises DisagreementError."""
    clock = MockClock()
    return trio.run(_judge, program, clock, wires, clock=clock)


async def _judge(program: Sequence[Move], clock: MockClock, wires: Callable[[], Wire]) -> int:
    async with driving(clock, wires) as driver:
        play, player = Play(driver), Player(driver.clients, stalls=wires is MemoryStream)
        for move in program:
            alone = move.kind in ALONE or not player.hurries or play.begun == TOGETHER
            if move.passes is None or alone:
                await play.rest()
            for _ in range(move.passes or 0):
                await trio.lowlevel.checkpoint()
            step = player.step(move)
            if step is not None:
                await play.begin(step)
            if alone or isinstance(step, Open):
                await play.rest()
        await play.rest()
        for step in (*player.before_the_end(), Drain()):
            await play.begin(step)
            await play.rest()
        return play.steps
