"""A program that workers serve: it says which worker answers, and hangs or dies when it is told to.

The tests copy it, change the copy, and have it served.
"""

from __future__ import annotations

import os
import time

from phxactor import Channel, DrainOptions, Endpoint, Ok, Response, Socket, WebSocketOptions, channel, get, mount, on
from phxactor.channels import Payload
from phxactor.http import Request

VERSION = 1


class Room(Channel):
    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("hang")
    async def hang(self, payload: Payload) -> None:
        while True:
            time.sleep(0.05)  # noqa: ASYNC251 - it hangs


class UserSocket(Socket, log=False):
    channels = (channel("room:*", Room),)


async def who(request: Request) -> Response:
    return Response.text(f"{os.getpid()} {VERSION} {endpoint.secret_key_base}")


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))],
    routes=[get("/", who)],
    drain=DrainOptions(limit=20.0),
    health="/health",
    port=0,
)
