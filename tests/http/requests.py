"""Requests as tests make them."""

from __future__ import annotations

from typing import Final

from phxactor.http import PeerData, Request

PEER = PeerData("192.0.2.7", 50000)
UPGRADE: Final[dict[str, str | None]] = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec_websocket_version": "13",
}
"""The headers of RFC 6455 section 1.3, as `request` takes them."""


def request(target: str = "/", method: str = "GET", /, **headers: str | None) -> Request:
    """Make a request; underscores in the names of headers are dashes, and `None` leaves a header out."""
    named = {"host": "example.com"} | {name.replace("_", "-"): value for name, value in headers.items()}
    pairs = tuple((name.encode(), value.encode("latin-1")) for name, value in named.items() if value is not None)
    return Request(method, target, pairs, peer=PEER)


def upgrade(**headers: str | None) -> Request:
    """Make a request for a WebSocket, with other headers than usual."""
    return request("/socket/websocket", **UPGRADE | headers)
