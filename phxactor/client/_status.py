"""The values that a socket gives to `on_status`: changes of its connection and of its topics."""

from __future__ import annotations

from typing import TypeAlias

import attrs


@attrs.frozen
class Connecting:
    """The client tries to connect."""


@attrs.frozen
class Connected:
    """There is a connection; the client joins its topics over it."""


@attrs.frozen
class Disconnected:
    """The connection was lost, or a try to connect failed. All topics wait for the next connection."""

    error: Exception
    """`ConnectionLost` has the close code, `ConnectRefused` the HTTP status."""
    retry_after: float
    """Seconds until the next try to connect."""


@attrs.frozen
class Joined:
    """A topic has been joined, for the first time or again."""

    topic: str


@attrs.frozen
class Errored:
    """A topic is not joined although there is a connection: its channel crashed, or a later join was refused."""

    topic: str
    error: Exception
    retry_after: float
    """Seconds until the next join; over a new connection the client joins at once."""


Status: TypeAlias = Connecting | Connected | Disconnected | Joined | Errored
"""All values for `on_status`: first those of a connection, then those of a topic."""
