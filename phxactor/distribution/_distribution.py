"""Distribution: processes of this node and those of others, over the carriers of the cluster.

    LocalNode ── up, down, message of kind SIGNALS ──▶ Distribution ── signals ──▶ local processes
                                                            ◀── hooks of remote pids ──┘

What comes is taken in the step of the carrier's process. The process of this module sends what was put in one pass of
the scheduler, cuts lines that are broken, and ticks each second while a line needs it.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final, final

from phxactor.cluster import LocalNode, Node
from phxactor.distribution import events
from phxactor.distribution._codec_errors import DecodeError
from phxactor.distribution._connection import Connection, Why
from phxactor.distribution._frames import HEADS, unpack
from phxactor.distribution._incoming import take
from phxactor.distribution._peer import Peer
from phxactor.distribution._tables import Tables
from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Exit, Exited, Pid, current_runtime, receive, self_pid, trap_exit

if TYPE_CHECKING:
    from phxactor.cluster import DownReason

TICK: Final = 1.0
"""Seconds between two ticks of lines that need them."""
_FLUSH: Final = "flush"
"""The message to its process: something was put."""


@final
class Distribution:
    """The processes of other nodes, as the runtime sees them (`Runtime.remote`)."""

    def __init__(self, local: LocalNode) -> None:
        """Take part from now on with this node."""
        self._local = local
        self._runtime = local.runtime
        self._max_bytes: Final = local.max_message_bytes - HEADS
        self._tables = Tables(local, self._max_bytes - HEADS)
        self._epochs = partial(next, count(1))
        self._process: Pid | None = None
        self._told = False
        """Whether its process knows that something was put."""
        self._runtime.remote = self
        local.handle(Kind.SIGNALS, self._received)
        local.view.observers.append(self)
        for node in local.nodes():
            self.up(node)

    @property
    def node(self) -> Node:
        """This node, as others see it."""
        return self._local.identity

    def named(self, name: str, node: object) -> Pid | None:
        """Return whom `(name, node)` addresses now; None if `node` is this node and the name is not registered.

        Raises TypeError if `node` is no `Node`, or `name` no `str`.
        """
        if not isinstance(node, Node) or not isinstance(name, str):
            raise TypeError(f"an address is a name and a Node, not {(name, node)!r:.200}")
        if node == self.node:
            return self._runtime.names.whereis(name)
        return self._tables.peer(node).named(name)

    def serves(self, local: LocalNode) -> bool:
        """Say whether it is that of this node."""
        return self._local is local

    def peer(self, node: Node) -> Peer:
        """Return what is known of another node."""
        return self._tables.peer(node)

    @staticmethod
    def peer_of(node: Node) -> Peer | None:
        """Return what the caller's node knows of another one; None for itself, or without a cluster."""
        remote = current_runtime().remote
        return remote.peer(node) if isinstance(remote, Distribution) and node != remote.node else None

    # ---------------------------------------------------------------------------- called by the LocalNode

    def up(self, node: Node) -> None:
        """Open a line: the node is up, and those who monitor nodes have been told."""
        peer = self._tables.peer(node)
        if peer.connection is None:
            peer.connection = Connection(
                opens=(self.node.name, self.node.id) < (node.name, node.id),
                epochs=self._epochs,
                post=partial(self._post, node.id),
                on_cut=partial(self._cut, peer),
                wake=self._wake,
                max_bytes=self._max_bytes,
                now=self._runtime.now(),
            )
            self._wake()

    def down(self, node: Node, _reason: DownReason) -> None:
        """End the line: the node is down, and those who monitor nodes have not been told."""
        peer = self._tables.peer(node)
        if peer.connection is not None:
            peer.connection = None
            peer.lost()

    def end(self) -> None:
        """End with the node: it is of no cluster any more."""
        if self._runtime.remote is self:
            self._runtime.remote = None
        for peer in list(self._tables.peers.values()):
            if peer.connection is not None:
                self.down(peer.node, "left")

    def _cut(self, peer: Peer, why: Why) -> None:
        peer.lost()
        if events.cut.handlers:
            events.cut.emit(node=peer.node, why=why)
        self._local.view.cut(peer.node, self._runtime.now())
        self._wake()

    def _received(self, sender: Node | None, message: Message) -> None:
        if sender is None:
            return
        peer = self._tables.peer(sender)
        connection = peer.connection
        if connection is None or not connection.take(message.payload, self._runtime.now()):
            return
        epoch = connection.epoch
        for signal in unpack(message.payload):
            try:
                take(peer, signal)
            except (DecodeError, EnvelopeError) as error:
                if events.refused.handlers:
                    events.refused.emit(node=sender, why=str(error))
            if peer.connection is not connection or connection.epoch != epoch or not connection.is_up:
                return  # what it did has cut the line

    # ------------------------------------------------------------------------------------------ its process

    def _post(self, node_id: bytes, frame: bytes) -> bool:
        dropped = self._local.dropped_so_far
        sent = self._local.send(node_id, Message(Kind.SIGNALS, "", "", "", frame))
        return sent and self._local.dropped_so_far == dropped

    def _wake(self) -> None:
        if not self._told and self._process is not None:
            self._told = True
            self._process.deliver(_FLUSH)

    async def run(self) -> None:
        """Flush and tick: the body of its process."""
        trap_exit()
        self._process = self_pid()
        due = self._runtime.now() + TICK
        while True:
            self._told = False
            now = self._runtime.now()
            lines = [peer.connection for peer in self._tables.peers.values() if peer.connection is not None]
            for line in lines:
                line.settle(now)
                line.flush()
                if now >= due:
                    line.tick(now)
            if now >= due:
                due = now + TICK
            restless = any(line.is_restless for line in lines)
            try:
                message = await receive(timeout=max(0.0, due - now) if restless else None)
            except TimeoutError:
                continue
            if type(message) is Exited:
                raise Exit(message.reason)
            if not restless:
                due = max(due, self._runtime.now() + TICK)


def child_spec() -> ChildSpec:
    """Return the child specification: it comes right after that of the cluster."""
    return ChildSpec(id="distribution", start=(_start_link, (), {}))


def _start_link() -> Ok[Pid]:
    """Start the process, linked to the caller. Raises RuntimeError if the runtime takes part in no cluster."""
    runtime = self_pid().runtime
    local = LocalNode.found(runtime)
    if local is None:
        raise RuntimeError("this runtime takes part in no cluster: start its Cluster first")
    remote = runtime.remote
    if not isinstance(remote, Distribution) or not remote.serves(local):
        remote = Distribution(local)
    return Ok(runtime.spawn(remote.run, link=True, initial_call="Distribution"))
