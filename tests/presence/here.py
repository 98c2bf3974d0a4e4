"""A program that workers serve: it shows who is in a room, and in which worker.

The tests copy it, and have it served.
"""

from __future__ import annotations

import os

from phxactor import Application, Channel, Endpoint, Ok, Presence, Socket, WebSocketOptions, channel, mount
from phxactor.channels import Payload


class Here(Presence):
    """Who is in which room."""


class Room(Channel):
    presence = Here

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        self.track_after_join(payload["key"], {"worker": os.getpid()})
        return Ok({"worker": os.getpid()})


class UserSocket(Socket, log=False):
    channels = (channel("room:*", Room),)


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))],
    health="/health",
    port=0,
)
application = Application(children=[Here], endpoints=[endpoint])
