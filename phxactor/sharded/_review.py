"""Deciding on views: what is heard of others and the time, turned into what this node wants and agrees on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from phxactor.cluster import Node
from phxactor.sharded import events
from phxactor.sharded._options import Options
from phxactor.sharded._view import Agreed, Agreement, View, Want, is_majority


@final
class Review:
    """One node's part in the agreement, with its delays.

    A node that has just started waits until it hears one that runs keys, or that there is none. Where a split is
    decided by majority, the small side stops at once, or when it has been left out for so long, and the large side goes
    on after twice that delay (NO25).
    """

    def __init__(self, me: Node, options: Options, now: Callable[[], float], *, has_cluster: bool) -> None:
        """Start alone."""
        self.agreement: Final = Agreement(me)
        self.left: set[Node] = set()
        """Nodes that have said goodbye: they are not lost."""
        self._me = me
        self._options = options
        self._now = now
        self._new_until = now() + (options.settle if has_cluster else 0)
        self._lost_at: float | None = None
        self._unlike_since: float | None = None
        self.due: float | None = None
        """When `next` is to be called again, in seconds of the runtime's clock; None if only what is heard matters."""

    def next(self) -> tuple[Want | None, Agreed | None, View | None, bool]:
        """Return what to say to all, what to say to those that are wanted, the new view, and whether to suspend."""
        agreement, self.due = self.agreement, None
        best = agreement.best()
        said = None
        if best != agreement.wants.wanted or {*agreement.wants.sees} != {*agreement.heard}:
            said = agreement.want(best)
        self._exclude()  # before it waits: who is excluded by the larger side must have stopped when that one goes on
        is_small = self._is_small()
        if is_small or self._waits():
            return self._acting(said, acts=agreement.acts and not is_small), None, None, is_small
        agreed = agreement.agree()
        view = agreement.settle()
        return self._acting(said, acts=agreement.acts or view is not None), agreed, view, False

    def _acting(self, said: Want | None, *, acts: bool) -> Want | None:
        """Note whether this node runs keys, which is told too."""
        if acts == self.agreement.acts:
            return said
        self.agreement.acts = acts
        return self.agreement.say_again()

    def _is_small(self) -> bool:
        """Say whether this node is on the small side of a split.

        It is so at once where it does not hear the others. Where it hears some that it cannot be together with, as a
        pair is cut somewhere, or as one of them has noticed an end sooner, it is so only after a delay.
        """
        agreement = self.agreement
        if self._options.on_split == "both":
            return False
        wanted = [node for node, _ in agreement.wants.wanted]
        parts = [part for part in self._parted() if not all(node in wanted for node in part)]
        if not parts or (not agreement.acts and self._comes_to_one_that_acts()):
            self._lost_at = None  # one that runs nothing may come to those that do, as a new node would
            return False
        if self._lost_at is None:
            self._lost_at = self._now()
        if all(is_majority([self._me, *agreement.heard], part) for part in parts) and (
            all(is_majority(wanted, part) for part in parts) or self._is_before(self._lost_at + self._options.settle)
        ):
            return False
        if agreement.acts and events.suspended.handlers:
            events.suspended.emit(name=self._options.name, nodes=len(wanted))
        return True

    def _parted(self) -> list[list[Node]]:
        """List the owners of the last view, and of all that this node has agreed on since, without those that left.

        Most of each of them must be here: of a view that a node has agreed on, the others may act on it without it.
        """
        agreement = self.agreement
        views = [*agreement.attempted] if agreement.view is None else [agreement.view.wanted, *agreement.attempted]
        return [[node for node, owns in wanted if owns and node not in self.left] for wanted in views]

    def _comes_to_one_that_acts(self) -> bool:
        heard = self.agreement.heard
        return any(node in heard and heard[node].acts for node, _ in self.agreement.wants.wanted)

    def _waits(self) -> bool:
        """Say whether it is too early for a view."""
        until = 0.0
        if self.agreement.view is None and not self._comes_to_one_that_acts():
            until = self._new_until
        if self._lost_at is not None:
            until = max(until, self._lost_at + 2 * self._options.settle)
        return self._is_before(until)

    def _exclude(self) -> None:
        """Want no longer to be with nodes that have long wanted to be without this one: a pair is cut somewhere."""
        agreement = self.agreement
        unlike = [
            node
            for node in agreement.unlike()
            if (said := agreement.heard.get(node)) is not None
            and self._me in said.sees
            and all(member != self._me for member, _ in said.wanted)
        ]
        if not unlike:
            self._unlike_since = None
            return
        if self._unlike_since is None:
            self._unlike_since = self._now()
        if not self._is_before(self._unlike_since + self._options.settle):
            agreement.excluding.update(unlike)
            self._unlike_since = None
            self.due = self._now()

    def _is_before(self, when: float) -> bool:
        if self._now() >= when:
            return False
        self.due = when if self.due is None else min(self.due, when)
        return True
