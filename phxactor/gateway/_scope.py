"""The scopes of ASGI, made from a request (ASGI specification, HTTP and WebSocket, section "connection scope")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.gateway._types import Scope
    from phxactor.http import Request

SPEC_VERSION: Final = "2.4"
"""With 2.4, `send` raises an `OSError` once the client has left; Starlette relies on it instead of a watching task."""
VERSIONS: Final = {"version": "3.0", "spec_version": SPEC_VERSION}


def http_scope(hosted: HostedApplication, request: Request) -> Scope:
    """Return the scope of a request."""
    scope = _scope(hosted, request, "http", request.scheme)
    scope["method"] = request.method
    return scope


def websocket_scope(hosted: HostedApplication, request: Request) -> Scope:
    """Return the scope of a WebSocket."""
    scope = _scope(hosted, request, "websocket", "wss" if request.scheme == "https" else "ws")
    offered = request.header("sec-websocket-protocol") or ""
    scope["subprotocols"] = [name for part in offered.split(",") if (name := part.strip())]
    scope["extensions"] = {"websocket.http.response": {}}
    return scope


def _scope(hosted: HostedApplication, request: Request, kind: str, scheme: str) -> dict[str, Any]:
    peer = request.peer
    return {
        "type": kind,
        "asgi": VERSIONS.copy(),
        "http_version": request.http_version,
        "scheme": scheme,
        "path": request.path,
        "raw_path": request.raw_path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": hosted.application.root_path,
        "headers": list(request.headers),
        "client": (peer.address, peer.port),
        "server": hosted.server,
        "state": hosted.state.copy(),
        "extensions": {},
    }
