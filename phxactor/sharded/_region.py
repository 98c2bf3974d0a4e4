"""The keys of one name in one runtime: which run here, where what is done to a key goes, and what waits.

It has no process of its own: its functions run in the step of who sends, or of the region's process (`_process`), which
hears other nodes and decides on views. What nodes say to each other is in `_incoming`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Final, final
from weakref import WeakValueDictionary

from phxactor.distribution import CannotTravelError, remote_value
from phxactor.otp import UNSET
from phxactor.runtime import KILL, NOPROC, Pid, Reason, Runtime, own
from phxactor.sharded import events
from phxactor.sharded._asked import Asked
from phxactor.sharded._barrier import Barrier
from phxactor.sharded._entry import Entry, Phase
from phxactor.sharded._instance import MOVED, Instance
from phxactor.sharded._key import KeyPid
from phxactor.sharded._ops import Far, Op, Watcher, fire
from phxactor.sharded._places import Places
from phxactor.sharded._states import States
from phxactor.sharded._token import Token
from phxactor.sharded._waiting import Waiting

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.sharded._options import Options
    from phxactor.sharded._view import View

MAX_HOPS: Final = 8
"""How often something is sent on, as views differ, before it is given up."""


@final
class Region:
    """The keys of one name in one runtime."""

    def __init__(self, runtime: Runtime, options: Options) -> None:
        """Start without a process, which `open` gives it."""
        self.runtime: Final = runtime
        self.options: Final = options
        self.name: Final = options.name
        self.pid: Pid | None = None
        """Its process; None while there is none."""
        self.me: Node
        self.view: View | None = None
        self.suspended = False
        """Whether this node runs nothing, as it is on the small side of a split."""
        self.entries: dict[str, Entry] = {}
        self.barrier = Barrier()
        self.waiting = Waiting(options.max_waiting)
        self.states = States(self)
        self.places: Places
        self._addresses: WeakValueDictionary[str, KeyPid] = WeakValueDictionary()
        self.asked = Asked(runtime, self.act)
        self.changes: dict[str, bool] = {}
        """Keys that have started (true) or ended, of which others have not been told."""
        self.on_change: Callable[[], object] | None = None
        self.numbers = count(1)
        """For the watches of processes here that other nodes keep."""
        self._starts = count(1)

    def open(self, pid: Pid, me: Node, places: Places) -> None:
        """Have a process from now on, which is to decide on a view."""
        self.pid, self.me, self.places = pid, me, places
        self.view, self.suspended, self.barrier = None, False, Barrier()
        own(pid, self._closed)

    def _closed(self, _: Pid) -> None:
        """Hear that the process has ended, and end all servers with it: who waits is told."""
        self.pid = self.view = None
        entries, self.entries = self.entries, {}
        for entry in entries.values():
            entry.pid.exit(KILL)
        for _key, op in self.waiting.clear():
            self.refuse(op, NOPROC)
        self.places.clear(NOPROC)

    def address(self, key: str) -> KeyPid:
        """Return the address of a key: one object while somebody holds it."""
        address = self._addresses.get(key)
        if address is None:
            address = self._addresses[key] = KeyPid(self, key)
        return address

    def owner(self, key: str) -> Node | None:
        """Return the owner of a key in the present view."""
        return None if self.view is None else self.view.owner(key)

    # -------------------------------------------------------------------------------- from processes here

    def act(self, key: str, op: Op) -> None:
        """Do something to a key. Raises CannotTravelError for a message that cannot go to its owner."""
        if self.asked:
            self.asked.place()
        entry = self.entries.get(key)
        if entry is not None and entry.phase is Phase.RUNNING:
            entry.take(op)
        elif self.pid is None or not self.pid.alive or self.suspended:
            self.refuse(op, NOPROC)
        elif self.view is None:
            self._keep(None, key, op, is_old=False)
        else:
            self.route(key, op, 0, is_old=False)

    def unwatch(self, key: str, watcher: Watcher) -> None:
        """Undo a watch of a process here."""
        entry = self.entries.get(key)
        if entry is not None and entry.watchers.pop(watcher, None) is not None:
            return
        if not isinstance(watcher, Far) and (far := self.places.forget(watcher)) is not None and self.view is not None:
            self.route(key, Op("unwatch", None, far), 0, is_old=False)

    # ---------------------------------------------------------------------------------------- the way

    def route(self, key: str, op: Op, hops: int, *, is_old: bool) -> None:
        """Let something go to the owner of its key, or wait. `is_old` is what was sent by an older view."""
        assert self.view is not None  # noqa: S101 - for mypy: the callers have looked
        owner = self.view.owner(key)
        if owner == self.me:
            self._take(key, op, is_old=is_old)
        elif owner is None or hops > MAX_HOPS:
            self.refuse(op, NOPROC)
        elif (entry := self.entries.get(key)) is not None and entry.queue:
            entry.take(op)  # after what waits there for the end of the server
        elif owner in self.places.up:
            self.places.send_on(owner, self.view.number, hops, key, op)
        else:
            self._keep(None, key, op, is_old=is_old)

    def reroute_one(self, key: str, op: Op, hops: int, *, is_old: bool) -> None:
        """Do the same for something whose sender has gone on: what cannot travel is refused.

        With `hops` of 1 or more, another node takes it as sent by an older view, so before what its sender has
        sent since.
        """
        try:
            self.route(key, op, hops, is_old=is_old)
        except CannotTravelError as error:
            self.refuse(op, remote_value(error))

    def _take(self, key: str, op: Op, *, is_old: bool) -> None:
        entry = self.entries.get(key)
        if entry is not None:
            entry.take(op)
        elif op.kind == "unwatch":
            self.waiting.unwatch(key, op)
        elif not self.barrier.is_open or key in self.barrier.expected:
            self._keep(key, key, op, is_old=is_old)
        elif op.kind in {"watch", "exit", "link_ended"}:
            self.refuse(op, NOPROC)
        else:
            self.start(key).take(op)

    def _keep(self, place: str | None, key: str, op: Op, *, is_old: bool) -> None:
        if not self.waiting.add(place, key, op, is_old=is_old):
            self.refuse(op, "busy")

    def wait_for_end(self, entry: Entry, op: Op) -> None:
        """Let something wait for the end of a server."""
        if self.waiting.count >= self.waiting.most:
            self.refuse(op, "busy")
        else:
            self.waiting.count += 1
            entry.queue.append(op)

    def refuse(self, op: Op, reason: Reason) -> None:
        """Drop something: who watches is told, the rest is counted."""
        if op.watcher is not None:
            self.fire(op.watcher, reason)
        elif op.kind in {"send", "cast"} and events.dropped.handlers:
            events.dropped.emit(name=self.name, why=str(reason))

    def fire(self, watcher: Watcher, reason: Reason) -> None:
        """Tell a watcher, here or elsewhere, of an end."""
        if isinstance(watcher, Far):
            self.places.fire(watcher, reason)
        else:
            fire(watcher, reason)

    # ------------------------------------------------------------------------------------- keys that run

    def start(self, key: str, state: object = UNSET) -> Entry:
        """Start the server of a key that is this node's."""
        assert self.pid is not None  # noqa: S101 - for mypy: nothing is routed without a process
        assert self.view is not None  # noqa: S101 - the same
        options = self.options
        entry = Entry(self, key)
        token = Token(self.view.number, self.me.id, next(self._starts))
        process = Instance(options.server(), entry, token, options.idle, state)
        entry.pid = self.runtime.start(self.pid, process.run, (), True, f"{options.server.__qualname__}.init")  # noqa: FBT003 - by position
        self.entries[key] = entry
        entry.pid.label = key
        own(entry.pid, entry.ended)
        self._changed(key, added=True)
        return entry

    def start_own(self, key: str) -> None:
        """Start a key that is to run always, if it is this node's and may start."""
        if self.owner(key) == self.me and key not in self.entries and key not in self.barrier.expected:
            self.start(key)

    def _changed(self, key: str, *, added: bool) -> None:
        if self.on_change is not None:
            self.changes[key] = added
            self.on_change()

    def ended(self, entry: Entry) -> None:
        """Hear of the end of a server: what has waited follows it, or starts it again."""
        if self.entries.get(entry.key) is entry:
            del self.entries[entry.key]
            self._changed(entry.key, added=False)
        reason = entry.pid.exit_reason
        is_open = self.pid is not None and self.view is not None and not self.suspended
        entry.tell(MOVED if entry.phase is Phase.MOVING and is_open else reason)
        queue, entry.queue = entry.queue, []
        self.waiting.count -= len(queue)
        if not is_open:
            for op in queue:
                self.refuse(op, NOPROC)
            return
        for op in queue:
            self.reroute_one(entry.key, op, 1, is_old=True)
        if entry.phase is Phase.MOVING:
            self.states.send_of(entry)

    def open_key(self, key: str, state: object = UNSET) -> None:
        """Start a key for which something has waited, or whose state has come."""
        ops = self.waiting.take(key)
        if state is not UNSET or any(op.kind in {"send", "cast", "call"} for op in ops):
            self.start(key, state)
        for op in ops:
            self._take(key, op, is_old=False)

    # --------------------------------------------------------------------------------------------- views

    def enter(self, view: View) -> dict[Node, list[str]]:
        """Act on a new view, and return the keys that this node will hand over, by their new owners."""
        self.view, self.suspended = view, False
        moving: dict[Node, list[str]] = {}
        for key, entry in list(self.entries.items()):
            owner = view.owner(key)
            if owner is None:
                continue
            if owner != self.me:
                moving.setdefault(owner, []).append(key)
                entry.move()
        self.states.send_waiting()
        return moving

    def reroute(self) -> None:
        """Let all that waits go its way in the present view."""
        if self.view is not None:
            for key, op in self.waiting.clear():
                self.reroute_one(key, op, 1, is_old=True)

    def open_all(self) -> None:
        """Start what has waited for the barrier."""
        self.states.send_waiting()
        for key in self.waiting.places():
            if key not in self.barrier.expected and key not in self.entries:
                self.open_key(key)

    def lose(self, node: Node) -> None:
        """Note that a node is gone: who waits for it is told, and states that were on their way to it come back."""
        self.places.lose(node)
        self.states.waiting.extend(self.places.lost_parcels(node))
        for entry in self.entries.values():
            entry.forget(node)

    def suspend(self) -> None:
        """Run nothing, as this node is on the small side of a split (NO24, NO25)."""
        self.suspended = True
        for entry in list(self.entries.values()):
            entry.pid.exit(KILL)
        for _key, op in self.waiting.clear():
            self.refuse(op, NOPROC)
