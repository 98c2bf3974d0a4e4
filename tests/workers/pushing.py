"""A program whose workers count the pushes that they answer, and say how many at their end."""

from __future__ import annotations

import atexit
import sys

from phxactor import Channel, DrainOptions, Endpoint, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import Payload

answered = 0


class Room(Channel):
    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        global answered  # noqa: PLW0603 - the count of this worker
        answered += 1
        return Ok(payload)


class UserSocket(Socket, log=False):
    channels = (channel("room:*", Room),)


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))],
    drain=DrainOptions(limit=30.0),
    port=0,
)
atexit.register(lambda: sys.stdout.write(f"answered {answered} pushes\n"))
