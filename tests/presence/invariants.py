"""What holds for any program of replicas (PR123 to PR131): `python -m tests.presence.invariants [COUNT] [FIRST]`.

Each program is a number, which draws its replicas and its steps. One that breaks an invariant is made as short as it
can be, and printed with its number; the exit code is then 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random

from phxactor.presence._element import Changes
from tests.presence.programs import Player, Step
from tests.presence.random_programs import random_program


class Broken(AssertionError):
    """An invariant does not hold."""


class Checked:
    """A program that is played, and what must hold after each step."""

    def __init__(self, replicas: int) -> None:
        self.player = Player(replicas)
        self.truth: list[dict[tuple[int, str, str], int]] = [{} for _ in range(replicas)]
        """What each replica holds itself: the element by owner, topic and key."""
        self.folded: list[set[int]] = [set() for _ in range(replicas)]
        """What each shows, by the changes that it has told."""
        self.seen = [one.seen() for one in self.player.sets]

    def play(self, step: Step) -> None:
        """Play a step; raises Broken."""
        player, before = self.player, self.player.lists()
        acted, changes = player.play(step)
        for wrong in player.wrong_changes(before, acted, changes):
            raise Broken(f"PR41 at {step}: {wrong}")
        self._follow(step)
        self._fold(step, acted, changes)
        self._check_own(step)
        self._check_seen(step)
        match step:
            case ["merge", i, number]:
                again = player.take(i, player.messages[number])
                self._ask(not again, f"PR129 at {step}: the same message twice is {again}")

    def settle(self) -> None:
        """Let everyone tell everyone; then all lists are equal, and nothing is left of what has gone."""
        player = self.player
        alive = [player.ref(replica) for replica in range(len(player.sets))]
        for i, one in enumerate(player.sets):
            for ref in one.others():
                if ref not in alive:
                    one.permdown(ref)
            for ref in alive:
                one.up(ref)
            for j, sender in enumerate(alive):
                player.take(i, [player.sets[j].since(one.seen_of(sender))])
        everyone = sorted(e for held in self.truth for e in held.values())
        self._ask(player.lists() == [everyone] * len(alive), f"PR123: {player.lists()}, not {everyone} each")
        for one in player.sets:
            self._ask(sorted(one.seen()) == sorted(alive), f"PR131: {one.seen()} is kept, of {alive}")
            kept = sum(topic.count for topic in one.online.topics.values())
            self._ask(kept == len(everyone), f"PR131: {kept} elements are kept, of {len(everyone)}")

    def _follow(self, step: Step) -> None:
        truth = self.truth
        match step:
            case ["join" | "update", i, e, pid, topic, key]:
                truth[i][pid, topic, key] = e
            case ["leave", i, pid, topic, key]:
                del truth[i][pid, topic, key]
            case ["drop", i, pid]:
                truth[i] = {place: e for place, e in truth[i].items() if place[0] != pid}
            case ["restart", i]:
                truth[i] = {}
                self.folded[i] = set()
                self.seen[i] = {}

    def _fold(self, step: Step, acted: int | None, changes: Changes | None) -> None:
        if acted is None:
            return
        folded = self.folded[acted]
        if changes is not None:
            folded |= {one.meta["e"] for one in changes.joins}
            folded -= {one.meta["e"] for one in changes.leaves}
        shown = self.player.list_of(acted)
        self._ask(sorted(folded) == shown, f"PR127 at {step}: the changes make {sorted(folded)}, the list is {shown}")

    def _check_own(self, step: Step) -> None:
        for replica, held in enumerate(self.truth):
            one = self.player.sets[replica]
            self._ask(len(one) == len(held), f"PR126 at {step}: {replica} has {len(one)} elements, not {len(held)}")
            shown = set(self.player.list_of(replica))
            self._ask(set(held.values()) <= shown, f"PR126 at {step}: {replica} shows {shown}, and holds {held}")
            for place, e in held.items():
                element = one.find(*place)
                self._ask(element is not None and element.meta == {"e": e}, f"PR126 at {step}: {place} is {element}")

    def _check_seen(self, step: Step) -> None:
        for replica, one in enumerate(self.player.sets):
            seen, before = one.seen(), self.seen[replica]
            self.seen[replica] = seen
            if step[0] != "permdown":
                for ref, number in before.items():
                    self._ask(seen.get(ref, -1) >= number, f"PR130 at {step}: {replica} has seen {seen} after {before}")

    @staticmethod
    def _ask(holds: bool, otherwise: str) -> None:
        if not holds:
            raise Broken(otherwise)


def check(steps: Sequence[Step], replicas: int) -> None:
    """Play steps of any order, then let everyone tell everyone; raises Broken."""
    checked = Checked(replicas)
    for step in steps:
        checked.play(step)
    checked.settle()


def shortest(steps: list[Step], replicas: int) -> list[Step]:
    """Leave out steps of a program that breaks an invariant for as long as what is left does so too."""
    size = len(steps) // 2
    while size:
        for at in range(len(steps) - size, -1, -1):
            fewer = steps[:at] + steps[at + size :]
            try:
                check(fewer, replicas)
            except Broken:
                steps = fewer
            except (AssertionError, LookupError):
                pass  # without these steps it is no program
        size //= 2
    return steps


def program(number: int) -> tuple[list[Step], int]:
    """Make the program of a number: its steps, and how many replicas it has."""
    random = Random(number)  # noqa: S311 - no secret is drawn
    replicas = random.randint(2, 4)
    return random_program(random, random.randint(0, 80), replicas), replicas


def main(count: int, first: int) -> int:
    """Play programs; returns the exit code."""
    broken = 0
    for number in range(first, first + count):
        steps, replicas = program(number)
        try:
            check(steps, replicas)
        except Broken as error:
            broken += 1
            lines = "".join(f"    {step}\n" for step in shortest(steps, replicas))
            sys.stdout.write(f"program {number}, {replicas} replicas: {error}\n{lines}")
    sys.stdout.write(f"{count - broken} of {count} programs keep the invariants\n")
    return min(broken, 1)


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(given + [10_000, 0][len(given) :])))
