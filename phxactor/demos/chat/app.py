"""The chat as a program: a history, and an endpoint with a socket and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import phxactor
from phxactor import Endpoint, Socket, channel, mount
from phxactor.demos.chat.channel import ChatChannel, ChatPresence
from phxactor.demos.chat.history import NAME, History
from phxactor.http import static
from phxactor.observer import TreeChannel, observer_routes
from phxactor.otp import set_label

STATIC: Final = Path(__file__).parent / "static"
"""The page and its scripts, phoenix.js among them."""
PHOENIX: Final = STATIC / "phoenix.mjs"
"""phoenix.js as it is released on npm; its licence lies beside it."""


class ChatSocket(Socket):
    """One browser tab."""

    channels = (channel("chat:lobby", ChatChannel), channel("tree", TreeChannel))

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> None:
        set_label("a WebSocket")


def run(host: str, port: int) -> None:
    """Serve the chat until told to stop. Raises SystemExit if the address is in use."""
    endpoint = Endpoint(
        sockets=[mount("/socket", ChatSocket)],
        routes=[*observer_routes(), static("/", STATIC)],
        host=host,
        port=port,
    )
    phxactor.run(endpoint, children=[History.child_spec(name=NAME), ChatPresence])
