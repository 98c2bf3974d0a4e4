"""A client that never waits: what it sends is there at once, and what it got is taken at once.

`websockets`' sans-I/O client makes the handshake and the frames, and checks those of the server.
"""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlencode

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.uri import parse_uri

from tests.protocol.steps import Close, End, Garbage, Message, Open, Ping, Sent, canonical
from tests.protocol.wires import Wire
from tests.protocol.world import MAX_FRAME
from tests.transport.frames import BINARY, TEXT, frame

RAW: Final[dict[str, bytes]] = {
    "text that is not JSON": frame(TEXT, b"not json"),
    "an array that is too short": frame(TEXT, b'["1","2","room:1"]'),
    "a binary message that is cut": frame(BINARY, bytes((0, 9, 9, 9, 9, 65))),
    "text that is not UTF-8": frame(TEXT, b'["1","1","\xff","phx_join",{}]'),
    "a frame without a mask": frame(TEXT, b"[]", masked=False),
    "a message that is too big": frame(TEXT, b"[" * (MAX_FRAME + 1)),
}


class Client:
    """One connection."""

    def __init__(self, opened: Open, wire: Wire) -> None:
        """Send the request of the handshake."""
        self.vsn = opened.vsn
        self.wire = wire
        self.open = True
        """Whether it can send."""
        self.input_closed = False
        """Whether nothing more can come."""
        params = {"vsn": f"{opened.vsn}.0.0", "name": opened.client}
        if opened.user is not None:
            params["user_id"] = opened.user
        if opened.rejected:
            params["reject"] = "yes"
        self._protocol = ClientProtocol(parse_uri(f"ws://app.test/socket/websocket?{urlencode(params)}"), max_size=None)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    # ------------------------------------------------------------------------------------------------- sending

    def send(self, what: Sent, fragments: int) -> None:
        """Send."""
        protocol = self._protocol
        match what:
            case Message():
                self._send_message(what, fragments)
            case Ping(data=data):
                protocol.send_ping(data.encode())
            case Close(code=code):
                protocol.send_close(code)
                self.open = False
            case Garbage(kind="JSON of another version"):
                message = b'{"topic":"t"}' if self.vsn == 2 else b'["1","1","t","e",{}]'
                self.wire.put(frame(TEXT, message))
            case Garbage(kind=kind):
                self.wire.put(RAW[kind])
            case End(broken=broken):
                self.open = False
                if broken:
                    self.wire.reset()
                    self.input_closed = True
                else:
                    self.wire.put_eof()
        self._flush()

    def _send_message(self, message: Message, fragments: int) -> None:
        protocol = self._protocol
        if isinstance(message.payload, bytes):
            fields = [
                str(field or "").encode() for field in (message.join_ref, message.ref, message.topic, message.event)
            ]
            protocol.send_binary(b"".join((bytes((0, *map(len, fields))), *fields, message.payload)))
            return
        text = str(message).encode()
        if self.vsn == 1:
            fields_of_one = {name: getattr(message, name) for name in ("topic", "event", "ref", "join_ref")}
            text = f'{{"payload":{message.payload},{canonical(fields_of_one)[1:]}'.encode()
        size = -(-len(text) // fragments)
        for start in range(0, len(text), size):
            fin = start + size >= len(text)
            part = text[start : start + size]
            if start == 0:
                protocol.send_text(part, fin=fin)
            else:
                protocol.send_continuation(part, fin=fin)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.wire.put(data)

    def take(self) -> list[str]:
        """Take what has come, in the words of `frames`."""
        if self.input_closed:
            return []
        protocol, data = self._protocol, self.wire.take()
        if data:
            protocol.receive_data(data)
        items = [_item(event) for event in protocol.events_received()]
        if isinstance(protocol.handshake_exc, InvalidStatus):
            items = [f"rejected {protocol.handshake_exc.response.status_code}"]
            self.input_closed = True
        elif self.wire.ended:
            items.append("eof")
            self.input_closed = True
        self.open &= protocol.state is State.OPEN
        self._flush()
        if self.input_closed:
            self.wire.put_eof()
        return items


def _item(event: Event) -> str:
    """Write what came, as the model does."""
    if isinstance(event, Response):
        return "open"
    assert isinstance(event, Frame)
    assert event.fin
    data = bytes(event.data)
    match event.opcode:
        case Opcode.TEXT:
            return canonical(json.loads(data))
        case Opcode.BINARY:
            return f"binary {data.hex()}"
        case Opcode.CLOSE:
            return f"close {int.from_bytes(data[:2], 'big')}"
        case opcode:
            return f"{opcode.name.lower()} {data.decode()}"
