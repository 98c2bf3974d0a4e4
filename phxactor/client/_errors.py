"""The errors of the client. Time-outs raise Python's TimeoutError; like `ConnectionLost`, it is an OSError."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import attrs

from phxactor.channels import Payload

NORMAL: Final = 1000
"""The close code that the client sends when its block ends (RFC 6455 section 7.4.1)."""
ABNORMAL: Final = 1006
"""The close code that stands for a connection that ended without one (RFC 6455 section 7.1.5)."""
PROTOCOL_ERROR: Final = 1002
"""The close code for a server that breaks the protocol (RFC 6455 section 7.4.1)."""
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@attrs.define
class ClientError(Exception):
    """The base class of this package's errors."""


@attrs.define
class ConnectRefused(ClientError):
    """The server answered the handshake with an HTTP status other than 101."""

    url: str
    """The URL without its query, which may hold a secret."""
    status: int
    """The HTTP status: 403 when the socket's `connect` refused."""
    body: bytes = b""
    """The body of the server's answer."""

    def __str__(self) -> str:
        """Return the URL, the status, a hint for a wrong path, and the beginning of the body."""
        text = self.body.decode(errors="replace").strip()
        hint = " (Phoenix mounts a socket's WebSocket at its path and /websocket)" if self._is_elsewhere() else ""
        return f"{self.url} refused with {self.status}{hint}" + (f": {text:.200}" if text else "")

    def is_final(self) -> bool:
        """Return whether trying again is of no use: the status is 4xx, but not 408, 425 or 429."""
        return HTTPStatus(400) <= self.status < HTTPStatus(500) and self.status not in _PASSING

    def _is_elsewhere(self) -> bool:
        return self.status == HTTPStatus.NOT_FOUND and not self.url.endswith("/websocket")


@attrs.define
class ConnectionLost(ClientError, ConnectionError):
    """The connection has ended, or its handshake was not completed."""

    code: int
    """The server's close code; 1006 if it sent none; 1002 if it broke the protocol; 1000 if the client closed."""
    reason: str = ""

    def __str__(self) -> str:
        """Return the close code and the reason."""
        return f"the connection was lost with close code {self.code}" + (f": {self.reason}" if self.reason else "")


@attrs.define
class JoinError(ClientError):
    """The server answered a join with another status than `ok`."""

    topic: str
    payload: Payload
    """The payload of the server's answer, by Phoenix's convention `{"reason": ...}`."""

    def __str__(self) -> str:
        """Return the topic and the payload, cut to 200 characters."""
        return f"joining {self.topic!r} was refused: {self.payload!r:.200}"


@attrs.define
class ReplyError(ClientError):
    """The server answered a push with another status than `ok`."""

    topic: str
    event: str
    status: str
    payload: Payload

    def __str__(self) -> str:
        """Return the event, the topic, the status and the payload, cut to 200 characters."""
        return f"{self.event!r} on {self.topic!r} was answered with {self.status}: {self.payload!r:.200}"


@attrs.define
class ChannelCrashed(ClientError):
    """The channel on the server crashed (`phx_error`) before it replied. The client joins the topic again."""

    topic: str

    def __str__(self) -> str:
        """Name the channel."""
        return f"the channel of {self.topic!r} has crashed on the server"


@attrs.define
class ChannelClosed(ClientError):
    """The client has left the topic, or the server has closed the channel (`phx_close`). It accepts no more pushes."""

    topic: str

    def __str__(self) -> str:
        """Name the channel."""
        return f"the channel of {self.topic!r} is closed"


@attrs.define
class Overflow(ClientError):
    """Messages came faster than the iteration took them, and the oldest were dropped. The iteration may go on."""

    topic: str
    lost: int
    """The number of messages dropped since the last Overflow."""

    def __str__(self) -> str:
        """Return the number of dropped messages."""
        return f"{self.lost} messages on {self.topic!r} were dropped: they came faster than they were taken"
