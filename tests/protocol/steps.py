"""What happens in a program: steps of clients, and of the world around them, as values that print well."""

from __future__ import annotations

import json
from typing import TypeAlias

import attrs

Ref: TypeAlias = str | int | None
Payload: TypeAlias = str | bytes
"""JSON as `canonical` writes it, or the bytes of a binary message."""


def canonical(value: object) -> str:
    """Write JSON in the one way in which frames are compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@attrs.frozen(cache_hash=True)
class Message:
    """What a client sends in one message."""

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: Payload

    def __str__(self) -> str:
        """Write it as version 2 does."""
        payload = self.payload if isinstance(self.payload, str) else f"<{self.payload.hex()}>"
        return f"[{canonical([self.join_ref, self.ref, self.topic, self.event])[1:-1]},{payload}]"


@attrs.frozen
class Ping:
    """A ping frame."""

    data: str


@attrs.frozen
class Garbage:
    """What no client should send: a key of `transports.GARBAGE`."""

    kind: str


@attrs.frozen
class Close:
    """A client's close frame."""

    code: int


@attrs.frozen
class End:
    """The end of what a client sends, without a close frame; `broken` if it can no longer be told anything either."""

    broken: bool


Sent: TypeAlias = Message | Ping | Garbage | Close | End
"""What comes from a client."""


@attrs.frozen
class Open:
    """A client connects."""

    client: str
    vsn: int
    """1 or 2; any other is refused."""
    user: str | None
    rejected: bool = False
    """Whether `connect` refuses it."""

    def __str__(self) -> str:
        """Say it."""
        return f"{self.client} connects as {self.user}, version {self.vsn}{', to be refused' if self.rejected else ''}"


@attrs.frozen
class Send:
    """A client sends something, in several fragments if told so."""

    client: str
    what: Sent
    fragments: int = 1

    def __str__(self) -> str:
        """Say it."""
        return f"{self.client} sends {self.what}{'' if self.fragments == 1 else ' in fragments'}"


@attrs.frozen
class Stall:
    """A client reads nothing more, until it `Resume`s."""

    client: str

    def __str__(self) -> str:
        """Say it."""
        return f"{self.client} stops reading"


@attrs.frozen
class Resume:
    """A client reads what waits for it."""

    client: str

    def __str__(self) -> str:
        """Say it."""
        return f"{self.client} reads again"


@attrs.frozen
class Broadcast:
    """The program broadcasts, from outside of the channels."""

    topic: str
    event: str
    payload: Payload

    def __str__(self) -> str:
        """Say it."""
        return f"the endpoint broadcasts {self.event} {self.payload!r:.80} on {self.topic}"


@attrs.frozen
class Kill:
    """Somebody kills a client's channel; `hit` says whether there was one."""

    client: str
    topic: str
    hit: bool | None = None

    def __str__(self) -> str:
        """Say it."""
        missed = ": there is none" if self.hit is False else ""
        return f"the channel of {self.client} on {self.topic} is killed{missed}"


@attrs.frozen
class Wait:
    """Time passes, in seconds."""

    seconds: float

    def __str__(self) -> str:
        """Say it."""
        return f"{self.seconds:g} s pass"


@attrs.frozen
class Drain:
    """The endpoint is told to stop."""

    def __str__(self) -> str:
        """Say it."""
        return "the endpoint stops"


Step: TypeAlias = Open | Send | Stall | Resume | Broadcast | Kill | Wait | Drain
