"""Replication: what this node tells the trackers of other nodes, and what it makes of what they tell.

    a change here ──▶ a delta to all, at once; then at most one each `PERIOD`
    a node is up  ──▶ ask it for its state, and tell it how far this one is
    a gap, a beat that is ahead, a delta beyond a gap ──▶ ask that node for what is missing; again each second
    a node is silent ──▶ its elements are hidden; it is back ──▶ shown again, with what has changed, in one diff
    a node has left or is lost, a tracker says goodbye ──▶ its elements are forgotten

Each tracker tells of its own elements only, and the cluster's carriers say who is up: so there are no clocks to
compare, and no time of one node is ever compared with that of another (PR108a).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from phxactor.cluster import LocalNode, Node
from phxactor.envelope import Kind, Message
from phxactor.presence import _wire as wire
from phxactor.presence import events
from phxactor.presence._element import Changes, Element, Replica
from phxactor.presence._set import PresenceSet
from phxactor.runtime import Runtime, Timer

if TYPE_CHECKING:
    from phxactor.presence._publisher import Publisher

PERIOD: Final = 0.1
"""Seconds between two deltas at least."""
BEAT: Final = 15.0
"""Seconds between two beats of a tracker that has nothing to tell (PR90)."""
DOWN: Final = 3 * BEAT
"""Seconds without a sign of a tracker whose node is up, after which it counts as down (PR106)."""
AGAIN: Final = 1.0
"""Seconds after which a question is asked again."""
TRIES: Final = 5
"""How often a question is asked; then the next beat asks anew."""
FORGET: Final = 60.0
"""Seconds after which the hidden elements of a silent node are forgotten (PR107)."""


@final
class Replication:
    """Keeps one tracker's set equal on all nodes."""

    def __init__(self, name: str, known: PresenceSet, publisher: Publisher, node: LocalNode, life: int) -> None:
        """Start knowing no other tracker."""
        self._name: Final = name
        self._set: Final = known
        self._publisher: Final = publisher
        self._node: Final = node
        self._runtime: Final[Runtime] = node.runtime
        self._life: Final = life
        self._told = 0
        """The number of the last event that all others have been told of."""
        self._last = float("-inf")
        """When that was."""
        self._due: Timer | None = None
        """Sends the next delta, at the end of this pass or of the period."""
        self._names: dict[bytes, str] = {}
        """The names of the nodes in `_lives`, for people."""
        self._lives: dict[bytes, int] = {}
        """The life of each other tracker that is known, by the id of its node."""
        self._heard: dict[bytes, float] = {}
        self._over: dict[bytes, int] = {}
        """The life that has said goodbye, by node: what is heard of it later is ignored (PR104)."""
        self._asked: dict[bytes, int] = {}
        """The nodes that have been asked and have not answered, with how often they were asked."""
        self._asking: Timer | None = None
        self._silent: dict[bytes, float] = {}
        """The nodes that are down and may come back, or are up again and have not answered yet; since when."""
        self._beaten = self._runtime.now()

    # ------------------------------------------------------------------------------------------- own events

    def changed(self) -> None:
        """Note that something has changed here: a delta goes out at the end of this pass, or of the period."""
        if self._due is None:
            wait = self._last + PERIOD - self._runtime.now()
            self._due = self._runtime.timers.add(max(0.0, wait), self._tell, None)

    def _tell(self, _: None) -> None:
        self._due = None
        if self._told == self._set.number:
            return
        self._last = self._runtime.now()
        told, self._told = self._told, self._set.number
        if self._node.nodes():
            for part in wire.deltas(self._life, self._set.since(told)):
                self._publish("delta", part)

    def beat(self) -> None:
        """Say that this tracker lives, and how far it is; forget who has been silent for too long."""
        now = self._runtime.now()
        late = now - self._beaten > BEAT + PERIOD + BEAT / 2
        self._beaten = now
        if self._node.nodes():
            self._publish("beat", wire.beat(self._life, self._set.number))
        if not late:  # else it was this node that was stopped, and what they have said still waits (PR109)
            for node_id in [one for one, heard in self._heard.items() if now - heard > DOWN]:
                self._forget(node_id)
        for node_id in [one for one, since in self._silent.items() if now - since > FORGET]:
            self._forget(node_id)

    def say_goodbye(self) -> None:
        """Tell all others that this tracker has ended (PR114)."""
        if self._node.nodes():
            self._publish("bye", wire.bye(self._life))

    def _publish(self, event: str, payload: bytes) -> None:
        try:
            self._node.publish_to_all(Message(Kind.PRESENCE, "", self._name, event, payload))
        except ValueError as error:
            self._not_sent(error)

    def _send(self, node_id: bytes, event: str, payload: bytes) -> None:
        try:
            self._node.send(node_id, Message(Kind.PRESENCE, "", self._name, event, payload))
        except ValueError as error:
            self._not_sent(error)

    def _not_sent(self, error: ValueError) -> None:
        if events.not_sent.handlers:
            events.not_sent.emit(presence=self._name, why=str(error))

    # ------------------------------------------------------------------------------------------ other nodes

    def start(self) -> None:
        """Say to all nodes that this life has begun, and ask them; for a tracker's process that begins (PR91)."""
        self.beat()
        for node in self._node.nodes():
            self.node_up(node)

    def node_up(self, node: Node) -> None:
        """Ask a node for its state, or for what has changed while it was silent; and say how far this one is."""
        if self._node.node(node.id) is not None:
            if node.id in self._silent:  # what it answers goes on from its hidden elements, so they stay until then
                self._silent[node.id] = self._runtime.now()
            self._send(node.id, "beat", wire.beat(self._life, self._set.number))
            self._ask(node.id)

    def node_down(self, node: Node, *, returns: bool, orderly: bool) -> None:
        """Hide the elements of a node that may return; forget those of another.

        After an orderly end of the node, its clients may come to other nodes.
        """
        if self._node.node(node.id) is not None:  # it is up again since
            return
        self._asked.pop(node.id, None)
        self._over.pop(node.id, None)
        life = self._lives.get(node.id)
        if life is None:
            return
        if returns:
            self._heard.pop(node.id, None)
            self._silent[node.id] = self._runtime.now()
            self._apply(self._set.down(replica_of(node.id, life)))
        else:
            self._forget(node.id, returns=orderly)

    def gap(self, node: Node | None) -> None:
        """Ask for what was lost: a node, or all of them."""
        for one in self._node.nodes() if node is None else [node]:
            self.node_up(one)

    def received(self, sender: Node, message: Message) -> None:
        """Take a message of another node's tracker; raises WireError if it is none."""
        said = wire.decode(message.event, message.payload)
        if said.event == "ask":
            after = said.after if said.life == self._life else 0
            for part in wire.deltas(self._life, self._set.since(after)):
                self._send(sender.id, "delta", part)
            return
        replica = self._hear(sender, said)
        if replica is None:
            return
        if said.event == "delta":
            changes = self._set.merge(said.delta(replica))
            if changes is None:
                self._ask(sender.id, anew=False)
                return
            if not said.more:
                self._asked.pop(sender.id, None)
                self._show(sender.id, replica, changes)
            self._apply(changes, returns=True)
        elif said.event == "beat":
            if said.upto > self._set.seen_of(replica):
                self._ask(sender.id, anew=False)
            else:
                changes = Changes()
                self._show(sender.id, replica, changes)
                self._apply(changes)
        else:
            self._forget(sender.id, returns=True)
            self._over[sender.id] = said.life or 0

    def _hear(self, sender: Node, said: wire.Said) -> Replica | None:
        """Note a sign of life; return the replica, or None if the message is of a life that is over (PR135)."""
        node_id, life = sender.id, said.life
        known = self._lives.get(node_id)
        if life is None or life < (known or 0) or life <= self._over.get(node_id, 0):
            return None
        if known != life:
            if known is not None:
                self._forget(node_id)
            self._lives[node_id] = life
            self._names[node_id] = sender.name
            self._set.up(replica_of(node_id, life))
        if node_id not in self._silent:
            self._heard[node_id] = self._runtime.now()
        return replica_of(node_id, life)

    def _show(self, node_id: bytes, replica: Replica, changes: Changes) -> None:
        """Show a tracker that was silent, now that its news are taken in: all of it is one diff (PR43)."""
        if self._silent.pop(node_id, None) is not None:
            self._heard[node_id] = self._runtime.now()
            changes.joins += self._set.up(replica).joins

    def _forget(self, node_id: bytes, *, returns: bool = False) -> None:
        life = self._lives.pop(node_id, None)
        self._names.pop(node_id, None)
        self._heard.pop(node_id, None)
        self._silent.pop(node_id, None)
        self._asked.pop(node_id, None)
        if life is not None:
            self._apply(self._set.permdown(replica_of(node_id, life)), returns=returns)

    def _ask(self, node_id: bytes, *, anew: bool = True) -> None:
        """Ask a node for what is missing of it; without `anew`, not while an answer is on its way."""
        if node_id in self._asked and not anew:
            return
        self._asked[node_id] = TRIES
        self._ask_once(node_id)
        if self._asking is None:
            self._asking = self._runtime.timers.add(AGAIN, self._ask_again, None)

    def _ask_once(self, node_id: bytes) -> None:
        self._asked[node_id] -= 1
        life = self._lives.get(node_id)
        after = 0 if life is None else self._set.seen_of(replica_of(node_id, life))
        self._send(node_id, "ask", wire.ask(life, after))

    def end(self) -> None:
        """Say and ask nothing more: the tables end."""
        for timer in (self._due, self._asking):
            if timer is not None:
                self._runtime.timers.discard(timer)

    def _ask_again(self, _: None) -> None:
        for node_id, tries in list(self._asked.items()):
            if tries:
                self._ask_once(node_id)
            else:
                del self._asked[node_id]
        self._asking = self._runtime.timers.add(AGAIN, self._ask_again, None) if self._asked else None

    def _apply(self, changes: Changes, *, returns: bool = False) -> None:
        """Have the clients of this node told: one diff for each topic. `returns`: those who leave may come back."""
        topics: dict[str, Changes] = {}
        for element in changes.joins:
            _of(topics, element).joins.append(element)
        for element in changes.leaves:
            _of(topics, element).leaves.append(element)
        for topic, one in topics.items():
            self._publisher.changed(topic, one.joins, one.leaves, now=False, returns=returns)

    # ---------------------------------------------------------------------------------------------- looking

    def replicas(self) -> dict[str, str]:
        """Return the names of the nodes whose trackers are known, with `"up"` or `"silent"`."""
        return {name: "silent" if node_id in self._silent else "up" for node_id, name in self._names.items()}


def _of(topics: dict[str, Changes], element: Element) -> Changes:
    found = topics.get(element.topic)
    if found is None:
        found = topics[element.topic] = Changes()
    return found


def replica_of(node_id: bytes, life: int) -> Replica:
    """Return the name of a life of a node's tracker."""
    return f"{node_id.hex()}/{life}"
