"""Sockets and channels that fail in every way."""

from __future__ import annotations

import trio

from phxactor import (
    Channel,
    Error,
    Ok,
    Socket,
    Stop,
    channel,
    intercept,
    on,
)
from phxactor.channels import Payload
from phxactor.runtime import Reason


class Boom(Exception):
    """What programs raise here."""


class Room(Channel):
    """Fails in every callback."""

    async def join(self, topic: str, payload: Payload) -> None:
        if topic == "room:join":
            raise Boom("in join")

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("fail")
    async def fail(self, payload: Payload) -> None:
        raise Boom("in a handler")

    @on("nested")
    async def nested(self, payload: Payload) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.fail, payload)

    @on("stop")
    async def ends(self, payload: Payload) -> Stop:
        return Stop("odd reason")

    @on("unwritable")
    async def unwritable(self, payload: Payload) -> Ok[object]:
        return Ok(object())

    @on("send_self")
    async def send_self(self, payload: Payload) -> None:
        if self.socket.channel_pid is not None:
            self.socket.channel_pid.send("fail")

    @on("broadcast")
    async def to_all(self, payload: Payload) -> None:
        self.broadcast("intercepted", payload)

    @intercept("intercepted")
    async def intercepted(self, payload: Payload) -> None:
        raise Boom("in handle_out")

    async def handle_info(self, message: object) -> None:
        raise Boom("in handle_info")

    async def terminate(self, reason: Reason) -> None:
        if self.topic == "room:terminate":
            raise Boom("in terminate")


class UserSocket(Socket):
    """Fails to connect, if asked to."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Payload) -> Error | None:
        match params.get("fail"):
            case "connect":
                raise Boom("in connect")
            case "refuse":
                return Error({"reason": "no"})
        self.assign(fail=params.get("fail"))
        return None

    def identify(self) -> None:
        if self.assigns.fail == "identify":
            raise Boom("in identify")
