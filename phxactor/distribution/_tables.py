"""What the lines of one node share: the numbers of its processes, monitors and return addresses."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, final
from weakref import WeakValueDictionary

from phxactor.distribution._peer import Peer
from phxactor.runtime import DEAD, From, Pid

if TYPE_CHECKING:
    from phxactor.cluster import LocalNode, Node
    from phxactor.runtime import Runtime

MANY: Final = 1024
"""Other nodes, or return addresses, that are known before those that nobody needs are looked for."""


@final
class Tables:
    """The numbers of one node."""

    def __init__(self, local: LocalNode, max_bytes: int) -> None:
        """Start without other nodes; a value has at most `max_bytes` bytes."""
        self.local = local
        self.runtime: Runtime = local.runtime
        self.peers: dict[bytes, Peer] = {}
        self._max_bytes = max_bytes
        self._many_peers = self._many_refs = MANY
        self._exported: WeakValueDictionary[int, Pid] = WeakValueDictionary()
        self._refs: dict[int, From] = {}
        self._numbers: dict[From, int] = {}
        self._count = count(1)

    def peer(self, node: Node) -> Peer:
        """Return what is known of another node, of any life."""
        peer = self.peers.get(node.id)
        if peer is None:
            if len(self.peers) >= self._many_peers:
                self.peers = {key: one for key, one in self.peers.items() if not one.is_unused()}
                self._many_peers = max(MANY, 2 * len(self.peers))
            peer = self.peers[node.id] = Peer(node, self, self._max_bytes)
        return peer

    def has_later_life(self, node: Node) -> bool:
        """Say whether a node that is up, or this one, has the name of one that is gone: it is a later life (NO7)."""
        return self.is_own_past(node) or any(one.name == node.name for one in self.local.nodes())

    def is_own_past(self, node: Node) -> bool:
        """Say whether a node that is gone was an earlier life of this one."""
        return node.name == self.local.identity.name

    # ---------------------------------------------------------------------------------- local processes

    def exported(self, pid: Pid) -> int:
        """Return the number of a local process, which may come back: also if it has ended, it is this object then."""
        number = pid.number
        if number not in self._exported:
            self._exported[number] = pid
        return number

    def local_pid(self, number: int) -> Pid:
        """Return the local process with a number; one that has ended and that nobody holds is made anew, ended."""
        found = self.runtime.processes.get(number) or self._exported.get(number)
        if found is None:
            found = self._exported[number] = Pid(self.runtime, number, "ended", None)
            found.state = DEAD
        return found

    # ----------------------------------------------------------------- monitors and return addresses

    def number(self) -> int:
        """Return a number that nothing has."""
        return next(self._count)

    def number_of(self, ref: From) -> int:
        """Return the number of a local monitor or return address, which others may answer to from now on."""
        number = self._numbers.get(ref)
        if number is None:
            if len(self._refs) >= self._many_refs:
                self._sweep()
            number = self._numbers[ref] = next(self._count)
            self._refs[number] = ref
        return number

    def ref(self, number: int) -> From | None:
        """Return the local monitor or return address with a number; None if it is spent."""
        return self._refs.get(number)

    def forget(self, ref: From) -> None:
        """Forget a monitor or return address that is spent."""
        number = self._numbers.pop(ref, None)
        if number is not None:
            del self._refs[number]

    def _sweep(self) -> None:
        for ref in [ref for ref in self._numbers if not ref.active or ref.owner.state is DEAD]:
            self.forget(ref)
        self._many_refs = max(MANY, 2 * len(self._refs))
