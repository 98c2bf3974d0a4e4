"""Random programs of the kind `supervisors`.

Left out, as nobody could wait for it or the BEAM does not determine it: a stubborn worker that is told to stop by
somebody who waits for ever, `shutdown` 0 with a worker that traps exits (S54) or below a dynamic supervisor (which
versions take differently), and supervisors below a dynamic one, who end side by side (D11).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from tests.beam.dice import Dice

Spec: TypeAlias = dict[str, Any]
Command: TypeAlias = list[Any]

ROOT: Final = "r"
UNKNOWN: Final = "zz"
DEEPEST: Final = 3
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
CHILDREN: Final = {0: 4, 1: 22, 2: 28, 3: 26, 4: 20}
STARTS: Final = {"ok": 10, "info": 3, "ignore": 3, "stop": 3, "raise": 3, "error": 4, "unlinked": 1}
WORKER_SHUTDOWNS: Final[dict[str | int | None, int]] = {None: 70, "brutal_kill": 11, "infinity": 9, 30: 5, 1: 3, 0: 2}
REASONS: Final[tuple[object, ...]] = (
    *("boom", "boom", "boom", "boom", "normal", "normal", "shutdown", "killed"),
    ["shutdown", "x"],
    ["boom", 1],
)

WEIGHTS: Final = {
    "count": 4,
    "crash": 9,
    "delete": 4,
    "exit": 14,
    "junk_call": 1,
    "junk_cast": 1,
    "junk_info": 1,
    "linked_crash": 2,
    "raise": 2,
    "restart": 7,
    "signal": 13,
    "start": 20,
    "stop": 7,
    "terminate": 12,
    "which": 7,
}
"""Every command, and how often it is to come."""


def program(dice: Dice) -> Spec:
    """Write a program."""
    author = Author(dice)
    tree = author.supervisor(ROOT, 0)
    return {"kind": "supervisors", "tree": tree, "steps": [author.step() for _ in range(dice.number(5, 25))]}


class Author:
    """Writes a tree, then step after step."""

    def __init__(self, dice: Dice) -> None:
        """Begin with nothing."""
        self.dice = dice
        self.numbers = {"w": 0, "s": 0, "d": 0}
        self.children: dict[str, list[str]] = {}
        """By supervisor; of dynamic ones those that were started."""
        self.specs: dict[str, Spec] = {}
        """Of children that may be started again by hand."""
        self.auto: dict[str, str] = {}
        self.stubborn: set[str] = set()

    def new(self, letter: str) -> str:
        self.numbers[letter] += 1
        return f"{letter}{self.numbers[letter]}"

    # --------------------------------------------------------------------------------------------------- trees

    def supervisor(self, id_: str, depth: int) -> Spec:
        """Write a supervisor with all below it."""
        dice = self.dice
        self.children[id_] = []
        spec: Spec = {"id": id_, "sup": dice.one(STRATEGIES), "max": dice.number(0, 5)}
        self.auto[id_] = dice.weighted({"never": 75, "any_significant": 12, "all_significant": 13})
        if self.auto[id_] != "never":
            spec["auto"] = self.auto[id_]
        spec["children"] = [
            self.child(id_, depth + 1) for _ in range(dice.weighted({0: 4, 1: 22, 2: 28, 3: 26, 4: 20}))
        ]
        return spec

    def child(self, parent: str, depth: int) -> Spec:
        """Write a child of a supervisor that is not dynamic, and remember it."""
        kind = self.dice.weighted({"w": 60, "s": 22, "d": 18} if depth < DEEPEST else {"w": 80, "d": 20})
        id_ = self.new(kind)
        if kind == "w":
            spec = self.worker(id_, parent)
        else:
            spec = self.supervisor(id_, depth) if kind == "s" else self.dynamic(id_)
            spec |= self.how_supervised(parent, {"permanent": 60, "transient": 22, "temporary": 18})
            shutdown = self.dice.weighted({None: 80, "brutal_kill": 12, "infinity": 5, 2000: 3})
            if shutdown is not None:
                spec["shutdown"] = shutdown
        self.children[parent].append(id_)
        self.specs[id_] = spec
        return spec

    def dynamic(self, id_: str) -> Spec:
        """Write a dynamic supervisor."""
        self.children[id_] = []
        spec: Spec = {"id": id_, "sup": "dynamic", "max": self.dice.number(0, 5)}
        if self.dice.chance(35):
            spec["max_children"] = self.dice.number(1, 3)
        return spec

    def how_supervised(self, parent: str, restarts: dict[str, int]) -> Spec:
        """Write when a child is restarted, and whether it is significant; seldom both as they must not be (S90)."""
        restart, auto = self.dice.weighted(restarts), self.auto.get(parent)
        spec: Spec = {} if restart == "permanent" else {"restart": restart}
        wrong = auto == "never" or restart == "permanent"
        if auto is not None and self.dice.chance(1 if wrong else 50):
            spec["significant"] = True
        return spec

    def worker(self, id_: str, parent: str) -> Spec:
        """Write a worker."""
        dice = self.dice
        spec: Spec = {"id": id_}
        spec |= self.how_supervised(parent, {"permanent": 50, "transient": 30, "temporary": 20})
        if dice.chance(40):
            spec["trap"] = dice.chance(92)
        if dice.chance(35):
            spec["plan"] = self.plan(first="ok" if dice.chance(75) else None)
        if dice.chance(8):
            spec |= {"trap": True, "stubborn": True}
            self.stubborn.add(id_)
        shutdown = self.shutdown(spec, dynamic=parent[0] == "d")
        if shutdown is not None:
            spec["shutdown"] = shutdown
        return spec

    def shutdown(self, spec: Spec, *, dynamic: bool) -> str | int | None:
        """Choose how long a worker has to end, so that it is clear whether it does in time."""
        shutdown = self.dice.weighted(WORKER_SHUTDOWNS)
        trapping = spec.get("trap", False)
        if spec.get("stubborn") or (trapping and "unlinked" in spec.get("plan", ())):  # it does not
            return shutdown if shutdown == "brutal_kill" else 30
        if (trapping and shutdown in (0, 1)) or (dynamic and shutdown == 0):
            return None
        return shutdown

    def plan(self, first: str | None) -> list[str]:
        """Write how the starts go; most get well in the end."""
        starts = [self.dice.weighted(STARTS) for _ in range(self.dice.number(1, 5))]
        return [*([first] if first else []), *starts, *(["ok"] if self.dice.chance(75) else [])]

    # --------------------------------------------------------------------------------------------------- steps

    def step(self) -> Command:
        """Write a command."""
        name = self.dice.weighted(WEIGHTS)
        writers: dict[str, Callable[[], Command]] = {
            "count": lambda: [self.any_supervisor()],
            "crash": self.crash,
            "delete": self.managed,
            "exit": lambda: self.ending(self.any_worker()),
            "junk_call": lambda: [self.any_supervisor()],
            "junk_cast": lambda: [self.any_supervisor()],
            "junk_info": lambda: [self.any_supervisor()],
            "linked_crash": lambda: [self.anybody()],
            "raise": lambda: [self.any_worker()],
            "restart": self.managed,
            "signal": lambda: [self.anybody(), "kill" if self.dice.chance(50) else self.dice.one(REASONS)],
            "start": self.start,
            "stop": lambda: self.ending(self.anybody()),
            "terminate": self.terminate,
            "which": lambda: [self.any_supervisor()],
        }
        return [name, *writers[name]()]

    def any_supervisor(self, *, dynamic: bool = True) -> str:
        supervisors = [id_ for id_ in self.children if dynamic or id_[0] != "d"]
        return ROOT if self.dice.chance(25) else self.dice.one(supervisors)

    def any_worker(self) -> str:
        workers = [id_ for children in self.children.values() for id_ in children if id_[0] == "w"]
        return UNKNOWN if not workers or self.dice.chance(3) else self.dice.one(workers)

    def anybody(self) -> str:
        return self.any_worker() if self.dice.chance(72) else self.any_supervisor()

    def ending(self, id_: str) -> Command:
        """Say who ends, and with which reason: nobody can wait for a stubborn one to end with `shutdown`."""
        reason = self.dice.one(REASONS)
        return [id_, "boom" if id_ in self.stubborn and reason == "shutdown" else reason]

    def managed(self) -> Command:
        """Say whom an admin call is for, and about which child: one of its own, mostly."""
        return self.with_child(self.any_supervisor(dynamic=False))

    def terminate(self) -> Command:
        return self.with_child(self.any_supervisor())

    def with_child(self, supervisor: str) -> Command:
        children = self.children[supervisor]
        if children and self.dice.chance(88):
            return [supervisor, self.dice.one(children)]
        others = [id_ for ids in self.children.values() for id_ in ids if id_[0] == "w"]
        return [supervisor, self.dice.one(others) if others and self.dice.chance(40) else UNKNOWN]

    def start(self) -> Command:
        """Start one more child: under a dynamic supervisor, mostly, if there is one."""
        dynamic = [id_ for id_ in self.children if id_[0] == "d"]
        if dynamic and self.dice.chance(70):
            return self.start_dynamic(self.dice.one(dynamic))
        supervisor = self.any_supervisor(dynamic=False)
        children = self.children[supervisor]
        if children and self.dice.chance(20):
            again = self.dice.one(children)
            return [supervisor, self.worker(again, supervisor) if again[0] == "w" else self.specs[again]]
        return [supervisor, self.child(supervisor, DEEPEST - 1 if self.dice.chance(15) else DEEPEST)]

    def start_dynamic(self, supervisor: str) -> Command:
        """Start a new one, or one that runs already once more (D2)."""
        children = self.children[supervisor]
        if children and self.dice.chance(10):
            return [supervisor, self.worker(self.dice.one(children), supervisor)]
        id_ = self.new("w")
        children.append(id_)
        return [supervisor, self.worker(id_, supervisor)]

    def crash(self) -> Command:
        """Say which children of one supervisor crash at once; supervisors can only be killed."""
        supervisor = self.any_supervisor()
        ids = self.dice.some(self.children[supervisor] or [UNKNOWN], self.dice.weighted({0: 4, 1: 21, 2: 50, 3: 25}))
        if self.dice.chance(50) or any(id_[0] != "w" for id_ in ids):
            return [supervisor, ids, "kill"]
        reason = "boom" if self.dice.chance(70) else self.dice.one(REASONS)
        return [supervisor, ids, "boom" if reason == "shutdown" and self.stubborn.intersection(ids) else reason]
