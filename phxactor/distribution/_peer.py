"""What this node knows of another one: its processes that are known here, and what goes between the two.

It outlives the line: the other node may be down, or never have been up. Then each link and monitor is answered at once,
by `RemotePid.absence`, and messages are dropped (NO1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final
from weakref import WeakValueDictionary

from phxactor.distribution._codec_encode import encode, encode_reason
from phxactor.distribution._frames import Op, pack
from phxactor.distribution._pids import Elsewhere, NamedPid, NodePid, RemoteFrom, RemoteMonitor
from phxactor.distribution._written import Written
from phxactor.otp import Call, Cast
from phxactor.runtime import (
    NOCONNECTION,
    NOPROC,
    Answer,
    Down,
    From,
    Monitor,
    Pid,
    Reason,
    drop_monitor,
    ended_elsewhere,
    will_arrive,
)

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.distribution._connection import Connection
    from phxactor.distribution._tables import Tables

_NAMED: Final = {
    Op.SEND: Op.SEND_NAMED,
    Op.MONITOR: Op.MONITOR_NAMED,
    Op.CALL: Op.CALL_NAMED,
    Op.CAST: Op.CAST_NAMED,
    Op.FORWARD: Op.FORWARD_NAMED,
}


@final
class Peer:
    """Another node, of one life."""

    __slots__ = (
        "_asked",
        "_froms",
        "_pids",
        "_written",
        "connection",
        "held",
        "max_bytes",
        "node",
        "runtime",
        "tables",
        "unlinking",
        "watching",
    )

    def __init__(self, node: Node, tables: Tables, max_bytes: int) -> None:
        """Start without a line; a value has at most `max_bytes` bytes."""
        self.node = node
        self.tables = tables
        self.runtime = tables.runtime
        self.max_bytes = max_bytes
        self.connection: Connection | None = None
        """The line; None if the node is not up."""
        self.watching: dict[Monitor, int] = {}
        """The monitors of local processes that the other node knows, with their numbers."""
        self.held: dict[int, RemoteMonitor] = {}
        """The monitors that processes of the other node hold on local ones, by their numbers."""
        self.unlinking: dict[tuple[Pid, NodePid], int] = {}
        """Unlinks that the other node has not taken note of yet: an end of such a link is not told (ND43)."""
        self._pids: WeakValueDictionary[int | str, Elsewhere] = WeakValueDictionary()
        self._froms: WeakValueDictionary[int, RemoteFrom] = WeakValueDictionary()
        self._written: Final = Written(self)
        self._asked: tuple[Monitor | None, bytes] = (None, b"")
        """The last monitor that was put, and its signal: the request of a call joins it."""

    # ---------------------------------------------------------------------------------------- addresses

    def pid(self, number: int) -> NodePid:
        """Return what stands here for a process of that node."""
        pid = self._pids.get(number)
        if pid is None:
            pid = self._pids[number] = NodePid(self, number, "process")
        assert isinstance(pid, NodePid)  # noqa: S101 - for mypy: numbers are keys of processes
        return pid

    def named(self, name: str) -> NamedPid:
        """Return what stands here for a name of that node."""
        pid = self._pids.get(name)
        if pid is None:
            pid = self._pids[name] = NamedPid(self, name)
        assert isinstance(pid, NamedPid)  # noqa: S101 - for mypy: names are keys of addresses
        return pid

    def from_(self, owner: NodePid, number: int) -> From:
        """Return what stands here for a return address of a process of that node."""
        held = self.held.get(number)
        if held is not None and held.owner is owner:
            return held
        found = self._froms.get(number)
        if found is None or found.owner is not owner:
            found = self._froms[number] = RemoteFrom(owner, number)
        return found

    def is_unused(self) -> bool:
        """Say whether it may be forgotten: nothing here refers to it."""
        return self.connection is None and not self._pids and not self._froms

    def is_absent(self) -> bool:
        """Say whether there is no line, nor one that is being opened."""
        return self.connection is None or self.connection.is_silent

    def absence(self) -> Reason:
        """Return what links and monitors of its processes are told while it is absent (ND36, ND37)."""
        return NOPROC if self.connection is None and self.tables.has_later_life(self.node) else NOCONNECTION

    def is_own_past(self) -> bool:
        """Say whether this is an earlier life of the very node that asks."""
        return self.connection is None and self.tables.is_own_past(self.node)

    # ------------------------------------------------------------------------------------------- to send

    def put(
        self, op: Op, *, source: Pid | None = None, target: Elsewhere | None = None, ref: int = 0, rest: bytes = b""
    ) -> None:
        """Put a signal on the line, if there is one."""
        if self.connection is not None:
            self.connection.put(self._packed(op, source, target, ref, rest))

    def _packed(self, op: Op, source: Pid | None, target: Elsewhere | None, ref: int, rest: bytes) -> bytes:
        number = 0 if source is None else self.tables.exported(source)
        if isinstance(target, NamedPid):
            name = target.name_there
            return pack(_NAMED[op], source=number, target=len(name), ref=ref, rest=name + rest)
        return pack(op, source=number, target=0 if target is None else target.number, ref=ref, rest=rest)

    def flush(self) -> None:
        """Send at once what waits: somebody waits for the answer."""
        if self.connection is not None:
            self.connection.flush()

    def encode(self, value: object) -> bytes:
        """Write a value for this node. Raises CannotTravelError for one that cannot travel."""
        return encode(value, self._written, self.max_bytes)

    @property
    def written(self) -> Written:
        """How processes and references are written for this node, and read."""
        return self._written

    def send(self, target: Elsewhere, message: object) -> None:
        """Send a message. Raises CannotTravelError for one that cannot travel, also if nobody is there."""
        if type(message) is Call:
            self._call(target, message)
        elif type(message) is Cast:
            self.put(Op.CAST, target=target, rest=self.encode(message.request))
        elif type(message) is Answer and message.ref.owner is target:
            self._answer(message.ref, message.value)
        elif type(message) is Down and message.ref.owner is target:
            self._down(message.ref, message.reason)
        else:
            self.put(Op.SEND, target=target, rest=self.encode(message))

    def _call(self, target: Elsewhere, call: Call) -> None:
        connection, (watch, signal) = self.connection, self._asked
        if watch is not call.from_ or connection is None or not connection.take_back(signal):
            self.put(Op.FORWARD, target=target, rest=self.encode((call.from_, call.request)))
            return
        try:
            rest = self.encode(call.request)
        except TypeError:
            self.tables.forget(watch)  # the other node has never heard of the monitor
            del self.watching[watch]
            raise
        connection.put(self._packed(Op.CALL, watch.owner, target, self.watching[watch], rest))
        connection.flush()

    def _answer(self, ref: From, value: object) -> None:
        rest = self.encode(value)
        if isinstance(ref, RemoteMonitor):
            if ref.of_call:
                self.held.pop(ref.number, None)
                drop_monitor(ref)
            self.put(Op.LAST_REPLY if ref.of_call else Op.REPLY, ref=ref.number, rest=rest)
        elif isinstance(ref, RemoteFrom):
            self.put(Op.REPLY, ref=ref.number, rest=rest)
        self.flush()

    def _down(self, watch: Monitor, reason: Reason) -> None:
        if isinstance(watch, RemoteMonitor) and self.held.pop(watch.number, None) is not None:
            self.put(Op.DOWN, source=watch.target, ref=watch.number, rest=self._reason(reason))

    def _reason(self, reason: Reason) -> bytes:
        return encode_reason(reason, self._written, self.max_bytes)

    def signal(self, op: Op, source: Pid, target: NodePid, reason: Reason) -> None:
        """Send an exit signal, or the end of a link."""
        if self.connection is not None:
            self.put(op, source=source, target=target, rest=self._reason(reason))

    def link(self, owner: Pid, target: NodePid) -> None:
        """Link a local process with one of that node; both tables have it."""
        if self.is_absent():
            will_arrive(owner, target)
        else:
            self.put(Op.LINK, source=owner, target=target)

    def unlink(self, owner: Pid, target: NodePid) -> None:
        """Remove a link; both tables have it no more."""
        if not self.is_absent():
            number = self.unlinking[owner, target] = self.tables.number()
            self.put(Op.UNLINK, source=owner, target=target, ref=number)

    def monitor(self, watch: Monitor, target: Elsewhere) -> None:
        """Let a local process watch one of that node, or the owner of a name."""
        if self.is_absent() or self.connection is None:
            will_arrive(watch.owner, watch)
            return
        number = self.watching[watch] = self.tables.number_of(watch)
        signal = self._packed(Op.MONITOR, watch.owner, target, number, b"")
        self._asked = watch, signal
        self.connection.put(signal)

    def expect(self, watch: Monitor) -> None:
        """Take a monitor of a process that is yet to be started there; its number goes with the request."""
        if not self.is_absent():
            self.watching[watch] = self.tables.number_of(watch)

    def demonitor(self, watch: Monitor) -> None:
        """End that."""
        number = self.watching.pop(watch, None)
        if number is not None:
            self.tables.forget(watch)
            self.put(Op.DEMONITOR, ref=number)

    def watched(self, ref: From) -> Monitor | None:
        """End a monitor of a local process that the other node has ended; return it, None if it was none over here."""
        if not isinstance(ref, Monitor) or self.watching.pop(ref, None) is None:
            return None
        self.tables.forget(ref)
        return ref

    # --------------------------------------------------------------------------------------- the cut

    def lost(self) -> None:
        """Tell everybody here who is linked or watches over the line (ND38); nothing of it comes back (ND40)."""
        self.unlinking.clear()
        self._asked = None, b""
        held, self.held = self.held, {}
        for one in held.values():
            drop_monitor(one)
        for number in list(self._pids):
            pid = self._pids.get(number)
            if pid is not None and (pid.links or pid.watchers):
                ended_elsewhere(pid, NOCONNECTION, lost=True)
        for watch in self.watching:
            self.tables.forget(watch)
        self.watching.clear()
