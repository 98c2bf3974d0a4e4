"""The carrier of simulated nodes: the contract of a carrier, over a `Network` instead of sockets.

It frames, numbers and seals what it sends as the carrier over Redis does, and numbers what each node gets as the lines
between workers do, so that each loss shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.cluster import BEAT_INTERVAL, LocalNode, Numbers, Peers
from phxactor.envelope import (
    NOBODY,
    EnvelopeError,
    Frame,
    Kind,
    Seal,
    channel_of_all,
    channel_of_lane,
    channel_of_node,
)
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Exit, Exited, Pid, own, receive, self_pid, trap_exit

if TYPE_CHECKING:
    from phxactor.testing._network import Network, Wire

PREFIX: Final = "simulated"
"""The prefix of its channels."""
_ALL: Final = channel_of_all(PREFIX)
_COME: Final = "come"
"""The message to its process: something is in the inbox."""
_MILLISECONDS: Final = 1000


@final
class Simulated:
    """The carrier of one simulated node."""

    name: Final = "simulated"

    def __init__(self, network: Network, secret: str | None = None) -> None:
        """Store the network; a node with another secret hears and says nothing that others take."""
        self.node: LocalNode
        self._network = network
        self._seal = Seal(secret)
        self._number = 0
        self._inbox: deque[tuple[Wire | None, bytes, bytes]] = deque()
        self._process: Pid | None = None
        self._told = False
        """Whether its process knows that something is in the inbox."""
        self._peers: Peers
        self._numbers: Numbers
        self._missed: set[bytes] = set()
        """Senders that are not up yet, and of which something was lost."""
        self._asked: list[str] = []
        """The lanes that are watched from this moment on."""
        self._asked_at: float | None = None
        """Which moment that is."""
        self.killed = False
        """Whether the node is to vanish without a word."""

    def child_spec(self, node: LocalNode) -> ChildSpec:
        """Return the child specification of its process."""
        self.node = node
        return ChildSpec(id=self.name, start=(self._start_link, (), {}))

    # --------------------------------------------------------------------------------- called by its node

    def publish(self, lane: str, message: bytes) -> None:
        """Put a message on the wires to all nodes that watch a lane."""
        channel = channel_of_lane(PREFIX, lane)
        for other in self._network.watching(lane):
            if other is not self:
                self._put(other, channel, message)

    def publish_to_all(self, message: bytes) -> None:
        """Put a message on the wires to all nodes."""
        for other in self._network.others(self):
            self._put(other, _ALL, message)

    def send(self, to: bytes, message: bytes) -> bool:
        """Put a message on the wire to a node, if it is connected."""
        other = self._network.carriers.get(to)
        if other is None or other is self or self.killed:
            return False
        self._put(other, channel_of_node(PREFIX, to), message)
        return True

    def watch(self, lanes: Sequence[str]) -> None:
        """Watch lanes, from a delay after now; those of one moment are told together."""
        now = trio.current_time()
        if not self._network.delay:
            self._network.watch(self, lanes)
            return
        if now != self._asked_at:
            self._asked_at, self._asked = now, []
            self._network.watch(self, self._asked)
        self._asked.extend(lanes)

    def unwatch(self, lanes: Sequence[str]) -> None:
        """Watch lanes no longer."""
        self._asked_at = None  # what is watched after this comes after it
        self._network.unwatch(self, lanes)

    def covers(self, node_id: bytes) -> bool:
        """Return False: other carriers may bring what a node says, too."""
        return False

    def _put(self, other: Simulated, channel: bytes, message: bytes) -> None:
        if self.killed:
            return
        wire = self._network.wire(self, other)
        self._number += 1
        now = int(trio.current_time() * _MILLISECONDS)
        frame = self._seal.seal(channel, Frame(self.node.id, self._number, wire.number, now, message))
        wire.number = self._number
        if not self._network.carry(self, other, wire, frame, channel):
            self.node.dropped(self, "full", 1, len(message))

    def vanish(self, *, silent: bool) -> None:
        """Say and hear nothing from now on; with `silent` the other nodes do not see the end of the wires."""
        self.killed = True
        self._network.disconnect(self, told=not silent)

    # ------------------------------------------------------------------------------ called by the network

    def arrived(self, wire: Wire, channel: bytes, frame: bytes) -> None:
        """Take a frame that has come. It is read when the node's process runs."""
        self._take_in(wire, channel, frame)

    def has_ended(self, node_id: bytes) -> None:
        """Take note that the wires of a node have ended."""
        self._take_in(None, b"", node_id)

    def confirmed(self, lanes: Sequence[str]) -> None:
        """Take note that lanes are watched."""
        if not self.killed:
            self.node.watched(self, lanes)

    def _take_in(self, wire: Wire | None, channel: bytes, frame: bytes) -> None:
        process = self._process
        if process is None or self.killed:
            if wire is not None:
                wire.waiting -= len(frame)
            return
        self._inbox.append((wire, channel, frame))
        if not self._told:
            self._told = True
            process.deliver(_COME)

    # ------------------------------------------------------------------------------------------ its process

    def _start_link(self) -> Ok[Pid]:
        return Ok(self_pid().runtime.spawn(self._run, link=True, initial_call="Simulated"))

    async def _run(self) -> None:
        trap_exit()
        node, network = self.node, self._network
        self._process = self_pid()
        self._peers, self._numbers = Peers(node, self), Numbers(from_start=True)
        own(self._process, self._ended)
        network.connect(self)
        network.watch(self, node.lanes())
        node.back(self)
        self.publish_to_all(self._peers.beat(0))
        due = node.runtime.now() + BEAT_INTERVAL
        while True:
            try:
                message = await receive(timeout=max(0.0, due - node.runtime.now()))
            except TimeoutError:
                message = None
            if type(message) is Exited:
                self.publish_to_all(self._peers.goodbye())
                raise Exit(message.reason)
            self._read()
            if node.runtime.now() >= due:
                due = node.runtime.now() + BEAT_INTERVAL
                self.publish_to_all(self._peers.beat(0))
                self._peers.judge()

    def _read(self) -> None:
        self._told = False
        inbox = self._inbox
        while inbox:
            wire, channel, frame = inbox.popleft()
            if wire is None:
                self._peers.gone(frame, "lost")
            else:
                wire.waiting -= len(frame)
                self._read_one(channel, frame)

    def _read_one(self, channel: bytes, data: bytes) -> None:
        try:
            frame = self._seal.open(channel, data)
        except EnvelopeError as error:
            self.node.refused(self, error.fault)
            return
        sender, message = frame.sender, frame.message
        if sender == NOBODY:
            self.node.received(self, sender, message)
            return
        now = int(trio.current_time() * _MILLISECONDS)
        verdict = self._numbers.check(sender, "", frame.number, frame.previous, sent_at=frame.sent_at, now=now)
        if verdict not in ("new", "gap"):
            self.node.refused(self, verdict)
            return
        missed = verdict == "gap"
        known = self._peers.knows(sender)
        if not known and (missed or sender in self._missed):
            is_beat = len(message) > 1 and message[1] == Kind.BEAT
            missed = is_beat
            (self._missed.discard if is_beat else self._missed.add)(sender)
        self._peers.heard(sender, message, missed=missed)
        if not known and self._peers.knows(sender):  # it is new, and knows this node at once, too
            self.send(sender, self._peers.beat(0))

    def _ended(self, _: Pid) -> None:
        self._process = None
        for wire, _channel, frame in self._inbox:
            if wire is not None:
                wire.waiting -= len(frame)
        self._inbox.clear()
        self._network.disconnect(self, told=not self.killed)
        del self._peers, self._numbers
