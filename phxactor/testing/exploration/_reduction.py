"""All orders of a program, but for those that only swap steps which do not depend on one another.

Dynamic partial order reduction with source sets and sleep sets (Abdulla et al., POPL 2014; EX35). A play is recorded.
For two steps that depend on one another and whose order nothing else fixes, the other order is tried too. A step that
was tried, and on which nothing has happened since that depends on it, sleeps: it would only lead to a class of orders
that is known.

    class     the orders of a program that differ only in the order of independent steps
    blocked   a play in which every step that could be taken sleeps, and which therefore shows nothing new

Where time is a choice, the clock is tried at each choice: a deadline that has not passed leaves no step to swap (EX45).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from phxactor.testing.exploration._accesses import CLOCK, Accesses, Event, Recorder, Thing, dependent
from phxactor.testing.exploration._bounded import ChangedError, Played
from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._faults import Fault, OnTime
from phxactor.testing.exploration._hooks import Hooks
from phxactor.testing.exploration._options import Option
from phxactor.testing.exploration._playing import Playground

Class: TypeAlias = frozenset[object]
MOST_EVENTS: Final = 5000
"""Steps of a play that are analysed."""


@attrs.define
class Node:
    """A choice of the current play."""

    options: tuple[str, ...]
    """The actors that could go on, first come first."""
    event: int
    """The number of the event that was chosen."""
    sleep: dict[str, Accesses]
    """The actors that sleep when the choice is made, with what their next step touches."""
    chosen: str = ""
    todo: set[str] = attrs.Factory(set)
    """The actors that are to be tried here."""
    done: dict[str, Accesses] = attrs.Factory(dict)
    """The actors that were tried here, with what their step touches."""

    def left(self) -> list[str]:
        """List what is still to be tried, first come first."""
        return [one for one in self.options if one in self.todo and one not in self.done and one not in self.sleep]


@attrs.define
class Reduction:
    """The search; `plays` yields each play that is not blocked."""

    ground: Playground
    hooks: Hooks
    shared: Callable[[str], Sequence[Thing]] = lambda _: ()
    classes: set[Class] = attrs.Factory(set)
    """The classes seen so far."""
    blocked: int = 0
    """The number of blocked plays so far."""
    nodes: list[Node] = attrs.Factory(list)
    """The choices of the current play."""

    @property
    def left(self) -> str:
        """Say what is untried; empty if nothing is."""
        choices = sum(bool(node.left()) for node in self.nodes)
        return f"{choices} choices have more possibilities" if choices else ""

    def save(self) -> object:
        """Return where the search is, as plain values."""
        return self.blocked, [attrs.astuple(node, recurse=False) for node in self.nodes]

    def load(self, saved: Any) -> None:  # noqa: ANN401 - what `save` returned
        """Go on from there. The classes seen before that are not known any more."""
        self.blocked, nodes = saved
        self.nodes = [Node(*node) for node in nodes]

    def plays(self) -> Iterator[Played]:
        """Play until nothing is left to be tried."""
        nodes = self.nodes
        while True:
            play = _Play(nodes, Recorder(self.shared, self.hooks.outside))
            self.hooks.recorder = play.recorder
            try:
                played = self.ground.play(play.pick, play.recorder, to_the_end=True)
            finally:
                self.hooks.recorder = None
            if play.failed is not None:
                raise play.failed
            play.end()
            order = races(play.recorder.events, nodes)
            while nodes and not nodes[-1].left():
                nodes.pop()
            if play.blocked:
                self.blocked += 1
            else:
                self.classes.add(class_of(play.recorder.events, order))
                yield played
            if not nodes:
                return


class _Play:
    """One play: the choices of the stack first, then the first actor that does not sleep."""

    def __init__(self, nodes: list[Node], recorder: Recorder) -> None:
        self.recorder = recorder
        self.blocked = False
        self.failed: ChangedError | None = None
        self._nodes = nodes
        self._prefix = len(nodes)
        self._sleep: dict[str, Accesses] = {}
        self._current: Node | None = None
        recorder.between = self.ended

    def pick(self, number: int, options: Sequence[Option]) -> int:
        """Choose, by the stack or anew."""
        if self.blocked or self.failed is not None:
            return 0
        names = tuple(self._name(one) for one in options)
        if number < self._prefix:
            node = self._nodes[number]
            if node.options != names:
                self.failed = ChangedError(
                    f"the program is not the same twice: at choice {number} there were {', '.join(node.options)}, and "
                    f"now there are {', '.join(names)}. Does it use random numbers, the wall clock, the order of a set "
                    "or what an earlier play has left behind?"
                )
                return 0
            if number == self._prefix - 1:
                node.chosen = node.left()[0]
                node.event = len(self.recorder.events)
                self._sleep = {**node.sleep, **node.done}
        else:
            node = Node(names, len(self.recorder.events), dict(self._sleep))
            awake = [name for name in names if name not in self._sleep]
            if not awake:
                self.blocked = True
                return 0
            node.chosen = awake[0]
            # A deadline that has not passed, and a failure that has not happened, leave no step to swap.
            node.todo = {node.chosen, *(name for name in names if name == CLOCK or name.startswith("kill "))}
            self._nodes.append(node)
        self._current = node
        if node.chosen == CLOCK:
            self.recorder.jumps()
        return names.index(node.chosen)

    def _name(self, option: Option) -> str:
        if isinstance(option, Clock):
            return CLOCK
        if isinstance(option, Fault):
            return self.recorder.kill(option)
        return "" if isinstance(option, OnTime) else self.recorder.name(option)

    def ended(self, event: Event) -> None:
        """Note what a step has touched, and wake who depends on it."""
        node, self._current = self._current, None
        if node is not None and not self.blocked:
            node.done[node.chosen] = event.accesses
        if self._sleep and len(self._nodes) >= self._prefix:
            if event.actor in self._sleep and node is None and not event.looks:
                self.blocked = True
            self._sleep = {
                actor: accesses
                for actor, accesses in self._sleep.items()
                if actor != event.actor and not dependent(accesses, event.accesses)
            }

    def end(self) -> None:
        """Give up what the last choice has not come to."""
        if self._current is not None:
            self._current.done.setdefault(self._current.chosen, {})


def races(events: list[Event], nodes: list[Node]) -> list[int]:
    """Enter what is to be tried because of the races of a play; return what was before each event, as bits."""
    before: list[int] = []
    last: dict[str, int] = {}
    places = {node.event: node for node in nodes}
    for j, event in enumerate(events[:MOST_EVENTS]):
        mask = 0
        previous = last.get(event.actor)
        if previous is not None:
            mask = before[previous] | 1 << previous
        causes = event.causes & ((1 << j) - 1)  # a process may take what it has sent in the same step
        while causes:
            cause = causes.bit_length() - 1
            causes ^= 1 << cause
            mask |= before[cause] | 1 << cause
        for i in range(j - 1, -1, -1):
            if not mask >> i & 1 and dependent(events[i].accesses, event.accesses):
                _reverse(events, before, mask, (i, j), places)
                mask |= before[i] | 1 << i
        before.append(mask)
        last[event.actor] = j
    return before


def _reverse(events: list[Event], before: list[int], mask: int, pair: tuple[int, int], places: dict[int, Node]) -> None:
    """Make sure that an order is tried in which the second event of a pair comes before the first."""
    i, j = pair
    after = [k for k in range(i + 1, j) if not before[k] >> i & 1]
    bits = 0
    initials: list[str] = []
    for k in [*after, j]:
        if not (before[k] if k != j else mask) & bits and events[k].actor not in initials:
            initials.append(events[k].actor)
        bits |= 1 << k
    node = places.get(i)
    for later in range(i + 1, j) if node is None and events[i].looks else ():
        node = places.get(later)
        if node is not None:
            break
    if node is None or node.todo.intersection(initials):
        return
    for actor in initials:
        if actor in node.options:
            node.todo.add(actor)
            return
    node.todo.update(node.options)


def class_of(events: list[Event], before: list[int]) -> Class:
    """Return the class of a play: each step, by its actor and number, with the steps before it."""
    labels: list[tuple[str, int]] = []
    numbers: dict[str, int] = {}
    for event in events[: len(before)]:
        numbers[event.actor] = numbers.get(event.actor, 0) + 1
        labels.append((event.actor, numbers[event.actor]))
    return frozenset(
        (label, frozenset(labels[i] for i in range(j) if before[j] >> i & 1)) for j, label in enumerate(labels)
    )
