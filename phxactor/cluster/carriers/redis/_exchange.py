"""What one node says and hears over Redis: frames out of messages, and messages out of frames.

It has the state that outlives a connection: the numbers of messages, and whom the node knows. It does no I/O: the
process of the connection (`_connection_process`) gives it a dialogue while there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, final

from phxactor.cluster._numbers import Numbers
from phxactor.cluster._peers import Peers
from phxactor.cluster.carriers.redis._dialogue import Dialogue
from phxactor.cluster.carriers.redis._sent import Sent
from phxactor.cluster.carriers.redis._subscriptions import Subscriptions
from phxactor.envelope import (
    NOBODY,
    EnvelopeError,
    Frame,
    Seal,
    channel_of_all,
    channel_of_lane,
    channel_of_node,
)

if TYPE_CHECKING:
    from phxactor.cluster._carrier import Carrier
    from phxactor.cluster._local_node import LocalNode


STALE: Final = 0.5
"""Seconds after a silence within which Redis reads what was written on connections that have ended."""
_TAKEN: Final = frozenset({"new", "gap"})


@final
class Exchange:
    """The messages of one node over Redis."""

    def __init__(self, node: LocalNode, carrier: Carrier, prefix: str, seal: Seal, max_waiting: int) -> None:
        self.node: Final = node
        self.carrier: Final = carrier
        self.prefix: Final = prefix
        self.all: Final = channel_of_all(prefix)
        self.own: Final = channel_of_node(prefix, node.id)
        self.peers = Peers(node, carrier)
        self.lanes: Subscriptions | None = None
        """The lanes of the current connection."""
        self.dialogue: Dialogue | None = None
        """What is said on the current connection, once Redis has let us in."""
        self.wake: Callable[[], None] = _nothing
        """Wakes the task that writes."""
        self.is_running = False
        """Whether the process of the connection runs."""
        self.last_heard = node.runtime.now()
        """When something was last heard."""
        self.last_echo = self.last_heard
        """When something of this node's own came back: the connection carries both ways (CL25)."""
        self._echoed = 0
        """The number of the last message of this node's own that came back."""
        self.has_settled = False
        """Whether all lanes are subscribed on the current connection. Until then nothing of other nodes is taken: more
        could be lost after a gap that it tells."""
        self._hears_from = 0.0
        """Until then nothing of others is taken either."""
        self._told_lost = 0
        """How much the last beat said that was lost."""
        self._id: Final = node.id
        self._seal: Final = seal
        self._max_waiting: Final = max_waiting
        self._sent: Final = Sent()
        self._numbers: Final = Numbers(always=self.all)

    # -------------------------------------------------------------------------------------------- to say

    def publish(self, channel: bytes, message: bytes) -> None:
        """Publish a message of another room, unless too much waits: what is over the limit is dropped and counted."""
        dialogue = self.dialogue
        if dialogue is None:
            self.node.dropped(self.carrier, "away", 1, len(message))
        elif dialogue.unanswered + len(message) > self._max_waiting:
            self.node.dropped(self.carrier, "full", 1, len(message))
        else:
            dialogue.publish(channel, self._frame(channel, message))
            self.wake()

    def publish_to_lane(self, lane: str, message: bytes) -> None:
        """Publish a message to the nodes that watch a lane."""
        self.publish(self._channel(lane), message)

    def send(self, to: bytes, message: bytes) -> bool:
        """Publish a message to one node. Returns whether it was heard lately."""
        if not self.peers.knows(to):
            return False
        self.publish(channel_of_node(self.prefix, to), message)
        return True

    def tell(self, channel: bytes, message: bytes) -> None:
        """Publish a beat or a goodbye, which nobody counts."""
        if self.dialogue is not None:
            self.dialogue.publish(channel, self._frame(channel, message), counted=False)
            self.wake()

    def beat(self) -> None:
        """Say that this node lives. It comes back, so it is also the probe to oneself.

        While other rooms cannot publish yet, it does not say how much more was lost: more may follow.
        """
        if self.has_settled:
            self._told_lost = self.node.lost(self.carrier)
        self.tell(self.all, self.peers.beat(self._told_lost))

    def _channel(self, lane: str) -> bytes:
        return channel_of_lane(self.prefix, lane)

    def _frame(self, channel: bytes, message: bytes) -> bytes:
        number, previous = self._sent.next(channel)
        return self._seal.seal(channel, Frame(self._id, number, previous, time.time_ns() // 1_000_000, message))

    # ------------------------------------------------------------------------------------------- to hear

    def hears(self, channel: bytes, payload: bytes) -> None:
        """Take what Redis brings. Whatever is wrong with it is counted, and it is dropped."""
        now = self.last_heard = self.node.runtime.now()
        try:
            frame = self._seal.open(channel, payload)
        except EnvelopeError as error:
            self.node.refused(self.carrier, error.fault)
            return
        sender = frame.sender
        if sender == self._id:
            self._echoes(frame.number, now)
            return
        if not self.has_settled or now < self._hears_from:
            self.peers.alive(sender)
            return
        if sender == NOBODY:
            self.node.received(self.carrier, sender, frame.message)
            return
        verdict = self._numbers.check(
            sender, channel, frame.number, frame.previous, sent_at=frame.sent_at, now=time.time_ns() // 1_000_000
        )
        if verdict in _TAKEN:
            self._take(sender, frame.message, missed=verdict == "gap")
        else:
            self.node.refused(self.carrier, verdict)

    def _echoes(self, number: int, now: float) -> None:
        """Take a message of this node's own. It proves that the connection carries, unless somebody plays it again."""
        if self._echoed < number <= self._sent.number:
            self._echoed = number
            self.last_echo = now
        else:
            self.node.refused(self.carrier, "replayed")

    def _take(self, sender: bytes, message: bytes, *, missed: bool) -> None:
        known = self.peers.knows(sender)
        if self.peers.heard(sender, message, missed=missed):
            self._numbers.cover(sender)
        if not known and self.peers.knows(sender):  # it shall not wait for the next second to know of this node
            self.tell(channel_of_node(self.prefix, sender), self.peers.beat())

    # ------------------------------------------------------------------------------------------ watching

    def watch(self, lanes: Iterable[str]) -> None:
        """Subscribe lanes on the current connection; the next one asks for all that are watched."""
        if self.lanes is not None and self.dialogue is not None:
            for lane in lanes:
                self.lanes.watch(lane)
            self.wake()  # whoever writes asks for all lanes of this pass

    def unwatch(self, lanes: Iterable[str]) -> None:
        """Unsubscribe lanes."""
        self._numbers.forget(map(self._channel, lanes))
        if self.lanes is not None and self.dialogue is not None:
            for lane in lanes:
                self.lanes.unwatch(lane)
            self.wake()

    # --------------------------------------------------------------------------------------- connections

    def restart(self) -> None:
        """Know no other node: the process of the connection starts, or starts again."""
        self.peers = Peers(self.node, self.carrier)

    def begin(self, dialogue: Dialogue, wake: Callable[[], None]) -> None:
        """Begin with a connection on which this node hears its own channels."""
        self.dialogue = dialogue
        self.wake = wake
        self.last_heard = self.last_echo = self.node.runtime.now()
        self.lanes = Subscriptions(self._channel, self.node.lanes())
        dialogue.begin(self.lanes)

    def settle(self, lost_at: float | None, *, was_silent: bool) -> None:
        """Begin to take what others say, and let other rooms publish: all lanes are subscribed.

        `lost_at` is when something was last heard on the connection before; None if nothing can have been missed. With
        `was_silent` a Redis that stood still may first bring what others wrote before they too left: that is passed
        over, since its senders have lost more since then, and a gap would be told before their last loss.
        """
        self.has_settled = True
        if lost_at is not None:
            self.peers.reconnected(lost_at)
            if was_silent:
                self._hears_from = self.node.runtime.now() + STALE
        self.node.back(self.carrier)
        self.beat()  # before anything else: it tells what was lost

    def watched(self, lanes: list[str]) -> None:
        """Tell that Redis has confirmed lanes."""
        self.node.watched(self.carrier, lanes)

    def refused(self, why: str, size: int) -> None:
        """Count a message that Redis did not publish."""
        self.node.dropped(self.carrier, why, 1, size)

    def end(self) -> None:
        """End with a connection: what Redis has not answered may be lost, and counts as lost."""
        dialogue, self.dialogue, self.lanes = self.dialogue, None, None
        self.has_settled = False
        self.wake = _nothing
        if dialogue is not None:
            messages, size = dialogue.lost()
            if messages:
                self.node.dropped(self.carrier, "connection", messages, size)
        self._sent.claim_nothing()
        self._numbers.restart()


def _nothing() -> None:
    pass
