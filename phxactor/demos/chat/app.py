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
from phxactor.net.events import listening
from phxactor.observer import PATH, observer_routes, open_page
from phxactor.otp import set_label
from phxactor.telemetry import Event

STATIC: Final = Path(__file__).parent / "static"
"""The page and its scripts, phoenix.js among them."""
PHOENIX: Final = STATIC / "phoenix.mjs"
"""phoenix.js as it is released on npm; its licence lies beside it."""


class ChatSocket(Socket):
    """One browser tab."""

    channels = (channel("chat:lobby", ChatChannel),)

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> None:
        set_label("a WebSocket")


def show(_: Event, fields: Mapping[str, Any]) -> None:
    """Open the observer's page of the address that the endpoint listens on."""
    listening.detach(show)
    print(open_page(f"{fields['url']}{PATH}"), flush=True)


def run(host: str, port: int, *, page: bool = False) -> None:
    """Serve the chat until told to stop; with `page`, open the observer's page, with buttons.

    Raises SystemExit if the address is in use.
    """
    if page:
        listening.attach(show)
    endpoint = Endpoint(
        sockets=[mount("/socket", ChatSocket)],
        routes=[*observer_routes(actions=page), static("/", STATIC)],
        host=host,
        port=port,
    )
    phxactor.run(endpoint, children=[History.child_spec(name=NAME), ChatPresence])
