"""Broadcasts to channels: encoded once for each serializer, and sent to the transports without waking the channels.

A channel subscribes to its topic with a `Fastlane`, through its transport. A broadcast whose event it does not
intercept goes to its transport at once, already encoded; only an intercepted one wakes the channel (Phoenix 1.8.12,
Channel.Server.dispatch). How a broadcast crosses to other nodes is in `_encoded`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from phxactor.envelope import Kind
from phxactor.pubsub import Crossing, crossing
from phxactor.socket import events
from phxactor.socket._encoded import Encoded, from_envelope, prepare, refuse, to_envelope
from phxactor.socket._messages import Broadcast, SocketPush
from phxactor.socket._serializer import EncodeError, Serializer

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.pubsub import PubSub, Subscriber
    from phxactor.runtime import Pid


@final
class Fastlane:
    """The metadata of a channel's subscription: its serializer, and the events that it intercepts.

    Channels with the same of both share one object (`fastlane`), so that a delivery compares one reference.
    """

    __slots__ = ("intercepts", "serializer")

    def __init__(self, serializer: Serializer, intercepts: frozenset[str]) -> None:
        """Keep both."""
        self.serializer = serializer
        self.intercepts = intercepts


fastlane: Final = lru_cache(maxsize=256)(Fastlane)
"""Returns the `Fastlane` of a serializer and intercepts; makes one the first time."""


def dispatch(subscribers: Iterable[Subscriber], left_out: Pid | None, message: Any) -> None:  # noqa: ANN401 - looked at
    """Hand a broadcast to subscribers: the `Dispatcher` of all that channels and endpoints broadcast.

    One that a serializer cannot encode is dropped for the clients of that serializer, with the event `unencodable`; it
    never hurts the broadcaster.
    """
    write = _WRITE.get(type(message))
    if write is None:
        raise TypeError(f"only a Broadcast can be broadcast to channels, not {message!r:.200}")
    event = message.event
    encoded: dict[Serializer, SocketPush | None] = {}
    last: object = encoded  # metadata of no subscriber
    fast = False
    push: SocketPush | None = None
    for subscriber in subscribers:
        if subscriber.pid is left_out:
            continue
        lane = subscriber.metadata
        if lane is not last:
            last, fast, push = lane, False, None
            if type(lane) is Fastlane and event not in lane.intercepts:
                fast = True
                if lane.serializer not in encoded:
                    encoded[lane.serializer] = write(lane.serializer, message)
                push = encoded[lane.serializer]
        if push is not None:
            subscriber.through.deliver(push)
        elif not fast:
            subscriber.pid.deliver(message if write is _write else message.decoded())


def _write(serializer: Serializer, message: Broadcast) -> SocketPush | None:
    try:
        push = serializer.fastlane(message)
        push.broadcast = True
        return push  # noqa: TRY300 - only the first line raises
    except EncodeError as error:
        if events.unencodable.handlers:
            events.unencodable.emit(topic=message.topic, event=message.event, why=str(error))
        return None


def _write_text(serializer: Serializer, message: Encoded) -> SocketPush | None:
    return _write(serializer, message.written_by(serializer))


_WRITE: Final[dict[type, Callable[[Serializer, Any], SocketPush | None]]] = {Broadcast: _write, Encoded: _write_text}

crossing(Crossing(dispatch, (Kind.BROADCAST, Kind.BINARY), prepare, to_envelope, refuse, from_envelope))


@attrs.frozen(eq=False, repr=False)
class Broadcaster:
    """Broadcasts to the channels of one PubSub: what an endpoint can do, as sockets and channels see it.

    A payload is what JSON can hold, or `bytes`. None of these waits, and none fails because of a subscriber or of
    another node. All raise NoProcessError while the PubSub does not run.

    Clients of this node get a broadcast first and in any case; other nodes get it at most once. A payload that is
    larger than the cluster's `max_message_bytes` raises ValueError after that, and other nodes do not get it. One that
    JSON cannot hold is dropped, with the event `phxactor.broadcast.unencodable`.
    """

    pubsub: PubSub

    @property
    def secret_key_base(self) -> str | None:
        """The secret of the endpoint, for tokens; None where there is no endpoint."""
        return None

    def broadcast(self, topic: str, event: str, payload: object) -> None:
        """Send an event to all subscribers of a topic, on all nodes."""
        self.pubsub.broadcast(topic, Broadcast(topic, event, payload), dispatch)

    def broadcast_from(self, pid: Pid, topic: str, event: str, payload: object) -> None:
        """Do as `broadcast`, but leave out one process of this node and its client."""
        self.pubsub.broadcast_from(pid, topic, Broadcast(topic, event, payload), dispatch)

    def local_broadcast(self, topic: str, event: str, payload: object) -> None:
        """Do as `broadcast`, on this node only."""
        self.pubsub.local_broadcast(topic, Broadcast(topic, event, payload), dispatch)

    def local_broadcast_from(self, pid: Pid, topic: str, event: str, payload: object) -> None:
        """Do as `broadcast_from`, on this node only."""
        self.pubsub.local_broadcast_from(pid, topic, Broadcast(topic, event, payload), dispatch)

    def direct_broadcast(self, node: Node, topic: str, event: str, payload: object) -> bool:
        """Send an event to all subscribers of a topic on one node; return whether there is a way to it now."""
        return self.pubsub.direct_broadcast(node, topic, Broadcast(topic, event, payload), dispatch)

    def subscribe(self, topic: str) -> None:
        """Have broadcasts to a topic sent to the current process, as `Broadcast` messages.

        `await endpoint.pubsub.confirmed(topic)` waits until other nodes know of it.
        """
        self.pubsub.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """End the current process's subscriptions to a topic."""
        self.pubsub.unsubscribe(topic)
