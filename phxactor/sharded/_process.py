"""The process of a region: it hears other nodes, agrees with them on views, and hands keys over.

What regions say to each other, as messages to `(name, node)`:

    ("want", function, node, number, wanted, sees, leaves, acts)      what a node wants (`_view`)
    ("agreed", node, number, wanted)
    ("flushed", node, number, keys, is_last)  ("ended", node, number)     the marks of a view (`_barrier`)
    ("to", number, hops, key, kind, body, home, watcher)        something for a key, sent by the view with that number
    ("state", sender, number, home, mark, key, has_state, state)  ("has", home, mark)     the state of a key that has
                                                                ended at `home`, and the answer to it
    ("answer", watcher, value)  ("down", watcher, reason)  ("placed", watcher, node)      of watches that were sent
    ("bye", node)  ("goodbye", node)                            a node has left; that this was heard
"""

from __future__ import annotations

from typing import Any, Final, final

import attrs

from phxactor.cluster import Node, NodeUp, monitor_nodes, nodes
from phxactor.otp import UNSET, GenServer
from phxactor.runtime import (
    Down,
    Exited,
    Pid,
    Reason,
    Timer,
    cancel_timer,
    monitor,
    receive,
    self_pid,
    send_after,
    trap_exit,
)
from phxactor.sharded import events
from phxactor.sharded._entry import Phase
from phxactor.sharded._ops import Far, Op
from phxactor.sharded._options import Options
from phxactor.sharded._owner import FUNCTION
from phxactor.sharded._places import Parcel, Places
from phxactor.sharded._region import Region
from phxactor.sharded._review import Review
from phxactor.sharded._view import Agreed, View, Want

ALONE: Final = Node(bytes(16), "this node")
"""What stands for this node in a runtime without a cluster."""
GOODBYE: Final = 2.0
"""Seconds that it waits for others to hear that it has left."""
LEAVING: Final = 30.0
"""Seconds that a node which leaves takes at most until it has handed over everything."""


@attrs.frozen
class _Late:
    """Time is up for a server to give its state away."""

    key: str
    pid: Pid


@final
class _Review:
    """It is time to decide again."""


@final
class RegionServer(GenServer):
    """The process of a region."""

    async def init(self, options: Options) -> None:
        """Look who is there."""
        trap_exit()
        me = self_pid()
        remote = me.runtime.remote
        self._me: Node = ALONE if remote is None else remote.node  # type: ignore[assignment]
        self._options = options
        self._places = Places(me.runtime, options.name, self._me)
        self._region = Region.made(me.runtime, options)
        self._region.open(me, self._me, self._places)
        self._review = Review(self._me, options, me.runtime.now, has_cluster=remote is not None)
        self._monitors: dict[object, Node] = {}
        self._stash: list[tuple[Any, ...]] = []
        self._timer: Timer | None = None
        self._has_ended = False
        """Whether it has left, and only waits for others to hear that."""
        self._owes: set[Node] = set()
        """The nodes that have not answered to the goodbye."""
        monitor_nodes(gaps=False)
        self._decide()

    async def handle_info(self, message: Any) -> None:  # noqa: ANN401 - as the base says
        """Take a message of another node, or of this runtime."""
        match message:
            case _Review():
                self._timer = None
                self._decide()
            case _Late(key=key, pid=pid):
                self._late(key, pid)
            case NodeUp(node=node):
                self._say_want(node)
            case Down(ref=ref) if ref in self._monitors:
                self._gone(self._monitors.pop(ref))
            case tuple() if self._take(message):
                pass
            case Exited():
                pass
            case _ if type(message).__name__ != "NodeDown":
                await super().handle_info(message)

    async def terminate(self, reason: Reason) -> None:
        """Leave: hand everything over, with a limit."""
        self._review.agreement.leaves = True
        began = self_pid().runtime.now()
        until = began + LEAVING
        self._decide()
        while not self._has_left():
            if not self._places.up:  # one that has just come may not have been heard yet
                until = min(until, began + self._options.settle)
                if not nodes():
                    break
            try:
                message = await receive(timeout=max(0.0, until - self_pid().runtime.now()))
            except TimeoutError:
                break
            await self.handle_info(message)
        await self._say_goodbye()

    async def _say_goodbye(self) -> None:
        """Tell all, and wait until they have heard: what was on its way to them has come by then."""
        self._has_ended = True
        self._owes = set(self._places.up)
        for node in self._owes:
            self._places.post(node, "bye", self._me)
        until = self_pid().runtime.now() + GOODBYE
        while self._owes:
            try:
                message = await receive(timeout=max(0.0, until - self_pid().runtime.now()))
            except TimeoutError:
                return
            await self.handle_info(message)

    def _has_left(self) -> bool:
        region = self._region
        view = region.view
        return (
            view is not None
            and (not view.owners or (self._me not in view.owners and region.barrier.is_open))
            and not region.entries
            and not self._places.is_sending
        )

    # ------------------------------------------------------------------------------------------ messages

    def _take(self, message: tuple[Any, ...]) -> bool:
        """Take what a node says; returns whether it is anything."""
        match message:
            case ("to", int(number), int(hops), str(key), str(kind), body, home, int(watcher)):
                self._take_op(message, number, hops, key, Op(kind, body, Far(home, watcher) if home else None))  # type: ignore[arg-type]
            case ("answer", int(number), value):
                self._places.answered(number, value)
            case ("down", int(number), reason):
                self._places.fired(number, reason)
            case ("placed", int(number), Node() as node):
                self._places.moved(number, node)
            case ("state", Node() as sender, int(number), Node() as home, int(mark), str(key), bool(has_state), state):
                if not self._is_early(message, number):
                    self._region.send_state(Parcel(home, mark, key, state if has_state else UNSET))
                    self._places.post(sender, "has", home, mark)
            case ("has", Node() as home, int(mark)):
                self._places.has_arrived(home, mark)
            case _:
                return self._take_of_views(message)
        return True

    def _take_of_views(self, message: tuple[Any, ...]) -> bool:
        match message:
            case ("flushed", Node() as node, int(number), list(keys), bool(is_last)):
                self._region.barrier.flushed(node, number, keys, is_last=is_last)
                self._pass_barrier()
            case ("ended", Node() as node, int(number)):
                self._region.barrier.ended(node, number)
                self._pass_barrier()
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
                if function == FUNCTION and node in nodes() and not (leaves and node in self._review.left):
                    self._hear(node, Want(number, tuple(wanted), tuple(sees), leaves=leaves, acts=acts))
            case ("agreed", Node() as node, int(number), list(wanted)):
                if node in self._places.up:
                    self._hear(node, Agreed(number, tuple(wanted)))
            case ("bye", Node() as node):
                self._review.left.add(node)
                self._gone(node)
                self._places.post(node, "goodbye", self._me)
            case ("goodbye", Node() as node):
                self._owes.discard(node)
            case _:
                return False
        return True

    def _is_early(self, message: tuple[Any, ...], number: int) -> bool:
        """Keep what was sent by a view that this node has not reached."""
        view = self._region.view
        if view is not None and number <= view.number:
            return False
        self._stash.append(message)
        return True

    def _take_op(self, message: tuple[Any, ...], number: int, hops: int, key: str, op: Op) -> None:
        if self._region.suspended:
            self._region.refuse(op, "noproc")
        elif not self._is_early(message, number):
            view = self._region.view
            is_old = hops > 1 or (view is not None and number < view.number)
            self._region.reroute_one(key, op, hops, is_old=is_old)

    # --------------------------------------------------------------------------------------- other nodes

    def _hear(self, node: Node, said: Want | Agreed) -> None:
        if node not in self._places.up:
            self._places.up.add(node)
            self._review.left.discard(node)
            remote = self_pid().runtime.remote
            target = None if remote is None else remote.named(self._options.name, node)
            if target is not None:
                self._monitors[monitor(target)] = node
        self._review.agreement.hear(node, said)
        self._decide()

    def _gone(self, node: Node) -> None:
        """Note that a node, or its region, has ended or cannot be heard."""
        self._owes.discard(node)
        if node not in self._places.up:
            return
        self._review.agreement.forget(node)
        self._region.lose(node)
        self._decide()

    def _say_want(self, node: Node) -> None:
        wants = self._review.agreement.wants
        if wants.number:
            self._places.post(
                node,
                "want",
                FUNCTION,
                self._me,
                wants.number,
                list(wants.wanted),
                list(wants.sees),
                wants.leaves,
                wants.acts,
            )

    def _decide(self) -> None:
        """Say what this node wants, agree, and act on a view that is there."""
        if self._has_ended:
            return
        while True:
            said, agreed, view, is_small = self._review.next()
            if said is not None:
                for node in nodes():
                    self._say_want(node)
            if is_small and not self._region.suspended:
                self._region.suspend()
            if agreed is not None:
                for node in self._review.agreement.others():
                    self._places.post(node, "agreed", self._me, agreed.number, list(agreed.wanted))
            if view is None:
                break
            self._enter(view)
        if self._timer is not None:
            cancel_timer(self._timer)
            self._timer = None
        due = self._review.due
        if due is not None:
            pid = self_pid()
            self._timer = send_after(pid, _Review(), max(0.0, due - pid.runtime.now()))

    # --------------------------------------------------------------------------------------------- views

    def _enter(self, view: View) -> None:
        region = self._region
        others = [node for node in view.members if node != self._me]
        moving = region.enter(view)
        region.barrier.enter(view.number, others)
        for node in others:
            self._places.send_flushed(node, view.number, moving.get(node, []))
        for entry in region.entries.values():
            if entry.phase is Phase.MOVING:
                send_after(self_pid(), _Late(entry.key, entry.pid), self._options.hand_over)
        if events.view.handlers:
            events.view.emit(name=self._options.name, number=view.number, nodes=len(view.owners))
        region.reroute()
        stash, self._stash = self._stash, []
        for message in stash:
            self._take(message)
        self._pass_barrier()

    def _pass_barrier(self) -> None:
        region = self._region
        barrier, view = region.barrier, region.view
        if view is None:
            return
        if barrier.ends():
            for node in view.members:
                if node != self._me:
                    self._places.post(node, "ended", self._me, view.number)
        if barrier.is_open:
            region.open_all()

    def _late(self, key: str, pid: Pid) -> None:
        """End a server that has not given its state away in time (NO28)."""
        entry = self._region.entries.get(key)
        if entry is not None and entry.pid is pid:
            if events.lost.handlers:
                events.lost.emit(name=self._options.name, key=key, why="late")
            self._region.kill(entry)
