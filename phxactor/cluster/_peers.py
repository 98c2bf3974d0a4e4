"""Peers: what a carrier knows of the nodes that it reaches. It sends and reads beats, and tells LocalNode.

    each second             publish_to_all(peers.beat()); then, once all that has come is read, peers.judge()
    each message            peers.heard(sender, message, missed=...)      in the order in which it came
    a line has ended        peers.gone(sender, "lost")
    the carrier was away    peers.reconnected(since)                      it missed what was said meanwhile
    at the end              publish_to_all(peers.goodbye())

Each loss becomes one gap for each sender: what was missed while the carrier was away is told when the sender is heard
again, since only then a question to it would be answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from phxactor.cluster._beats import SILENT, Beat, Beats
from phxactor.cluster._node import Node
from phxactor.envelope import VERSION, EnvelopeError, Kind, Message, decode, encode

if TYPE_CHECKING:
    from phxactor.cluster._carrier import Carrier, DownReason
    from phxactor.cluster._local_node import LocalNode

MOST: Final = 4096
"""Nodes that one node knows by a carrier at most: beats of others are refused."""
_GOODBYE: Final = encode(Message(Kind.GOODBYE, "", "", "", b""))
_OWN_KINDS: Final = (Kind.BEAT, Kind.GOODBYE)


@final
class Peers:
    """The nodes that a carrier reaches, by what they say."""

    def __init__(self, node: LocalNode, carrier: Carrier) -> None:
        """Start without nodes; the carrier makes a new one whenever its process starts."""
        self._node = node
        self._carrier = carrier
        self._beats = Beats(node.runtime.now())
        self._owed: dict[bytes, float] = {}
        """Senders of which messages were missed, and since when; told when they are heard."""
        self._silent: dict[bytes, tuple[float, int | None]] = {}
        """Nodes that went silent, the oldest first: when each was last heard, and how much it had lost by then."""
        self._untold: tuple[float, float] | None = None
        """When the carrier came back, and since when messages were missed; None once anybody was told of it."""

    # ------------------------------------------------------------------------------------------ to send

    def beat(self, lost: int | None = None) -> bytes:
        """Return a beat to send to all: each second, and before anything else after a loss.

        `lost` are the messages that could not go so far; by default all that the carrier has told by `node.dropped`.
        """
        beat = Beat(self._node.identity.name, self._node.lost(self._carrier) if lost is None else lost)
        return encode(Message(Kind.BEAT, "", "", "", beat.encode()))

    def goodbye(self) -> bytes:
        """Return what to send to all at an orderly end."""
        return _GOODBYE

    # ---------------------------------------------------------------------------------------- what comes

    def heard(self, sender: bytes, message: bytes, *, missed: bool = False) -> bool:
        """Take a message; with `missed`, something that its sender said before it did not come.

        Returns whether a gap was told for it: then all that the sender has lost until this message is told.
        """
        if sender == self._node.id:
            return False
        beats, now = self._beats, self._node.runtime.now()
        since = beats.heard.get(sender, now)
        if self._silent and sender in self._silent:
            since = self._silent[sender][0]
        if len(message) > 1 and message[0] == VERSION and message[1] in _OWN_KINDS:
            try:
                missed |= self._noted(sender, decode(message, self._node.max_message_bytes), now)
            except EnvelopeError as error:
                self._node.refused(self._carrier, error.fault)
            message = b""
        elif sender in beats.heard:
            beats.heard[sender] = now
        if self._owed and sender in self._owed and sender in beats.heard:  # up, or nobody would be told
            since, missed = self._owed.pop(sender), True
        if missed and self._node.gap(self._carrier, sender, beats.missed_since(since, now)):
            self._untold = None
        if message:
            self._node.received(self._carrier, sender, message)
        return missed

    def _noted(self, sender: bytes, message: Message, now: float) -> bool:
        """Take a beat or a goodbye. Returns whether the sender says that it has lost messages."""
        if message.kind == Kind.GOODBYE:
            self.gone(sender, "left")
            return False
        beat = Beat.decode(message.payload)
        beats = self._beats
        if sender in beats.heard:
            return beats.beat(sender, beat.lost, now)
        if len(beats.heard) >= MOST:
            self._node.refused(self._carrier, "many")
            return False
        _, before = self._silent.pop(sender, (now, None))
        beats.beat(sender, beat.lost, now)
        self._node.up(self._carrier, Node(sender, beat.name))
        return before is not None and beat.lost > before

    def alive(self, sender: bytes) -> None:
        """Note a sign of life of a node whose messages cannot be taken yet."""
        if sender in self._beats.heard:
            self._beats.heard[sender] = self._node.runtime.now()

    def knows(self, sender: bytes) -> bool:
        """Say whether this node is heard."""
        return sender in self._beats.heard

    def gone(self, sender: bytes, reason: DownReason) -> None:
        """Note that a node cannot be heard any more: it said goodbye, or its line has ended."""
        self._beats.forget(sender)
        self._owed.pop(sender, None)
        self._silent.pop(sender, None)
        self._node.down(self._carrier, sender, reason)

    def judge(self) -> None:
        """Find the nodes that are silent. To be called each second, after all that has come was read."""
        now = self._node.runtime.now()
        for sender in self._beats.silent(now):
            heard = self._beats.heard[sender]
            self._silent[sender] = heard, self._beats.forget(sender)
            if len(self._silent) > MOST:
                oldest = next(iter(self._silent))
                del self._silent[oldest]
                self._owed.pop(oldest, None)
            self._node.down(self._carrier, sender, "silent")
        if self._untold is not None and now - self._untold[0] >= SILENT:
            since, self._untold = self._untold[1], None
            self._node.gap(self._carrier, None, since)

    def missed_since(self, heard: float) -> float:
        """Return since when something may be missed of all nodes, of which something was `heard` last."""
        return self._beats.missed_since(heard, self._node.runtime.now())

    def reconnected(self, since: float) -> None:
        """Note that messages of all nodes may have been missed since then. Call it before `node.back`.

        Each node that is or was known is told as one gap when it is heard. If there is none, or none is heard in 5 s,
        one gap of nobody is told, since an emitter may have said something.
        """
        owed = [*self._beats.heard, *self._silent]
        for sender in owed:
            self._owed.setdefault(sender, since)
            self._beats.forget_lost(sender)
        if owed:
            self._untold = self._node.runtime.now(), since
        else:
            self._node.gap(self._carrier, None, since)
