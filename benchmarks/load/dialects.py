"""How the servers are spoken to: what to send, and the only right answer to it."""

from __future__ import annotations

from typing import Final, Protocol

import orjson

DIGITS: Final = 12
"""Length of the number that makes every payload another."""


class Fault(Exception):
    """The server under test, or the set-up, did something wrong: there will be no figure."""


class Dialect(Protocol):
    """One protocol. An answer is compared after `decode`, so that spaces and the order of keys do not matter."""

    path: str
    """Path and query of the WebSocket."""
    overhead: int
    """Bytes of a payload beside its number and padding."""

    def join(self, topic: str, join_ref: str) -> tuple[bytes, object]:
        """Give a message that joins, and its answer."""

    def echo(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Give a message whose payload has to come back, and its answer."""

    def decode(self, raw: bytes) -> object:
        """Read a message."""

    def topic(self, message: object) -> str:
        """Return the topic of a decoded message."""


class Phoenix:
    """Phoenix Channels V2, and the `bench:*` channels of the conformance app."""

    path = "/socket/websocket?vsn=2.0.0"
    overhead = len('{"d":""}')

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


class Raw:
    """Text that comes back as it is: what the floor speaks. There are no topics."""

    path = "/"
    overhead = 0

    def join(self, topic: str, join_ref: str) -> tuple[bytes, object]:
        """See that the server is there."""
        return self.echo(topic, join_ref, 0, "")

    def echo(self, topic: str, join_ref: str, number: int, padding: str) -> tuple[bytes, object]:
        """Send a number."""
        frame = f"{number:0{DIGITS}}{padding}".encode()
        return frame, frame

    def decode(self, raw: bytes) -> object:
        """There is nothing to read."""
        return raw

    def topic(self, message: object) -> str:
        """Return the only one."""
        return ""


DIALECTS: Final[dict[str, Dialect]] = {"phoenix": Phoenix(), "raw": Raw()}


def padding(dialect: Dialect, payload: int) -> str:
    """Fill a payload up to so many bytes."""
    size = payload - dialect.overhead - DIGITS
    if size < 0:
        raise Fault(f"a payload has at least {payload - size} bytes")
    return "x" * size


def shown(raw: bytes) -> str:
    """Write a message for a person."""
    return repr(raw if len(raw) <= 200 else raw[:200] + b"...")
