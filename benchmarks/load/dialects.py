"""How the servers are spoken to: what to send, and the only right answer to it."""

from __future__ import annotations

from typing import ClassVar, Final, Protocol

import attrs
import orjson

DIGITS: Final = 12
"""Length of the number that makes every payload another."""


class Fault(Exception):
    """The server under test, or the set-up, did something wrong: there will be no figure."""


class Talk(Protocol):
    """A connection, as long as one question at a time is asked."""

    async def hear(self) -> bytes:
        """Wait for the next message."""

    async def ask(self, frame: bytes) -> bytes:
        """Send, and wait for the next message."""


class Dialect(Protocol):
    """One protocol. An answer is compared after `decode`, so that spaces and the order of keys do not matter."""

    @property
    def path(self) -> str:
        """Path and query of the WebSocket."""

    @property
    def overhead(self) -> int:
        """Bytes of a payload beside its number and padding."""

    @property
    def greets(self) -> bool:
        """Whether the server speaks first."""

    async def open(self, talk: Talk) -> None:
        """Do what has to follow the WebSocket's handshake."""

    def join(self, topic: str, join_ref: str) -> tuple[bytes, object]:
        """Give a message that joins, and its answer."""

    def echo(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Give a message whose payload has to come back, and its answer."""

    def shout(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Give a message for all members of a topic, its sender too, and what each of them gets."""

    def decode(self, raw: bytes) -> object:
        """Read a message."""

    def topic(self, message: object) -> str:
        """Return within what the answers have to come in order: the topic of a decoded message."""


@attrs.frozen
class Phoenix:
    """Phoenix Channels V2, and the `bench:*` channels of the conformance app."""

    path: str = "/socket/websocket?vsn=2.0.0"
    overhead: ClassVar = len('{"d":""}')
    greets: ClassVar = False

    async def open(self, talk: Talk) -> None:
        """Nothing has to follow."""

    def join(self, topic: str, join_ref: str) -> tuple[bytes, object]:
        """Join with an empty payload, which is answered with one."""
        frame = f'["{join_ref}","{join_ref}","{topic}","phx_join",{{}}]'
        return frame.encode(), [join_ref, join_ref, topic, "phx_reply", {"status": "ok", "response": {}}]

    def echo(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Push "echo"."""
        ref = str(number)
        data = f"{number:0{DIGITS}}{padding}"
        frame = f'["{join_ref}","{ref}","{topic}","echo",{{"d":"{data}"}}]'
        return frame.encode(), [join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {"d": data}}]

    def shout(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Push "shout", which is not answered, but broadcast to all members of the topic, its sender too."""
        data = f"{number:0{DIGITS}}{padding}"
        frame = f'["{join_ref}","{number}","{topic}","shout",{{"d":"{data}"}}]'
        return frame.encode(), [None, None, topic, "shout", {"d": data}]

    def decode(self, raw: bytes) -> object:
        """Read an array of five."""
        message = orjson.loads(raw)
        if not isinstance(message, list) or len(message) != 5:
            raise Fault(f"no message of V2: {shown(raw)}")
        return message

    def topic(self, message: object) -> str:
        """Return the third of the five."""
        assert isinstance(message, list)  # noqa: S101 - decode has looked
        return str(message[2])


class SocketIO:
    """Socket.IO 5 over Engine.IO 4: acknowledgements are the replies, rooms the topics."""

    path = "/socket.io/?EIO=4&transport=websocket"
    overhead = len('{"d":""}')
    greets = True

    async def open(self, talk: Talk) -> None:
        """Connect to the namespace."""
        if not (greeting := await talk.hear()).startswith(b"0{"):
            raise Fault(f"no handshake of Engine.IO: {shown(greeting)}")
        if not (answer := await talk.ask(b"40")).startswith(b"40{"):
            raise Fault(f"not connected to the namespace: {shown(answer)}")

    def join(self, topic: str, join_ref: str) -> tuple[bytes, object]:
        """Emit "join", which is acknowledged with nothing."""
        return f'42{join_ref}["join","{topic}"]'.encode(), (f"43{join_ref}".encode(), [])

    def echo(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Emit "echo", which is acknowledged with what it came with."""
        data = f"{number:0{DIGITS}}{padding}"
        return f'42{number}["echo",{{"d":"{data}"}}]'.encode(), (f"43{number}".encode(), [{"d": data}])

    def shout(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Emit "shout", which is not acknowledged, but emitted to the room."""
        data = f"{number:0{DIGITS}}{padding}"
        return f'42["shout","{topic}",{{"d":"{data}"}}]'.encode(), (b"42", ["shout", {"d": data}])

    def decode(self, raw: bytes) -> object:
        """Cut a packet into its type with its number, and its data."""
        start = raw.find(b"[")
        if start < 0:
            raise Fault(f"no packet with data: {shown(raw)}")
        return raw[:start], orjson.loads(raw[start:])

    def topic(self, message: object) -> str:
        """Return the only one: acknowledgements do not say where they come from, and keep their order everywhere."""
        return ""


class Raw:
    """Text that comes back as it is: what the floor speaks. There are no topics."""

    path = "/"
    overhead = 0
    greets = False

    async def open(self, talk: Talk) -> None:
        """Nothing has to follow."""

    def join(self, topic: str, join_ref: str) -> tuple[bytes, object]:
        """See that the server is there."""
        return self.echo(topic, join_ref, 0, "")

    def echo(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Send a number."""
        frame = f"{number:0{DIGITS}}{padding}".encode()
        return frame, frame

    def shout(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Send a number to everybody: there are no topics."""
        frame = f"B{number:0{DIGITS - 1}}{padding}".encode()
        return frame, frame

    def decode(self, raw: bytes) -> object:
        """There is nothing to read."""
        return raw

    def topic(self, message: object) -> str:
        """Return the only one."""
        return ""


DIALECTS: Final[dict[str, Dialect]] = {
    "phoenix": Phoenix(),
    "phoenix-many": Phoenix("/many/websocket?vsn=2.0.0"),  # the conformance app's socket for any number of channels
    "socketio": SocketIO(),
    "raw": Raw(),
}


def padding(dialect: Dialect, payload: int) -> str:
    """Fill a payload up to so many bytes."""
    size = payload - dialect.overhead - DIGITS
    if size < 0:
        raise Fault(f"a payload has at least {payload - size} bytes")
    return "x" * size


def shown(raw: bytes) -> str:
    """Write a message for a person."""
    return repr(raw if len(raw) <= 200 else raw[:200] + b"...")
