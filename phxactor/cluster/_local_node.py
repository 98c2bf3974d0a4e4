"""LocalNode: this node as it takes part in a cluster. It is the state of one runtime, without a process of its own.

The supervisor of the cluster holds it in its process dictionary, where `LocalNode.found` finds it. PubSub and others
hand it messages and handlers; carriers hand it what comes (see `_carrier`). All functions are synchronous, but
`confirmed`, and are for the runtime's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

from phxactor.cluster import events
from phxactor.cluster._carriers import Carriers
from phxactor.cluster._handlers import Handler, Handlers
from phxactor.cluster._node import Node
from phxactor.cluster._statistics import Health, NodeStatistics
from phxactor.cluster._view import View
from phxactor.cluster._watching import Watching
from phxactor.envelope import MAX_MESSAGE_BYTES, EnvelopeError, Message, decode, encode, lane_of

if TYPE_CHECKING:
    from phxactor.cluster._carrier import Carrier, DownReason
    from phxactor.runtime import Pid, Runtime

NAME: Final = "cluster"
"""The registered name of the cluster's supervisor."""


@final
class LocalNode:
    """This node, as it takes part in a cluster."""

    def __init__(
        self,
        runtime: Runtime,
        identity: Node,
        carriers: Sequence[Carrier],
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        secret: str | None = None,
    ) -> None:
        """Prepare a node; nothing runs yet. Raises ValueError if two carriers have one name."""
        self.runtime: Final = runtime
        self.identity: Final = identity
        """The node that others see."""
        self.id: Final = identity.id
        self.max_message_bytes: Final = max_message_bytes
        """Bytes of an encoded message at most, in both directions."""
        self.secret: Final = secret
        """What the nodes of the cluster share; None if the program has given nothing."""
        self.dropped_so_far = 0
        """How many messages carriers could not send."""
        self.view = View()
        self._carriers = Carriers(runtime, carriers, self.view)
        self._watching = Watching(runtime, self._carriers.by_name)
        self._handlers = Handlers()

    @staticmethod
    def found(runtime: Runtime) -> LocalNode | None:
        """Return the node of a runtime; None if the runtime takes part in no cluster."""
        supervisor = runtime.names.whereis(NAME)
        if supervisor is None or supervisor.dictionary is None:
            return None
        node = supervisor.dictionary.get(LocalNode)
        return node if isinstance(node, LocalNode) else None

    def __repr__(self) -> str:
        """Show its identity."""
        return f"<LocalNode {self.identity.name} {self.id.hex()[:8]}>"

    # --------------------------------------------------------------------------------------- for programs

    def nodes(self) -> list[Node]:
        """List the other nodes that are up, the longest known first."""
        return list(self.view.nodes.values())

    def node(self, node_id: bytes) -> Node | None:
        """Return the other node with this id; None if it is not up."""
        return self.view.nodes.get(node_id)

    def reached(self, carrier: str) -> list[Node]:
        """List the other nodes that a carrier reaches."""
        return [self.view.nodes[node_id] for node_id in self.view.reached(carrier)]

    def health(self) -> Health:
        """Return whether all carriers can carry."""
        return self._carriers.health()

    def statistics(self) -> NodeStatistics:
        """Return the current counts."""
        return NodeStatistics(
            nodes=len(self.view.nodes),
            lanes=len(self._watching.lanes),
            unconfirmed=self._watching.unconfirmed,
            carriers=self._carriers.statistics(),
        )

    def monitor(self, pid: Pid, *, gaps: bool = True) -> None:
        """Put NodeUp, NodeDown and, with `gaps`, Gap into the mailbox of a process, until it ends."""
        self.view.monitors.add(pid, gaps=gaps)

    def demonitor(self, pid: Pid) -> None:
        """Undo `monitor`."""
        self.view.monitors.remove(pid)

    # ------------------------------------------------------------------------------------------- messages

    def handle(self, kind: int, handler: Handler) -> None:
        """Have a function called with each message of a kind, in the step of the carrier's process.

        Raises ValueError if another function has the kind.
        """
        self._handlers.add(kind, handler)

    def unhandle(self, kind: int, handler: Handler) -> None:
        """Undo `handle`; for one who ends before the cluster does."""
        self._handlers.remove(kind, handler)

    def encode(self, message: Message) -> bytes:
        """Return the bytes of a message, for `publish_encoded`. Raises ValueError if it is too large, or not text."""
        return encode(message, self.max_message_bytes)

    def publish(self, message: Message) -> None:
        """Send a message to the other nodes that watch its scope and topic. Never waits, and tells of no failure.

        Raises ValueError if it is too large.
        """
        self.publish_encoded(lane_of(message.scope, message.topic), self.encode(message))

    def publish_encoded(self, lane: str, message: bytes) -> None:
        """Do as `publish`, with bytes that `encode` has made and the lane of its scope and topic (`lane_of`)."""
        carriers = self._carriers
        for one in carriers.there:
            one.sent += 1
            one.sent_bytes += len(message)
            one.carrier.publish(lane, message)
        if len(carriers.there) != len(carriers.by_name):
            carriers.drop_for_those_away(len(message))

    def publish_to_all(self, message: Message) -> None:
        """Send a message to all other nodes, as `publish` does."""
        encoded = self.encode(message)
        carriers = self._carriers
        for one in carriers.there:
            one.sent += 1
            one.sent_bytes += len(encoded)
            one.carrier.publish_to_all(encoded)
        if len(carriers.there) != len(carriers.by_name):
            carriers.drop_for_those_away(len(encoded))

    def send(self, node_id: bytes, message: Message) -> bool:
        """Send a message to one other node. Returns whether there is a way to it; it may be lost all the same.

        Raises ValueError if it is too large.
        """
        encoded = self.encode(message)
        for one in self._carriers.there:
            if one.carrier.send(node_id, encoded):
                one.sent += 1
                one.sent_bytes += len(encoded)
                return True
        return False

    # ------------------------------------------------------------------------------------------- interest

    def watch(self, scope: str, topic: str) -> None:
        """Have messages of a topic brought here: PubSub calls this for the first subscriber.

        The carriers write at the end of this pass of the scheduler, of all new topics at once.
        """
        self._watching.watch(lane_of(scope, topic), self._carriers.names)

    def unwatch(self, scope: str, topic: str) -> None:
        """End that after a grace of 5 s: PubSub calls this after the last subscriber."""
        self._watching.unwatch(lane_of(scope, topic))

    def is_confirmed(self, scope: str, topic: str) -> bool:
        """Say whether `confirmed` would return at once."""
        return self._watching.is_confirmed(lane_of(scope, topic))

    async def confirmed(self, scope: str, topic: str) -> None:
        """Wait until each carrier that is not away has confirmed a topic that is watched, a second at most (CL15).

        From then on no message is missed that another node publishes on it.
        """
        await self._watching.confirmed(lane_of(scope, topic))

    def lanes(self) -> list[str]:
        """List all lanes that are watched: a carrier asks when it connects."""
        return list(self._watching.lanes)

    # --------------------------------------------------------------------------------- called by carriers

    def up(self, carrier: Carrier, node: Node) -> None:
        """Note that a carrier reaches a node; again changes nothing."""
        if node.id != self.id:
            self.view.up(carrier.name, node)

    def down(self, carrier: Carrier, node_id: bytes, reason: DownReason) -> None:
        """Note that a carrier reaches a node no longer; one that it did not reach changes nothing."""
        self.view.down(carrier.name, node_id, reason)

    def received(self, carrier: Carrier, sender_id: bytes, message: bytes) -> None:
        """Take a message that has come, in the order in which its sender published it. Raises nothing.

        What is wrong with it is counted, and it is dropped; so is a message of this node itself (CL11).
        """
        carriers = self._carriers
        if sender_id == self.id or not (carriers.is_one or carriers.brings(carrier, sender_id)):
            return
        if (one := carriers.by_name.get(carrier.name)) is None:  # the node has ended
            return
        one.received += 1
        one.received_bytes += len(message)
        one.last_heard = self.runtime.now()
        try:
            decoded = decode(message, self.max_message_bytes)
        except EnvelopeError as error:
            one.refuse(error.fault)
            return
        handler = self._handlers.get(decoded.kind)
        if handler is None:
            one.refuse("kind")
            return
        try:
            handler(self.view.nodes.get(sender_id), decoded)
        except EnvelopeError as error:
            one.refuse(error.fault)
        except Exception as error:  # noqa: BLE001 - the carrier's process must go on
            if events.handler_failed.handlers:
                events.handler_failed.emit(carrier=one.name, kind=decoded.kind, exception=error)

    def refused(self, carrier: Carrier, fault: str) -> None:
        """Count a message that the carrier has dropped; `fault` is one of few words, such as "forged"."""
        if (one := self._carriers.found(carrier)) is not None:
            one.refuse(fault)

    def gap(self, carrier: Carrier, sender_id: bytes | None, since: float) -> bool:
        """Note that messages of a node, or of all nodes of a carrier (None), were lost on their way here.

        `since` is when something was last heard before, in seconds of the runtime's clock. For a sender that is no
        node that is up, such as an emitter, None is told. Returns whether it is told: not if another carrier covers the
        sender, since it has brought everything.
        """
        if sender_id is not None and not self._carriers.brings(carrier, sender_id):
            return False
        if (one := self._carriers.found(carrier)) is not None:
            one.gaps += 1
            self.view.gap(carrier.name, sender_id, since, self.runtime.now())
        return True

    def away(self, carrier: Carrier, why: str) -> None:
        """Note that a carrier cannot carry; `why` is in words and holds no secret. Nobody waits for it any more.

        While it is away, another `why` replaces the one before. Each is told once: a Redis that was restarted with a
        password first closes the connection, and only the next try says what is wrong.
        """
        if self._carriers.away(carrier, why):
            self._watching.without(carrier.name)

    def back(self, carrier: Carrier) -> None:
        """Note that a carrier can carry, and has what `lanes` lists."""
        self._carriers.back(carrier)

    def watched(self, carrier: Carrier, lanes: Iterable[str]) -> None:
        """Note that from now on no message on these lanes is missed."""
        self._watching.watched(carrier.name, lanes)

    def dropped(self, carrier: Carrier, why: str, messages: int, size: int) -> None:
        """Count messages that could not go, of `size` bytes together; `why` is one of few words."""
        self.dropped_so_far += messages
        if (one := self._carriers.found(carrier)) is not None:
            one.drop(why, messages, size)

    def lost(self, carrier: Carrier) -> int:
        """Return how many messages a carrier could not send, for its beats."""
        one = self._carriers.found(carrier)
        return 0 if one is None else one.dropped

    def ended(self, carrier: Carrier, why: str | None) -> None:
        """Note that the process of a carrier has ended: what it reached is down, and it is away.

        With None it was told to end, as this node stops: nobody is told.
        """
        if why is not None:
            for node_id in self.view.reached(carrier.name):
                self.down(carrier, node_id, "lost")
            self.away(carrier, why)

    def start(self) -> None:
        """Start the node: from now on it tells of its traffic."""
        self._carriers.start()

    def end(self) -> None:
        """End the node with its supervisor: it says and hears nothing more, and nobody waits for it."""
        self._carriers.end()
        self.view.end()
        self._handlers.clear()
        self.view.monitors.end()
        self._watching.end()
