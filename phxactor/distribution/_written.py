"""How processes and return addresses are written in values for another node, and read.

byte 0       whose: 0 the writer's node, 1 the reader's, 2 that of a third
1 to 8       the number of the process
then         of a return address: its number in 8 bytes
then         of a third node: its id in 16 bytes, and its name in UTF-8
"""

from __future__ import annotations

from struct import Struct, error
from typing import TYPE_CHECKING, Final, final

from phxactor.cluster import Node
from phxactor.distribution._pids import NamedPid, NodePid, RemoteFrom, RemoteMonitor
from phxactor.runtime import From, Pid, Ref, RemotePid

if TYPE_CHECKING:
    from phxactor.distribution._peer import Peer

_PID: Final = Struct(">BQ")
_REF: Final = Struct(">BQQ")
_ID: Final = 16
OURS: Final = 0
YOURS: Final = 1
OF_ANOTHER: Final = 2


@final
class Written:
    """The `Pids` of the codec for one other node."""

    __slots__ = ("_peer",)

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def to_wire(self, pid: Pid) -> bytes:
        """Write a process. Raises TypeError for an address that is none."""
        whose, node = self._whose(pid)
        number = self._peer.tables.exported(pid) if whose == OURS else pid.number
        return _PID.pack(whose, number) + node

    def ref_to_wire(self, ref: Ref) -> bytes:
        """Write a monitor or a return address. Raises TypeError for another reference."""
        if not isinstance(ref, From):
            raise TypeError("is a reference that nobody elsewhere can answer to")
        whose, node = self._whose(ref.owner)
        if isinstance(ref, RemoteMonitor | RemoteFrom):
            return _REF.pack(whose, ref.owner.number, ref.number) + node
        tables = self._peer.tables
        return _REF.pack(whose, tables.exported(ref.owner), tables.number_of(ref) if ref.active else 0) + node

    def _whose(self, pid: Pid) -> tuple[int, bytes]:
        if isinstance(pid, NodePid):
            if pid.peer is self._peer:
                return YOURS, b""
            return OF_ANOTHER, pid.node.id + pid.node.name.encode()
        if isinstance(pid, RemotePid):
            name = f"({pid.initial_call!r}, {pid.node})" if isinstance(pid, NamedPid) else repr(pid)
            raise TypeError(f"is {name}, an address and no process")
        if pid.runtime is not self._peer.runtime:
            raise TypeError("is a process of another runtime")
        return OURS, b""

    def from_wire(self, data: bytes) -> Pid:
        """Read a process. Raises ValueError for bytes that are none."""
        try:
            whose, number = _PID.unpack_from(data)
        except error:
            raise ValueError("too few bytes for a process") from None
        return self._pid(whose, number, data[_PID.size :])

    def ref_from_wire(self, data: bytes) -> Ref:
        """Read a return address; one of this node is the very object again, unless it is spent."""
        try:
            whose, owner_number, number = _REF.unpack_from(data)
        except error:
            raise ValueError("too few bytes for a reference") from None
        owner = self._pid(whose, owner_number, data[_REF.size :])
        if isinstance(owner, NodePid):
            return owner.peer.from_(owner, number)
        found = self._peer.tables.ref(number)
        if found is not None and found.owner is owner:
            return found
        spent = From(owner)
        spent.active = False
        return spent

    def _pid(self, whose: int, number: int, rest: bytes) -> Pid:
        peer = self._peer
        if whose != OF_ANOTHER:
            if rest:
                raise ValueError("too many bytes")
            if whose == OURS:
                return peer.pid(number)
            if whose == YOURS:
                return peer.tables.local_pid(number)
            raise ValueError("a process of nobody's")
        if len(rest) <= _ID:
            raise ValueError("too few bytes for a node")
        node = Node(rest[:_ID], rest[_ID:].decode())
        if node.id == peer.tables.local.id:
            return peer.tables.local_pid(number)
        return peer.tables.peer(node).pid(number)
