"""Random programs of the form of tests/nodes/oracle/sample.json."""

from __future__ import annotations

import random
from typing import Final

import attrs

from tests.oracle.programs import Source

KINDS: Final = ("signals", "calls", "groups", "spawn", "restarts")
NODES: Final = 3
NAMES: Final = ("x", "y")
GROUPS: Final = ("g", "h")
REASONS: Final = ("normal", "kill", "zap", "shutdown", "noconnection")
REQUESTS: Final = ("answer", "hold", "exit_boo", "exit_normal")
LATE: Final = 12
"""So many commands out of a hundred are about any number, also one that never was."""
ANSWERED: Final = frozenset({"link", "monitor", "monitor_name", "signal", "spawn_link", "spawn_monitor"})
"""Commands that may be answered by a signal, a little later."""
WAITING: Final = frozenset(
    {"pg_join", "pg_leave", "pg_monitor", "pg_demonitor", "spawn", "spawn_link", "spawn_monitor"}
)
"""Commands in which an actor of the BEAM waits for another process, so that signals reach it; none waits here."""

MIXED: Final = {
    "signals": "link link unlink unlink_flush monitor monitor monitor_name demonitor demonitor trap signal send "
    "send_pid send_name alive register unregister recv_exit nodes monitor_nodes monitor_node",
    "calls": "reply reply",
    "groups": "pg_join pg_join pg_leave pg_members pg_monitor pg_demonitor",
    "spawn": "spawn spawn_link spawn_monitor",
}


@attrs.define
class Generator:
    """Makes one program; knows roughly which nodes run, and where its actors are."""

    dice: random.Random
    kind: str
    homes: dict[int, int] = attrs.field(factory=dict)
    old: set[int] = attrs.field(factory=set)
    """Actors of a life of their node that is over."""
    up: list[bool] = attrs.field(factory=lambda: [True] * NODES)
    monitors: dict[int, list[int]] = attrs.field(factory=dict)
    group_monitors: dict[int, list[int]] = attrs.field(factory=dict)
    calls: int = 0
    held: list[tuple[int, int]] = attrs.field(factory=list)
    """Calls that a server was asked to hold: server, call."""

    def steps(self) -> list[list[object]]:
        """Make the steps."""
        births = [self.born(node) for node in range(NODES) for _ in range(self.dice.randint(1, 2))]
        steps: list[list[object]] = [[-1, births, True]]
        for _ in range(self.dice.randint(8, 18)):
            collect = self.dice.random() < 0.8
            if self.dice.random() < (0.4 if self.kind == "restarts" else 0.25):
                steps.append([-1, self.directions(), collect])
            else:
                steps.append([*self.burst(), collect])
        return steps

    def born(self, node: int) -> list[object]:
        """Let the director start an actor."""
        number = len(self.homes)
        self.homes[number] = node
        return ["spawn", number, node, self.dice.random() < 0.6]

    def directions(self) -> list[object]:
        """Make commands of the director."""
        return [one for _ in range(self.dice.randint(1, 3)) for one in self.direction()]

    def direction(self) -> list[object]:
        one, other = self.dice.sample(range(NODES), 2)
        kinds = ["cut", "cut", "connect", "spawn"] + ["stop", "start"] * (2 if self.kind == "restarts" else 1)
        match self.dice.choice(kinds):
            case "spawn":
                return [self.born(one)]
            case "stop":
                if self.up[one]:
                    self.old |= {number for number, home in self.homes.items() if home == one}
                self.up[one] = False
                return [["stop", one]]
            case "start":
                down = [node for node in range(NODES) if not self.up[node]] or [one]
                self.up[down[0]] = True
                started: list[object] = [["start", down[0]]]
                peers = [peer for peer in range(NODES) if peer != down[0] and self.dice.random() < 0.7]
                started += [["connect", down[0], peer] for peer in peers]
                return [*started, self.born(down[0])]
            case verb:
                return [[verb, one, other]]

    def burst(self) -> tuple[int, list[object]]:
        """Make a burst of an actor that most likely lives."""
        living = [number for number, home in self.homes.items() if self.up[home] and number not in self.old]
        by = self.dice.choice(living or list(self.homes))
        commands: list[object] = []
        answered = False
        for _ in range(self.dice.randint(1, 6)):
            command = self.command(by)
            if command[0] in WAITING and answered:
                return by, commands
            answered = answered or command[0] in ANSWERED
            commands.append(command)
            if command[0] in {"call", "call_name", "exit"} or (command[0] == "link" and command[1] in self.old):
                return by, commands
        return by, commands

    def command(self, by: int) -> list[object]:
        """Make a command."""
        chance = self.dice.random()
        if chance < 0.04 and self.kind != "spawn":
            return ["exit", self.dice.choice([reason for reason in REASONS if reason != "kill"])]
        if chance < (0.3 if self.kind in {"calls", "restarts"} else 0.05):
            return self.call()
        verbs = MIXED["signals"]
        if self.kind in {"calls", "restarts"}:
            verbs += " reply" * 6
        elif self.kind != "signals":
            verbs += f" {MIXED[self.kind]}" * 3
        return self.arguments(by, self.dice.choice(verbs.split()))

    def call(self) -> list[object]:
        self.calls += 1
        request, wait = self.dice.choice(REQUESTS), self.dice.choice(["infinity", "infinity", "soon"])
        if self.dice.random() < 0.3:
            return ["call_name", self.calls, self.dice.choice(NAMES), self.dice.randrange(NODES), request, wait]
        server = self.someone()
        if request == "hold":
            self.held.append((server, self.calls))
        return ["call", self.calls, server, request, wait]

    def someone(self) -> int:
        if self.dice.randrange(100) < LATE:
            return self.dice.randrange(len(self.homes) + 1)
        return self.dice.choice(list(self.homes))

    def ref(self, by: int, table: dict[int, list[int]]) -> int:
        number = 1 + sum(map(len, table.values()))
        table.setdefault(by, []).append(number)
        return number

    def arguments(self, by: int, verb: str) -> list[object]:  # noqa: C901 - one line for each command
        """Choose the arguments of a command."""
        dice = self.dice
        name, node = dice.choice(NAMES), dice.randrange(NODES)
        match verb:
            case "link" | "unlink" | "unlink_flush" | "alive" | "recv_exit":
                return [verb, self.someone()]
            case "monitor":
                return [verb, self.someone(), self.ref(by, self.monitors)]
            case "monitor_name":
                return [verb, name, node, self.ref(by, self.monitors)]
            case "demonitor" if by in self.monitors:
                return [verb, dice.choice(self.monitors[by]), dice.choice(["plain", "flush", "info", "flush_info"])]
            case "trap" | "monitor_nodes":
                return [verb, dice.random() < 0.6]
            case "signal":
                return [verb, self.someone(), dice.choice(REASONS)]
            case "send":
                return [verb, self.someone(), dice.choice("pqrs")]
            case "send_pid":
                return [verb, self.someone(), self.someone()]
            case "send_name":
                return [verb, name, node, dice.choice("pqrs")]
            case "register" | "unregister":
                return [verb, name]
            case "monitor_node":
                return [verb, node, dice.random() < 0.7]
            case "reply":
                mine = [call for server, call in self.held if server == by]
                return [verb, dice.choice(mine) if mine else dice.randint(1, self.calls + 1)]
            case "pg_join" | "pg_leave" if by % 2 == 0:
                return [verb, dice.choice(GROUPS)]
            case "pg_members":
                return [verb, dice.choice(GROUPS)]
            case "pg_monitor" if by % 2:
                return [verb, dice.choice(GROUPS), self.ref(by, self.group_monitors)]
            case "pg_demonitor" if by in self.group_monitors:
                return [verb, dice.choice(self.group_monitors[by])]
            case "spawn" | "spawn_link" | "spawn_monitor":
                number = len(self.homes)
                self.homes[number] = node
                ref = [self.ref(by, self.monitors)] if verb == "spawn_monitor" else []
                return [verb, number, node, *ref]
            case _:
                return ["nodes"]


def program(seed: int) -> Source:
    """Make the program of a seed: the same one each time."""
    kind = KINDS[seed % len(KINDS)]
    return {"id": seed, "kind": kind, "steps": Generator(random.Random(seed), kind).steps()}  # noqa: S311 - not secrets
