"""The process of a region: it hears other nodes, agrees with them on views, and hands keys over."""

from __future__ import annotations

from typing import Any, Final, final

from phxactor.cluster import Node, NodeUp, monitor_nodes, nodes
from phxactor.runtime import (
    KILL,
    Down,
    Exited,
    Pid,
    Reason,
    Timer,
    cancel_timer,
    is_benign,
    monitor,
    receive,
    self_pid,
    send_after,
    trap_exit,
)
from phxactor.sharded import _timed as timed
from phxactor.sharded import events
from phxactor.sharded._entry import Phase
from phxactor.sharded._incoming import Incoming
from phxactor.sharded._known import Known
from phxactor.sharded._options import Options
from phxactor.sharded._owner import FUNCTION
from phxactor.sharded._places import Places
from phxactor.sharded._regions import made
from phxactor.sharded._review import Review
from phxactor.sharded._view import Agreed, View, Want

ALONE: Final = Node(bytes(16), "this node")
"""What stands for this node in a runtime without a cluster."""
GOODBYE: Final = 2.0
"""Seconds that it waits for others to hear that it has left."""
RESTART: Final = 1.0
"""Seconds until a server that runs always starts again after its end."""
ASK: Final = 1.0
"""Seconds until it says again what it wants, to nodes that it has not heard; doubled each time."""
LONGEST: Final = 60.0
"""The most seconds between two times."""
LEAVING: Final = 30.0
"""Seconds that a node which leaves takes at most until it has handed over everything."""


@final
class RegionServer(Incoming):
    """The process of a region."""

    async def init(self, options: Options) -> None:
        """Look who is there."""
        trap_exit()
        me = self._pid = self_pid()
        remote = me.runtime.remote
        self.me: Node = ALONE if remote is None else remote.node  # type: ignore[assignment]
        self._options = options
        self.region = made(me.runtime, options)
        self.places = Places(me.runtime, options.name, self.me, self.region.numbers)
        self.region.open(me, self.me, self.places)
        self._review = Review(self.me, options, me.runtime.now, has_cluster=remote is not None)
        self.left = self._review.left
        self.known = Known()
        self._monitors: dict[object, Node] = {}
        self.stash: list[tuple[Any, ...]] = []
        self._timer: Timer | None = None
        self._has_ended = False
        """Whether it has left, and only waits for others to hear that."""
        self.owes: set[Node] = set()
        """The nodes that have not answered to the goodbye."""
        self._is_told = False
        if options.eager:
            self.region.on_change = self._note_change
        monitor_nodes(gaps=False)
        self._decide()
        self._pause = ASK
        self._asking = send_after(me, timed.Ask(), ASK)

    async def handle_info(self, message: Any) -> None:  # noqa: ANN401 - as the base says
        """Take a message of another node, or of this runtime."""
        match message:
            case timed.Review():
                self._timer = None
                self._decide()
            case timed.Late(key=key, pid=pid):
                self._late(key, pid)
            case NodeUp(node=node):
                self._say_want(node)
                self._ask_after(ASK)
            case timed.Ask():
                self._ask()
            case Down(ref=ref) if ref in self._monitors:
                self.gone(self._monitors.pop(ref))
            case tuple() if self.take(message):
                pass
            case Exited(pid=pid):
                if pid.label in self._options.always:
                    send_after(self_pid(), timed.Again(), RESTART)
            case timed.Again():
                self.pass_barrier()
            case timed.Tell():
                self._is_told = False
                self._tell_changes()
            case _ if type(message).__name__ != "NodeDown":
                await super().handle_info(message)

    async def terminate(self, reason: Reason) -> None:
        """Leave: hand everything over, with a limit."""
        if not is_benign(reason):
            return
        self._review.agreement.leaves = True
        began = self_pid().runtime.now()
        until = began + LEAVING
        self._decide()
        while not self._has_left():
            if not self.places.up:  # one that has just come may not have been heard yet
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
        self.owes = set(self.places.up)
        for node in self.owes:
            self.places.post(node, "bye", self.me)
        until = self_pid().runtime.now() + GOODBYE
        while self.owes:
            try:
                message = await receive(timeout=max(0.0, until - self_pid().runtime.now()))
            except TimeoutError:
                return
            await self.handle_info(message)

    def _has_left(self) -> bool:
        region = self.region
        view = region.view
        return (
            view is not None
            and (not view.owners or (self.me not in view.owners and region.barrier.is_open))
            and not region.entries
            and not self.places.is_sending
        )

    # --------------------------------------------------------------------------------------- other nodes

    def hear(self, node: Node, said: Want | Agreed) -> None:
        if node not in self.places.up:
            self.places.up.add(node)
            self.left.discard(node)
            remote = self_pid().runtime.remote
            target = None if remote is None else remote.named(self._options.name, node)
            if target is not None:
                self._monitors[monitor(target)] = node
            if self._options.eager and self.region.entries:
                self.places.post_keys(node, list(self.region.entries), is_added=True)
        self._review.agreement.hear(node, said)
        self._decide()

    def gone(self, node: Node) -> None:
        """Note that a node, or its region, has ended or cannot be heard."""
        self.owes.discard(node)
        if node not in self.places.up:
            return
        self._review.agreement.forget(node)
        self.region.lose(node)
        self.known.lose(node, has_left=node in self.left)
        self._decide()

    def _say_want(self, node: Node) -> None:
        wants = self._review.agreement.wants
        if wants.number:
            self.places.post(
                node,
                "want",
                FUNCTION,
                self.me,
                wants.number,
                list(wants.wanted),
                list(wants.sees),
                wants.leaves,
                wants.acts,
            )

    def _ask(self) -> None:
        """Say again what this node wants to those that it has not heard: what was said may have come too soon."""
        if self._has_ended:
            return
        for node in nodes():
            if node not in self.places.up and node not in self.left:
                self._say_want(node)
        self._ask_after(min(2 * self._pause, LONGEST))

    def _ask_after(self, pause: float) -> None:
        cancel_timer(self._asking)
        self._pause = pause
        self._asking = send_after(self_pid(), timed.Ask(), pause)

    def _decide(self) -> None:
        """Say what this node wants, agree, and act on a view that is there."""
        if self._has_ended:
            return
        while True:
            said, agreed, view, is_small = self._review.next()
            if said is not None:
                for node in nodes():
                    self._say_want(node)
            if is_small and not self.region.suspended:
                self.region.suspend()
            if agreed is not None:
                for node in self._review.agreement.others():
                    self.places.post(node, "agreed", self.me, agreed.number, list(agreed.wanted))
            if view is None:
                break
            self._enter(view)
        if self._timer is not None:
            cancel_timer(self._timer)
            self._timer = None
        due = self._review.due
        if due is not None:
            pid = self_pid()
            self._timer = send_after(pid, timed.Review(), max(0.0, due - pid.runtime.now()))

    # --------------------------------------------------------------------------------------------- views

    def _enter(self, view: View) -> None:
        region = self.region
        others = [node for node in view.members if node != self.me]
        moving = region.enter(view)
        region.barrier.enter(view.number, others)
        for node in others:
            self.places.send_flushed(node, view.number, moving.get(node, []))
        for entry in region.entries.values():
            if entry.phase is Phase.MOVING:
                send_after(self_pid(), timed.Late(entry.key, entry.pid), self._options.hand_over)
        if events.view.handlers:
            events.view.emit(name=self._options.name, number=view.number, nodes=len(view.owners))
        region.reroute()
        stash, self.stash = self.stash, []
        for message in stash:
            self.take(message)
        self.pass_barrier()

    def pass_barrier(self) -> None:
        region = self.region
        barrier, view = region.barrier, region.view
        if view is None or region.suspended:
            return
        if barrier.ends():
            for node in view.members:
                if node != self.me:
                    self.places.post(node, "ended", self.me, view.number)
        if barrier.is_open:
            region.open_all()
            for key in (*self._options.always, *self.known.take_lost()):
                region.start_own(key)

    def _late(self, key: str, pid: Pid) -> None:
        """End a server that has not given its state away in time (NO28)."""
        entry = self.region.entries.get(key)
        if entry is not None and entry.pid is pid:
            if events.lost.handlers:
                events.lost.emit(name=self._options.name, key=key, why="late")
            pid.exit(KILL)

    # --------------------------------------------------------------------------------- eager ones

    def _note_change(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._pid.deliver(timed.Tell())

    def _tell_changes(self) -> None:
        changes, self.region.changes = self.region.changes, {}
        for is_added in (True, False):
            keys = [key for key, added in changes.items() if added is is_added]
            for node in self.places.up if keys else ():
                self.places.post_keys(node, keys, is_added=is_added)
