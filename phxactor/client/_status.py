"""What a socket tells `on_status` of all that happens behind its user's back."""

from __future__ import annotations

from typing import TypeAlias

import attrs


@attrs.frozen
class Connecting:
    """The server is being called."""


@attrs.frozen
class Connected:
    """There is a connection; topics are joined over it."""


@attrs.frozen
class Disconnected:
    """The connection was lost, or could not be had; all topics wait for the next."""

    error: Exception
    """`ConnectionLost` has the close code, `ConnectRefused` the HTTP status."""
    retry_after: float
    """Seconds."""


@attrs.frozen
class Joined:
    """A topic has been joined, for the first time or again."""

    topic: str


@attrs.frozen
class Errored:
    """A topic on a connection that stands is not joined: its channel crashed, or did not let us in again."""

    topic: str
    error: Exception
    retry_after: float
    """Seconds; a new connection in the meantime makes it at once."""


Status: TypeAlias = Connecting | Connected | Disconnected | Joined | Errored
"""In the order of a life: a connection's first, a topic's last."""
