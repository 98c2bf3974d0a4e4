"""A socket and its channels, for the tests of the kit."""

from __future__ import annotations

from typing import Any

import attrs

from phxactor import (
    Channel,
    Down,
    Error,
    GenServer,
    Message,
    Ok,
    Shutdown,
    Socket,
    Stop,
    channel,
    intercept,
    monitor,
    on,
    self_pid,
    send_after,
)


@attrs.frozen
class Shout:
    """What is shouted."""

    body: str
    times: int = 1


class Room(Channel):
    """Says hello to those who come, and does what it is told."""

    async def join(self, topic: str, payload: Any) -> Ok[Any] | Error:  # noqa: ANN401
        match payload:
            case {"refuse": reason}:
                return Error({"reason": reason})
            case {"raise": text}:
                raise RuntimeError(text)
        self_pid().send("joined")
        return Ok({"topic": topic, "user": self.assigns.user})

    async def handle_info(self, message: object) -> None:
        match message:
            case "joined":
                self.broadcast_from("came", {"user": self.assigns.user})
            case ("later", payload):
                self.push("later", payload)

    @on("shout")
    async def shout(self, shout: Shout) -> Ok[Any]:
        self.broadcast("shout", {"body": shout.body.upper(), "times": shout.times})
        return Ok({"heard": True})

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("later")
    async def later(self, seconds: float) -> None:
        send_after(self_pid(), ("later", {"after": seconds}), seconds)

    @on("boom")
    async def boom(self, payload: Any) -> None:  # noqa: ANN401
        raise RuntimeError("boom")

    @on("stop")
    async def enough(self, payload: Any) -> Stop:  # noqa: ANN401
        return Stop(Shutdown("enough"))

    @on("unwritable")
    async def unwritable(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(object())

    @intercept("secret")
    async def secret(self, payload: Any) -> None:  # noqa: ANN401
        if payload.get("for") == self.assigns.user:
            self.push("secret", payload)


class Counter(GenServer):
    """A custom channel, as the documentation has them."""

    async def init(self, arguments: Any) -> None:  # noqa: ANN401
        payload, from_, self.socket = arguments
        self.watch = monitor(self.socket.transport_pid)
        self.count = payload.get("from", 0)
        from_.reply(Ok({"count": self.count}))

    async def handle_info(self, message: object) -> Stop | None:
        match message:
            case Message(event="add", payload=int(number)):
                self.count += number
                self.socket.reply(message, "ok", {"count": self.count})
                self.socket.push("count", {"count": self.count})
            case Message(event="phx_leave"):
                self.socket.reply(message, "ok", {})
                self.socket.close(Shutdown("left"))
                return Stop(Shutdown("left"))
            case Down(ref=self.watch):
                return Stop(Shutdown("closed"))
        return None


class UserSocket(Socket):
    """Lets everybody in who gives a name."""

    channels = (
        channel("room:*", Room),
        channel("counter", Counter),
        channel("fast", Room, transports=["websocket"]),
    )

    async def connect(self, params: Any, connect_info: Any) -> Ok[None] | Error:  # noqa: ANN401
        match params:
            case {"user": "raise"}:
                raise RuntimeError("in connect")
            case {"user": str(user)}:
                self.assign(user=user, params=params, info=connect_info)
                return Ok()
        return Error("who are you?")

    def identify(self) -> str:
        return f"users:{self.assigns.user}"
