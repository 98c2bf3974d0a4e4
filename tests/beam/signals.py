"""Random programs of the kind `signals`.

The author presumes, roughly, who lives and who traps exits, so that most orders go to somebody who can hear them. Most
commands of one burst are about one other actor, and about the monitors and timers of late: there the rules meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from tests.beam.dice import Dice

Command: TypeAlias = list[Any]

DIRECTOR: Final = -1
DEEPEST: Final = 2
"""Bodies in bodies."""

NAMES: Final = {"red": 10, "blue": 8, "green": 6, "undefined": 1}
TAGS: Final = {"a": 5, "b": 4, "c": 3}
REASONS: Final = {"normal": 5, "boom": 6, "shutdown": 3, "killed": 1, "noproc": 1}
TUPLES: Final[tuple[Command, ...]] = (["shutdown", "x"], ["boom", 1])
OPTIONS: Final[tuple[list[str], ...]] = ([], ["flush"], ["info"], ["flush", "info"], ["info", "flush"])
BURST: Final = {1: 60, 2: 12, 3: 12, 4: 8, 5: 5, 6: 3}
BODY: Final = {0: 55, 1: 25, 2: 13, 3: 7}
ENDS: Final = frozenset({"exit", "raise", "throw", "return"})

WEIGHTS: Final = {
    "alive": 4,
    "cancel": 3,
    "demonitor": 7,
    "exit": 4,
    "guard": 5,
    "info": 5,
    "link": 12,
    "link!": 2,
    "monitor": 13,
    "monitor_name": 4,
    "raise": 1,
    "recv": 6,
    "recv_down": 4,
    "recv_exit": 4,
    "register": 7,
    "return": 1,
    "send": 11,
    "send_after": 7,
    "send_name": 4,
    "signal": 13,
    "spawn": 6,
    "spawn_link": 6,
    "spawn_monitor": 5,
    "throw": 1,
    "trap": 9,
    "unlink": 5,
    "unlink_flush": 4,
    "unregister": 3,
    "whereis": 2,
}
"""Every command, and how often it is to come."""


def program(dice: Dice) -> dict[str, Any]:
    """Write a program."""
    author = Author(dice, dice.number(2, 6))
    actors = len(author.living)
    return {"kind": "signals", "actors": actors, "steps": [author.step() for _ in range(dice.number(5, 25))]}


class Author:
    """Writes step after step, and presumes what becomes of it."""

    def __init__(self, dice: Dice, actors: int) -> None:
        """Begin with so many actors."""
        self.dice = dice
        self.actors = actors
        """How many numbers of actors are taken; those of monitors and timers below."""
        self.monitors = 0
        self.timers = 0
        self.born = list(range(actors))
        self.living = list(range(actors))
        self.trapping: set[int] = set()
        self.links: set[frozenset[int]] = set()
        self.refs: dict[int, list[int]] = {}
        """By actor: its monitors."""
        self.focus = 0

    def step(self) -> list[object]:
        """Write a step."""
        collect = self.dice.chance(50)
        if len(self.living) < 2 or self.dice.chance(6):
            commands = [self.write(DIRECTOR, "spawn", 0) for _ in range(self.dice.number(1, 2))]
            by = DIRECTOR
        else:
            by = self.dice.one(self.living)
            self.focus = self.target(by)
            commands = self.burst(by, self.dice.weighted(BURST), 0)
        for command in commands:
            self.presume(by, command)
        return [by, commands, collect]

    # ------------------------------------------------------------------------------------------------- choices

    def burst(self, by: int, length: int, depth: int) -> list[Command]:
        """Write commands for one actor; one that ends it comes seldom before others."""
        commands = []
        for index in range(length):
            name = self.dice.weighted(WEIGHTS)
            while name in ENDS and index < length - 1 and self.dice.chance(85):
                name = self.dice.weighted(WEIGHTS)
            commands.append(self.write(by, name, depth))
        return commands

    def target(self, by: int) -> int:
        """Choose an actor: one that lives, mostly; any, the own self; one who never was."""
        kind = self.dice.weighted({"focus": 50, "living": 35, "any": 10, "self": 8, "unborn": 1})
        match kind:
            case "focus":
                return self.focus
            case "living":
                return self.dice.one(self.living or self.born)
            case "any":
                return self.dice.one(self.born)
            case "self" if by != DIRECTOR:
                return by
            case "unborn":
                return self.actors + 50
        return self.dice.one(self.born)

    def reason(self) -> object:
        """Choose an exit reason; `kill` often, as it is the strangest."""
        if self.dice.chance(20):
            return "kill"
        return self.dice.one(TUPLES) if self.dice.chance(20) else self.dice.weighted(REASONS)

    def name(self) -> str:
        return self.dice.weighted(NAMES)

    def tag(self) -> str:
        return self.dice.weighted(TAGS)

    def ref(self, by: int) -> int:
        """Choose a monitor of one's own, mostly the last; if there is none, one that never was."""
        refs = self.refs.get(by)
        if not refs:
            return self.monitors + 50
        return refs[-1] if self.dice.chance(60) else self.dice.one(refs)

    def timer(self) -> int:
        """Choose a timer, mostly the last."""
        if not self.timers or self.dice.chance(3):
            return self.timers + 50
        return self.timers - 1 if self.dice.chance(60) else self.dice.number(0, self.timers - 1)

    def new_ref(self, by: int) -> int:
        self.refs.setdefault(by, []).append(self.monitors)
        self.monitors += 1
        return self.monitors - 1

    # ------------------------------------------------------------------------------------------------ commands

    def write(self, by: int, name: str, depth: int) -> Command:
        """Write one command for an actor."""
        if name in ("spawn", "spawn_link", "spawn_monitor"):
            return self.write_spawn(by, name, depth)
        writers: dict[str, Callable[[], Command]] = {
            "cancel": lambda: [self.timer()],
            "demonitor": lambda: [self.ref(by), self.dice.one(OPTIONS)],
            "exit": lambda: [self.reason()],
            "guard": lambda: [self.guarded(by, depth)],
            "monitor": lambda: [self.target(by), self.new_ref(by)],
            "monitor_name": lambda: [self.name(), self.new_ref(by)],
            "raise": list,
            "recv": lambda: [self.tags()],
            "recv_down": lambda: [self.ref(by) if self.dice.chance(90) else self.dice.number(0, self.monitors)],
            "register": lambda: [self.name(), self.target(by)],
            "return": list,
            "send": lambda: [self.target(by), self.tag()],
            "send_after": lambda: self.timed(by),
            "send_name": lambda: [self.name(), self.tag()],
            "signal": lambda: [self.target(by), self.reason()],
            "throw": lambda: [self.dice.one(("ball", ["ball", 1], "normal", 7))],
            "trap": lambda: [self.dice.chance(75)],
            "unregister": lambda: [self.name()],
            "whereis": lambda: [self.name()],
        }
        return [name, *writers.get(name, lambda: [self.target(by)])()]

    def write_spawn(self, by: int, name: str, depth: int) -> Command:
        """Write a birth, with what the newborn does first."""
        number = self.actors
        self.actors += 1
        refs = [self.new_ref(by)] if name == "spawn_monitor" else []
        length = self.dice.weighted(BODY) if depth < DEEPEST else 0
        focus, self.focus = self.focus, self.dice.one((by if by != DIRECTOR else number, number, self.focus))
        body = self.burst(number, length, depth + 1)
        self.focus = number if self.dice.chance(50) else focus
        return [name, number, body, *refs]

    def guarded(self, by: int, depth: int) -> Command:
        """Write what is tried: what may fail, mostly. `return` is no failure, and cannot be caught."""
        likely = {"exit": 5, "raise": 4, "throw": 4, "link!": 6, "signal": 8, "send_name": 2, "guard": 1}
        name = self.dice.weighted(likely) if self.dice.chance(80) else self.dice.weighted(WEIGHTS)
        return self.write(by, "raise" if name == "return" else name, depth)

    def tags(self) -> list[str]:
        """Choose what to take from the mailbox."""
        first, second = self.tag(), self.tag()
        return [first] if first == second or self.dice.chance(60) else [first, second]

    def timed(self, by: int) -> Command:
        """Choose for whom a timer is, with which tag, and when it fires."""
        to = self.name() if self.dice.chance(25) else self.target(by)
        self.timers += 1
        return [to, self.tag(), "soon" if self.dice.chance(55) else "never", self.timers - 1]

    # --------------------------------------------------------------------------------------------- presumptions

    def presume(self, by: int, command: Command) -> None:
        """Take note of what a command will do, most likely."""
        match command:
            case ["spawn" | "spawn_link" | "spawn_monitor" as name, number, body, *_]:
                self.born.append(number)
                self.living.append(number)
                if name == "spawn_link":
                    self.links.add(frozenset({by, number}))
                for inner in body:
                    self.presume(number, inner)
            case ["link" | "link!", other]:
                self.links.add(frozenset({by, other}))
            case ["unlink" | "unlink_flush", other]:
                self.links.discard(frozenset({by, other}))
            case ["trap", flag]:
                (self.trapping.add if flag else self.trapping.discard)(by)
            case ["guard", ["signal", *_] as signal]:
                self.presume(by, signal)
            case ["signal", other, reason]:
                if reason == "kill" or (other not in self.trapping and (reason != "normal" or other == by)):
                    self.presume_end(other, reason)
            case [name, *reason] if name in ENDS:
                self.presume_end(by, "normal" if name == "return" or reason == ["normal"] else "failure")

    def presume_end(self, number: int, reason: object) -> None:
        """Let an actor end, and with it those who are linked to it."""
        ending = [number]
        while ending:
            one = ending.pop()
            if one not in self.living:
                continue
            self.living.remove(one)
            for pair in [pair for pair in self.links if one in pair]:
                self.links.discard(pair)
                if reason != "normal":
                    ending.extend(sorted(pair - self.trapping - {one}))
