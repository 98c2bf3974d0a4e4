"""A broadcast whose payload is JSON text: on its way to other nodes, or come from one.

The sender's node turns a payload into JSON once. Phoenix's serializers put that text into their frames, here and on
other nodes. It is decoded for those only who need the value: a channel that intercepts the event, a subscribed process,
a serializer of the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from orjson import Fragment, JSONDecodeError, dumps, loads

from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.socket import events
from phxactor.socket._messages import Broadcast
from phxactor.socket._serializer import EncodeError, Serializer, dumps_any_key
from phxactor.socket._serializer_v1 import V1JSONSerializer
from phxactor.socket._serializer_v2 import V2JSONSerializer

if TYPE_CHECKING:
    from phxactor.cluster import Node

TAKE_TEXT: Final[frozenset[type]] = frozenset({V1JSONSerializer, V2JSONSerializer})
"""The serializers that write a payload as it is."""


@final
class Encoded:
    """A broadcast with the JSON text of its payload; `whole` is the broadcast itself, once it is known."""

    __slots__ = ("_for_text", "event", "text", "topic", "whole")

    def __init__(self, topic: str, event: str, text: bytes, whole: Broadcast | None = None) -> None:
        self.topic = topic
        self.event = event
        self.text = text
        self.whole = whole
        self._for_text: Broadcast | None = None

    def decoded(self) -> Broadcast:
        """Return the broadcast, for a process; decoded once. Raises JSONDecodeError if the text is not JSON."""
        if self.whole is None:
            self.whole = Broadcast(self.topic, self.event, loads(self.text))
        return self.whole

    def written_by(self, serializer: Serializer) -> Broadcast:
        """Return the broadcast as a serializer takes it."""
        if type(serializer) not in TAKE_TEXT:
            return self.decoded()
        if self._for_text is None:
            self._for_text = Broadcast(self.topic, self.event, Fragment(self.text))
        return self._for_text


def prepare(message: object) -> Encoded | Broadcast:
    """Return what subscribers here get of a broadcast that crosses: with its text, if it has one.

    Raises TypeError if it is no Broadcast.
    """
    if type(message) is not Broadcast:
        raise TypeError(f"only a Broadcast can be broadcast to channels, not {message!r:.200}")
    payload = message.payload
    if isinstance(payload, bytes):
        return message
    try:
        text = dumps(payload)
    except TypeError:
        try:
            text = dumps_any_key(payload, message.topic, message.event)
        except EncodeError:
            return message  # the serializers of the clients refuse it, too
    return Encoded(message.topic, message.event, text, message)


def to_envelope(scope: str, topic: str, message: object) -> Message | None:
    """Return the envelope of a prepared broadcast; None, with the event `unencodable`, if JSON cannot hold it."""
    if type(message) is Encoded:
        return Message(Kind.BROADCAST, scope, topic, message.event, message.text)
    assert type(message) is Broadcast  # noqa: S101 - see `prepare`
    if isinstance(message.payload, bytes):
        return Message(Kind.BINARY, scope, topic, message.event, message.payload)
    try:
        dumps_any_key(message.payload, topic, message.event)
    except EncodeError as error:  # as in `prepare`; now it is known that the subscribers here have it
        _tell(message, str(error))
    return None


def refuse(message: object, error: EnvelopeError) -> None:
    """Drop a broadcast whose topic or event is no text, with the event `unencodable`."""
    _tell(message, str(error))


def from_envelope(message: Message, sender: Node | None) -> Broadcast | Encoded:
    """Return the broadcast of another node. That of an emitter is decoded at once: nobody knows what it wrote.

    Raises EnvelopeError if the payload of an emitter is not JSON.
    """
    if message.kind == Kind.BINARY:
        return Broadcast(message.topic, message.event, message.payload)
    made = Encoded(message.topic, message.event, message.payload)
    if sender is None:
        try:
            made.decoded()
        except JSONDecodeError:
            raise EnvelopeError("json", "the payload of a broadcast is not JSON") from None
    return made


def _tell(message: object, why: str) -> None:
    if events.unencodable.handlers:
        fields: dict[str, object] = {"topic": None, "event": None}
        if isinstance(message, Encoded | Broadcast):
            fields = {"topic": message.topic, "event": message.event}
        events.unencodable.emit(**fields, why=f"{why}; other nodes do not get it")
