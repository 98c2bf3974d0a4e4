"""Views: which nodes share the keys, with a number. All members of a view have agreed on it before one acts on it.

A node says to those that it sees what it *wants*: with whom it would share the keys. When all of them want the
same, each says so to the others with a number (it *agrees*), and when all have said the same, the view is there. Its
number is larger than any that a member has heard of. So of two views that have a member in common, the later one has
the larger number, and each node acts on one view at a time (NO20, NO23).

    sees others, or loses one ──▶ wants, told to all ── all want the same ──▶ agrees on a number, told to all
                                                                 ── all agree ──▶ the view

Nothing here sends, waits, or knows processes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

import attrs

from phxactor.cluster import Node
from phxactor.sharded._owner import owner

Wanted: TypeAlias = tuple[tuple[Node, bool], ...]
"""The members in the order of their ids, and whether each owns keys: one that leaves does not (NO22)."""


@attrs.frozen
class View:
    """Nodes that have agreed to share the keys."""

    number: int
    wanted: Wanted

    @property
    def members(self) -> list[Node]:
        """All members, those that leave included."""
        return [node for node, _ in self.wanted]

    @property
    def owners(self) -> list[Node]:
        """The members that own keys."""
        return [node for node, owns in self.wanted if owns]

    def owner(self, key: str) -> Node | None:
        """Return the owner of a key; None if all members leave."""
        return owner(key, self.owners)


@attrs.frozen
class Want:
    """What a node says of itself."""

    number: int
    """Larger than all numbers that it had heard of."""
    wanted: Wanted
    sees: tuple[Node, ...]
    """The nodes that it hears."""
    leaves: bool
    acts: bool
    """Whether it has a view and runs keys: not so if it has just come, or is on the small side of a split."""


@attrs.frozen
class Agreed:
    """That a node has heard from all that they want the same."""

    number: int
    wanted: Wanted


def by_id(nodes: Iterable[Node]) -> list[Node]:
    """Sort nodes."""
    return sorted(nodes, key=lambda node: node.id)


def together(
    me: Node, sees: Mapping[Node, Collection[Node]], last: Collection[Node] = (), acting: Collection[Node] = ()
) -> list[Node]:
    """Return the nodes, this one among them, of which each sees each.

    Where a pair of nodes is cut, others see both (ND63). All nodes make the same groups: in the order of ids, each node
    joins the first group in which it sees all, and all see it. Those that act go first: so those that run nothing come
    to them. Then go members of the last view: so a newcomer, which one of them sees sooner than another, parts nobody.
    """
    groups: list[list[Node]] = []
    for node in sorted(sees, key=lambda node: (node not in acting, node not in last, node.id)):
        for group in groups:
            if all(other in sees[node] and node in sees[other] for other in group):
                group.append(node)
                break
        else:
            groups.append([node])
    return next(group for group in groups if me in group)


def is_majority(nodes: Collection[Node], last: Collection[Node]) -> bool:
    """Say whether nodes are the larger part of the last view; of two halves, the one with the smallest id (NO24)."""
    here = [node for node in last if node in nodes]
    if 2 * len(here) == len(last):
        return not last or by_id(last)[0] in here
    return 2 * len(here) > len(last)


class Agreement:
    """What one node knows of what the others want and agree on."""

    def __init__(self, me: Node) -> None:
        """Start alone, and want nothing yet."""
        self.me = me
        self.leaves = False
        self.acts = False
        """Whether this node has a view and runs keys."""
        self.wants = Want(0, (), (), leaves=False, acts=False)
        self.agrees: Agreed | None = None
        """What this node has agreed on last; None since it wants something else."""
        self.view: View | None = None
        self.attempted: dict[Wanted, None] = {}
        """What this node has agreed on since its view: others may act on one of them, and it cannot know."""
        self.heard: dict[Node, Want] = {}
        """What each other node that is up has said last."""
        self.excluding: set[Node] = set()
        """Nodes that see this one but have wanted to be without it for long."""
        self._agreed: dict[Node, Agreed] = {}
        self._largest = 0

    def hear(self, node: Node, said: Want | Agreed) -> None:
        """Take what another node says."""
        self._largest = max(self._largest, said.number)
        if isinstance(said, Agreed):
            self._agreed[node] = said
            return
        self.heard[node] = said
        if any(member == self.me for member, _ in said.wanted):
            self.excluding.discard(node)

    def forget(self, node: Node) -> None:
        """Note that a node is down, or has said goodbye."""
        self.heard.pop(node, None)
        self._agreed.pop(node, None)
        self.excluding.discard(node)

    def best(self) -> Wanted:
        """Return what this node should want now."""
        sees: dict[Node, set[Node]] = {
            node: {*said.sees, node} for node, said in self.heard.items() if node not in self.excluding
        }
        sees[self.me] = {self.me, *sees}
        last = [] if self.view is None else self.view.members
        acting = [node for node, said in self.heard.items() if said.acts] + ([self.me] if self.acts else [])
        leaving = {node for node, said in self.heard.items() if said.leaves} | ({self.me} if self.leaves else set())
        return tuple((node, node not in leaving) for node in by_id(together(self.me, sees, last, acting)))

    def want(self, wanted: Wanted) -> Want:
        """Want this from now on, and return what to say to all that are seen."""
        self._largest += 1
        self.agrees = None
        self.wants = Want(self._largest, wanted, tuple(by_id(self.heard)), leaves=self.leaves, acts=self.acts)
        return self.wants

    def say_again(self) -> Want:
        """Say the same, as this node acts now or acts no more."""
        self.wants = attrs.evolve(self.wants, acts=self.acts)
        return self.wants

    def others(self) -> list[Node]:
        """List the other nodes that this one wants."""
        return [node for node, _ in self.wants.wanted if node != self.me]

    def unlike(self) -> list[Node]:
        """List those that want something else, or have said nothing."""
        return [
            node for node in self.others() if node not in self.heard or self.heard[node].wanted != self.wants.wanted
        ]

    def agree(self) -> Agreed | None:
        """Return what this node can agree on now, if it has not yet: to be said to `others`."""
        if not self.wants.wanted or self.unlike():
            return None
        number = max([self.wants.number, *(self.heard[node].number for node in self.others())])
        agreed = Agreed(number, self.wants.wanted)
        if agreed == self.agrees or (self.view is not None and number <= self.view.number):
            return None
        self.agrees = agreed
        self.attempted[agreed.wanted] = None
        return agreed

    def settle(self) -> View | None:
        """Return the new view, once all have agreed on it."""
        agreed = self.agrees
        if agreed is None or (self.view is not None and agreed.number <= self.view.number):
            return None
        if any(self._agreed.get(node) != agreed for node in self.others()):
            return None
        self.view = View(agreed.number, agreed.wanted)
        self.attempted.clear()
        return self.view
