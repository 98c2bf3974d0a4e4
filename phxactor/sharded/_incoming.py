"""What regions say to each other, as messages to `(name, node)`, and what becomes of it.

("want", function, node, number, wanted, sees, leaves, acts)      what a node wants (`_view`)
("agreed", node, number, wanted)
("flushed", node, number, keys, is_last)  ("ended", node, number)     the marks of a view (`_barrier`)
("to", number, hops, key, kind, body, home, watcher)        something for a key, sent by the view with that number
("state", sender, number, home, mark, key, has_state, state)  ("has", home, mark)     the state of a key that has
                                                            ended at `home`, and the answer to it
("answer", watcher, value)  ("down", watcher, reason)  ("placed", watcher, node)      of watches that were sent
("runs", node, keys, is_added)                              of eager ones: what a node runs
("bye", node)  ("goodbye", node)                            a node has left; that this was heard
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from phxactor.cluster import Node, nodes
from phxactor.otp import UNSET, GenServer
from phxactor.runtime import NOPROC
from phxactor.sharded._known import Known
from phxactor.sharded._ops import Far, Op
from phxactor.sharded._owner import FUNCTION
from phxactor.sharded._places import Parcel, Places
from phxactor.sharded._region import Region
from phxactor.sharded._view import Agreed, Want


class Incoming(GenServer):
    """A process that takes what other regions say."""

    me: Node
    region: Region
    places: Places
    known: Known
    left: set[Node]
    """The nodes that have said goodbye."""
    owes: set[Node]
    """The nodes that have not answered to this one's goodbye."""
    stash: list[tuple[Any, ...]]
    """What was sent by views that this node has not reached."""

    @abstractmethod
    def hear(self, node: Node, said: Want | Agreed) -> None:
        """Take what a node wants, or has agreed on."""

    @abstractmethod
    def gone(self, node: Node) -> None:
        """Note that a node, or its region, has ended or cannot be heard."""

    @abstractmethod
    def pass_barrier(self) -> None:
        """Go on where a mark was missing."""

    def take(self, message: tuple[Any, ...]) -> bool:
        """Take what a node says; returns whether it is anything."""
        match message:
            case ("to", int(number), int(hops), str(key), str(kind), body, home, int(watcher)):
                self._take_op(message, number, hops, key, Op(kind, body, Far(home, watcher) if home else None))  # type: ignore[arg-type]
            case ("answer", int(number), value):
                self.places.answered(number, value)
            case ("down", int(number), reason):
                self.places.fired(number, reason)
            case ("placed", int(number), Node() as node):
                self.places.moved(number, node)
            case ("state", Node() as sender, int(number), Node() as home, int(mark), str(key), bool(has_state), state):
                if not self._is_early(message, number):
                    self.region.states.send(Parcel(home, mark, key, state if has_state else UNSET))
                    self.places.post(sender, "has", home, mark)
            case ("has", Node() as home, int(mark)):
                self.places.has_arrived(home, mark)
            case _:
                return self._take_of_views(message)
        return True

    def _take_of_views(self, message: tuple[Any, ...]) -> bool:
        match message:
            case ("flushed", Node() as node, int(number), list(keys), bool(is_last)):
                self.region.barrier.flushed(node, number, keys, is_last=is_last)
                self.pass_barrier()
            case ("ended", Node() as node, int(number)):
                self.region.barrier.ended(node, number)
                self.pass_barrier()
            case (
                "want",
                str(function),
                Node() as node,
                int(number),
                list(wanted),
                list(sees),
                bool(leaves),
                bool(acts),
            ):
                if function == FUNCTION and node in nodes() and not (leaves and node in self.left):
                    self.hear(node, Want(number, tuple(wanted), tuple(sees), leaves=leaves, acts=acts))
            case ("agreed", Node() as node, int(number), list(wanted)):
                if node in self.places.up:
                    self.hear(node, Agreed(number, tuple(wanted)))
            case ("runs", Node() as node, list(keys), bool(is_added)):
                self.known.note(node, keys, is_added=is_added)
            case ("bye", Node() as node):
                self.left.add(node)
                self.gone(node)
                self.places.post(node, "goodbye", self.me)
            case ("goodbye", Node() as node):
                self.owes.discard(node)
            case _:
                return False
        return True

    def _is_early(self, message: tuple[Any, ...], number: int) -> bool:
        """Keep what was sent by a view that this node has not reached."""
        view = self.region.view
        if view is not None and number <= view.number:
            return False
        self.stash.append(message)
        return True

    def _take_op(self, message: tuple[Any, ...], number: int, hops: int, key: str, op: Op) -> None:
        if self.region.suspended:
            self.region.refuse(op, NOPROC)
        elif not self._is_early(message, number):
            view = self.region.view
            is_old = hops > 1 or (view is not None and number < view.number)
            self.region.reroute_one(key, op, hops, is_old=is_old)
