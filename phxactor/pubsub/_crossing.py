"""What crosses from node to node, and how: the way of a broadcast out of this node, and into it.

    broadcast ──▶ subscribers here, first and always
              └─▶ Crossing of the dispatcher: prepare, encode ──▶ LocalNode.publish
    LocalNode ──▶ Receiver: the PubSub of the message's scope, its subscribers ──▶ decode ──▶ the same dispatcher

No function crosses: a dispatcher that has no `Crossing` stays on this node. The kinds of messages are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.pubsub._measuring import spans
from phxactor.telemetry import brief

if TYPE_CHECKING:
    from phxactor.cluster import LocalNode, Node
    from phxactor.pubsub._subscriber import Dispatcher
    from phxactor.pubsub._tables import Tables
    from phxactor.runtime import Pid, Runtime

KINDS: Final = (Kind.BROADCAST, Kind.BINARY, Kind.DATA, Kind.TRACE)
"""The kinds of messages that a PubSub takes from other nodes."""


@attrs.frozen(eq=False)
class Crossing:
    """How what one dispatcher hands out crosses to other nodes."""

    dispatcher: Dispatcher
    """Hands out what `prepare` returns, and what `decode` returns."""
    kinds: tuple[Kind, ...]
    """The kinds of its messages."""
    prepare: Callable[[object], object]
    """Returns what the subscribers here get, for a message that is about to be broadcast."""
    encode: Callable[[str, str, object], Message | None]
    """Returns the envelope of a prepared message, for a scope and a topic. None: it does not cross, as has been told.

    May raise TypeError or ValueError: the caller's mistake. The subscribers here have the message already.
    """
    refuse: Callable[[object, EnvelopeError], None]
    """Takes a prepared message that no envelope can hold as its topic or event is no text: raises, or tells."""
    decode: Callable[[Message, Node | None], object]
    """Returns what the dispatcher hands out, for the message of a node, or of an emitter (None).

    Raises EnvelopeError for a message that is none.
    """


_BY_DISPATCHER: Final[dict[int, Crossing]] = {}
_BY_KIND: Final[dict[int, Crossing]] = {}


def crossing(made: Crossing) -> None:
    """Have what a dispatcher hands out cross to other nodes from now on. Each kind has one dispatcher."""
    _BY_DISPATCHER[id(made.dispatcher)] = made  # a dispatcher need not be hashable
    _BY_KIND.update(dict.fromkeys(made.kinds, made))


# --------------------------------------------------------------------------------------------------------- outward


def broadcast(tables: Tables, topic: str, left_out: Pid | None, message: object, dispatcher: Dispatcher) -> None:
    """Hand a message to the subscribers here except `left_out`, then to all other nodes.

    Raises, after the subscribers here have it:
        ValueError: it is larger than the cluster takes.
        TypeError: it cannot cross, by its crossing's rules.

    """
    across = _BY_DISPATCHER.get(id(dispatcher))
    if across is not None:
        message = across.prepare(message)
    found = tables.topics.get(topic)
    if found is not None:
        dispatcher(list(found), left_out, message)
    if across is None:
        return
    try:
        envelope = across.encode(tables.scope, topic, message)
        if envelope is None:
            return
        _node_of(tables).publish(envelope)
    except EnvelopeError as error:
        _refuse(across, topic, message, error)
    else:
        tables.sent += 1


def send(tables: Tables, to: Node, topic: str, message: object, dispatcher: Dispatcher) -> bool:
    """Hand a message to the subscribers on one other node. Returns whether there is a way to it.

    Raises TypeError and ValueError as `broadcast` does, and TypeError if the dispatcher does not cross.
    """
    across = _BY_DISPATCHER.get(id(dispatcher))
    if across is None:
        raise TypeError(f"the dispatcher {brief(dispatcher)} does not cross to other nodes: use local_broadcast")
    message = across.prepare(message)
    try:
        envelope = across.encode(tables.scope, topic, message)
        if envelope is None or not _node_of(tables).send(to.id, envelope):
            return False
    except EnvelopeError as error:
        _refuse(across, topic, message, error)
        return False
    tables.sent += 1
    return True


def _node_of(tables: Tables) -> LocalNode:
    assert tables.node is not None  # noqa: S101 - callers ask before
    return tables.node


def _refuse(across: Crossing, topic: str, message: object, error: EnvelopeError) -> None:
    if error.fault != "size":
        across.refuse(message, error)
        return
    raise ValueError(
        f"a broadcast to {topic!r:.100} is too large for other nodes, so they do not get it: {error}. Send less, or "
        "raise max_message_bytes of the cluster"
    ) from None


# ---------------------------------------------------------------------------------------------------------- inward


@attrs.frozen
class Receiver:
    """Hands what other nodes and emitters send to the PubSubs of a runtime: the handler of their kinds of messages."""

    runtime: Runtime
    find: Callable[[str, Runtime], Tables | None]
    """Returns the tables of the PubSub that runs under a name."""

    def __call__(self, sender: Node | None, message: Message) -> None:
        """Take the message of a node, or of an emitter (None).

        Raises EnvelopeError for a payload that is none, and what a dispatcher raises: for one, a serializer of the
        program. LocalNode counts the one, and tells the other.
        """
        tables = self.find(message.scope, self.runtime)
        if tables is None:
            return
        found = tables.topics.get(message.topic)
        if found is None:  # its last subscriber has left
            return
        across = _BY_KIND.get(message.kind)
        if across is None:  # a broadcast to channels, and this program has not even imported them
            return
        decoded = across.decode(message, sender)
        if spans.on:
            if message.kind == Kind.TRACE:
                return
            hand_out = partial(across.dispatcher, list(found), None, decoded)
            tables.received += 1
            spans.around(tables, message.topic, None, decoded, hand_out, crosses=False, sender=sender, origin="node")
            return
        tables.received += 1
        across.dispatcher(list(found), None, decoded)
