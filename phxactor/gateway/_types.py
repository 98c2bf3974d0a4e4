"""The types of ASGI 3.0 (https://asgi.readthedocs.io), as wide as its applications write them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
"""What an application knows of a request, of a WebSocket, or of the server's life."""
Message: TypeAlias = MutableMapping[str, Any]
"""An event of the conversation; the key `type` says which."""
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[Any]]
"""An ASGI application: `await app(scope, receive, send)`. Frameworks give the three other types, so any will do."""
WSGIApp: TypeAlias = Callable[[Any, Any], Any]
"""A WSGI application (PEP 3333): `app(environ, start_response)` returns an iterable of bytes."""


class ClientDisconnectedError(OSError):
    """Raised by `send` once the client has left, or was cut off: an `OSError`, as ASGI 2.4 demands."""
