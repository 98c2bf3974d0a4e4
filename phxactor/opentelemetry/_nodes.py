"""Traces from node to node: a message of its own goes before a broadcast, so that the broadcast is as it always was.

The kind TRACE names scope, topic and event of the broadcast that follows, and its payload is a W3C `traceparent`. What
one node sends on a topic arrives in order. Nodes without this program drop the kind and count it (docs/envelope.md).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.trace import SpanContext

from phxactor.cluster import LocalNode, Node
from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.opentelemetry._w3c import MAX_PARENT, read, write
from phxactor.pubsub import Crossing, crossing
from phxactor.runtime import current_runtime

MOST: Final = 1000
"""Contexts of broadcasts that have not come yet."""
_expected: Final[OrderedDict[tuple[bytes, str, str], SpanContext]] = OrderedDict()


def send(pubsub: str, topic: str, event: str | None, context: SpanContext) -> None:
    """Tell other nodes which trace the next broadcast belongs to."""
    node = LocalNode.found(current_runtime())
    if node is not None:
        try:
            node.publish(Message(Kind.TRACE, pubsub, topic, event or "", write(context).encode()))
        except (EnvelopeError, ValueError):
            return  # the topic is no text: the broadcast tells


def expected(sender: Node | None, pubsub: str, topic: str) -> SpanContext | None:
    """Return the context of a broadcast that another node has sent, if it has told of one."""
    return None if sender is None else _expected.pop((sender.id, pubsub, topic), None)


def listen() -> None:
    """Take the contexts that other nodes send, from now on."""
    crossing(Crossing(_nowhere, (Kind.TRACE,), _itself, _no_envelope, _refuse, _expect))


def _expect(message: Message, sender: Node | None) -> None:
    context = read(message.payload[: MAX_PARENT + 1].decode("latin-1"))
    if context is None or sender is None or not context.trace_flags.sampled:
        return
    while len(_expected) >= MOST:
        _expected.popitem(last=False)
    _expected[sender.id, message.scope, message.topic] = context


def _nowhere(_: Iterable[Any], __: object, ___: object) -> None:
    """Hand nothing out."""


def _itself(message: object) -> object:
    return message


def _no_envelope(_: str, __: str, ___: object) -> None:
    """Nobody broadcasts one."""


def _refuse(_: object, __: EnvelopeError) -> None:
    """Nobody broadcasts one."""
