"""A chat that workers serve: each message goes to all members of a room, whichever worker they are on."""

from __future__ import annotations

import os

from phxactor import Channel, DrainOptions, Endpoint, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import JoinResult, Payload


class Room(Channel):
    async def join(self, topic: str, payload: Payload) -> JoinResult:
        return Ok({"pid": os.getpid()})

    @on("say")
    async def say(self, payload: Payload) -> None:
        self.broadcast("said", payload)


class UserSocket(Socket, log=False):
    channels = (channel("room:*", Room),)


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False, timeout=300.0))],
    drain=DrainOptions(limit=10.0),
    port=0,
)
