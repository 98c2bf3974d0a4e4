"""A program with metrics: a chat that crashes when it is told to, a supervised server, and a route."""

from __future__ import annotations

import os
from typing import Any

import trio

from phxactor import (
    Application,
    Channel,
    Endpoint,
    Error,
    GenServer,
    Ok,
    Reply,
    Request,
    Response,
    Socket,
    Supervisor,
    WebSocketOptions,
    call,
    cast,
    channel,
    get,
    intercept,
    mount,
    on,
)
from phxactor.metrics import metrics_routes


class Counter(GenServer):
    """Counts, and crashes if it is told to."""

    number = 0

    async def handle_call(self, request: object, from_: object) -> Reply:
        self.number += 1
        return Reply(self.number)

    async def handle_cast(self, request: object) -> None:
        raise ValueError(request)


class Room(Channel):
    """Echoes, shouts, asks, crashes."""

    async def join(self, topic: str, payload: Any) -> Error | None:  # noqa: ANN401
        return Error({}) if topic == "room:no" else None

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("ask")
    async def ask(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({"number": await call("counter", 1), "worker": os.getpid()})

    @on("shout")
    async def shout(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        self.broadcast("shout", payload)
        self.broadcast("whisper", payload)
        return Ok({})

    @intercept("whisper")
    async def whisper(self, payload: Any) -> None:  # noqa: ANN401
        self.push("whisper", payload)

    @on("crash")
    async def crash(self, payload: Any) -> None:  # noqa: ANN401
        if payload.get("counter"):
            cast("counter", "crash")
        await trio.lowlevel.checkpoint()
        raise ValueError(payload)

    async def handle_in(self, event: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({})


class UserSocket(Socket):
    """Lets everybody in."""

    channels = (channel("room:*", Room),)


async def item(request: Request) -> Response:
    """Answer."""
    return Response.text(request.path_params["id"])


def make_endpoint() -> Endpoint:
    """Make the endpoint; counting begins here, not when tests are collected."""
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))],
        routes=[get("/items/{id}", item), *metrics_routes(), *metrics_routes("/guarded", token="0123456789abcdef")],
    )


def make() -> Application:
    """Make the program."""
    counters = Supervisor.child_spec([Counter.child_spec(name="counter")])
    return Application(children=[counters], endpoints=[make_endpoint()])
