"""What can go wrong for a client. A `TimeoutError` is Python's own, and an `OSError`, as `ConnectionLost` is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import attrs

from phxactor.channels import Payload

NORMAL: Final = 1000
"""The close code of a client that leaves."""
ABNORMAL: Final = 1006
"""The close code of a connection that ended without one (RFC 6455 section 7.1.5)."""
PROTOCOL_ERROR: Final = 1002
"""The close code for a server that breaks the protocol."""
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@attrs.define
class ClientError(Exception):
    """What all errors of this package have in common."""


@attrs.define
class ConnectRefused(ClientError):
    """The server answered the handshake, and did not let us in."""

    url: str
    """Without its query, in which there may be a secret."""
    status: int
    """The HTTP status: 403 when the socket's `connect` refused."""
    body: bytes = b""
    """What the server says about it."""

    def __str__(self) -> str:
        """Say what the server said."""
        text = self.body.decode(errors="replace").strip()
        hint = " (Phoenix mounts a socket's WebSocket at its path and /websocket)" if self._is_elsewhere() else ""
        return f"{self.url} refused with {self.status}{hint}" + (f": {text:.200}" if text else "")

    def is_final(self) -> bool:
        """Is it about us, so that asking again is of no use: a 4xx, other than 408, 425 and 429."""
        return HTTPStatus(400) <= self.status < HTTPStatus(500) and self.status not in _PASSING

    def _is_elsewhere(self) -> bool:
        return self.status == HTTPStatus.NOT_FOUND and not self.url.endswith("/websocket")


@attrs.define
class ConnectionLost(ClientError, ConnectionError):
    """The connection has ended, or was never completed."""

    code: int
    """The server's close code; 1006 when it sent none."""
    reason: str = ""

    def __str__(self) -> str:
        """Say how it ended."""
        return f"the connection was lost with close code {self.code}" + (f": {self.reason}" if self.reason else "")


@attrs.define
class JoinError(ClientError):
    """The server did not let us join."""

    topic: str
    payload: Payload
    """What it answered, in Phoenix `{"reason": ...}` by custom."""

    def __str__(self) -> str:
        """Say what the server said."""
        return f"joining {self.topic!r} was refused: {self.payload!r:.200}"


@attrs.define
class ReplyError(ClientError):
    """The server answered a push with another status than `ok`."""

    topic: str
    event: str
    status: str
    payload: Payload

    def __str__(self) -> str:
        """Say what the server said."""
        return f"{self.event!r} on {self.topic!r} was answered with {self.status}: {self.payload!r:.200}"


@attrs.define
class ChannelCrashed(ClientError):
    """The channel on the server has crashed (`phx_error`) before it answered. It is going to be joined again."""

    topic: str

    def __str__(self) -> str:
        """Name the channel."""
        return f"the channel of {self.topic!r} has crashed on the server"


@attrs.define
class ChannelClosed(ClientError):
    """We have left the topic, or the server has closed the channel (`phx_close`): it takes no push any more."""

    topic: str

    def __str__(self) -> str:
        """Name the channel."""
        return f"the channel of {self.topic!r} is closed"


@attrs.define
class Overflow(ClientError):
    """Messages came faster than they were iterated over, and the oldest were dropped. Iteration may go on."""

    topic: str
    lost: int
    """How many, since the last time that this was raised."""

    def __str__(self) -> str:
        """Say how many were lost."""
        return f"{self.lost} messages on {self.topic!r} were dropped: they came faster than they were taken"
