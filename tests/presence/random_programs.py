"""A generator of programs for replicas: any step that is possible, messages late, twice and never."""

from __future__ import annotations

from random import Random
from typing import Final, TypeAlias

from tests.presence.programs import Step

TOPICS: Final = ("lobby", "room")
KEYS: Final = ("ann", "bob", "")
KINDS: Final = {
    "join": 8,
    "update": 4,
    "leave": 4,
    "drop": 1,
    "delta": 6,
    "full": 2,
    "merge": 8,
    "transfer": 3,
    "up": 2,
    "down": 1,
    "permdown": 1,
    "restart": 1,
}
"""Each kind of step with its weight."""

Place: TypeAlias = tuple[int, str, str]
"""An owner, a topic and a key."""


class Programmer:
    """Makes one program; it knows what is tracked, so that each step is possible."""

    def __init__(self, random: Random, replicas: int) -> None:
        self.random = random
        self.lives = [1] * replicas
        self.held: list[dict[Place, None]] = [{} for _ in range(replicas)]
        self.elements = 0
        self.messages = 0

    def step(self) -> Step | None:
        """Make a step; None if the kind that was drawn is not possible now."""
        random = self.random
        i, j = random.sample(range(len(self.lives)), 2)
        (kind,) = random.choices(list(KINDS), list(KINDS.values()))
        match kind:
            case "join" | "update" | "leave" | "drop":
                return self._own(kind, i)
            case "delta" | "full":
                self.messages += 1
                return ["delta", i] if kind == "delta" else ["full", i, j]
            case "merge":
                return ["merge", i, random.randrange(self.messages)] if self.messages else None
            case "transfer":
                return ["transfer", i, j]
            case "restart":
                self.lives[i] += 1
                self.held[i].clear()
                return ["restart", i]
            case _:
                return [kind, i, f"{j}.{random.randint(1, self.lives[j])}"]

    def _own(self, kind: str, i: int) -> Step | None:
        random, held = self.random, self.held[i]
        if kind == "join":
            place = (random.randrange(3) + 10 * i + 100 * self.lives[i], random.choice(TOPICS), random.choice(KEYS))
            if place in held:
                return None
            held[place] = None
            self.elements += 1
            return ["join", i, self.elements, *place]
        if not held:
            return None
        place = random.choice(list(held))
        if kind == "update":
            self.elements += 1
            return ["update", i, self.elements, *place]
        if kind == "leave":
            del held[place]
            return ["leave", i, *place]
        self.held[i] = {other: None for other in held if other[0] != place[0]}
        return ["drop", i, place[0]]


def random_program(random: Random, length: int, replicas: int) -> list[Step]:
    """Make a program of at most that many steps, by a seeded source of random numbers."""
    programmer = Programmer(random, replicas)
    return [step for step in (programmer.step() for _ in range(length)) if step is not None]
