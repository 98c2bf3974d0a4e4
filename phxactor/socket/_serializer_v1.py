"""Phoenix's serializer for `vsn=1.0.0`, and for clients that send no `vsn`."""

from __future__ import annotations

from typing import Any, final

from orjson import dumps, loads

from phxactor.socket._mending import decode_mended
from phxactor.socket._messages import BINARY, TEXT, Broadcast, Message, Ref, Reply, SocketPush
from phxactor.socket._serializer import REF_TYPES, SMALL, DecodeError, check_depth, dumps_any_key, mistyped


@final
class V1JSONSerializer:
    """JSON objects in text frames (Phoenix 1.8.12 V1.JSONSerializer).

    A client sends `{"topic", "event", "payload", "ref"?, "join_ref"?}`. It gets `{"topic", "event", "payload",
    "ref"}`, without a join_ref; a reply has the event `phx_reply` and the payload `{"status", "response"}`.
    There are no binary messages.
    """

    __slots__ = ()

    def decode(self, data: bytes, opcode: int) -> Message:
        """Read a client's object.

        Raises:
            InvalidUTF8: the text is not UTF-8.
            Mistyped: topic or event is no string, a ref is neither string, number nor null; a topic or a ref has half a
                character.
            DecodeError: a binary frame, no JSON, a key is missing; arrays and objects nested more than 200 deep.

        """
        if opcode == BINARY:
            raise DecodeError("a binary frame, which a client of version 1 does not send", data)
        try:
            fields = loads(data)
        except ValueError as error:
            return decode_mended(self.decode, _addresses, data, error)
        try:
            topic = fields["topic"]
            event = fields["event"]
            payload = fields["payload"]
        except TypeError:
            raise DecodeError("not an object", data) from None
        except KeyError as error:
            raise DecodeError(f"an object without {error.args[0]!r}", data) from None
        ref = fields.get("ref")
        join_ref = fields.get("join_ref")
        if (
            type(topic) is not str
            or type(event) is not str
            or type(ref) not in REF_TYPES
            or type(join_ref) not in REF_TYPES
        ):
            check_depth(fields, data)
            raise mistyped(data, Message(topic, event, payload, ref, join_ref))
        if len(data) > SMALL:
            check_depth(fields, data)
        return Message(topic, event, payload, ref, join_ref)

    def encode(self, message: Message | Reply) -> SocketPush:
        """Write an object for one client.

        Raises:
            EncodeError: the payload is `bytes`, or no JSON.

        """
        if type(message) is Reply:
            response = {"status": message.status, "response": message.payload}
            return _write(message.topic, "phx_reply", response, message.ref)
        return _write(message.topic, message.event, message.payload, message.ref)

    def fastlane(self, broadcast: Broadcast) -> SocketPush:
        """Write a broadcast, an object whose `ref` is null.

        Raises:
            EncodeError: the payload is `bytes`, or no JSON.

        """
        return _write(broadcast.topic, broadcast.event, broadcast.payload, None)


def _write(topic: str, event: str, payload: object, ref: Ref) -> SocketPush:
    fields = {"topic": topic, "event": event, "payload": payload, "ref": ref}
    try:
        return SocketPush(TEXT, dumps(fields))
    except TypeError:
        return SocketPush(TEXT, dumps_any_key(fields, topic, event))


def _addresses(fields: dict[str, Any]) -> tuple[object, object, object]:
    """Return topic, ref and join_ref."""
    return fields["topic"], fields.get("ref"), fields.get("join_ref")
