"""A program to trace: a room that asks a server, which asks another."""

from __future__ import annotations

import logging
from typing import Any

from phxactor import (
    Channel,
    Endpoint,
    GenServer,
    LongPollOptions,
    Ok,
    PubSub,
    Reply,
    Request,
    Response,
    Socket,
    WebSocketOptions,
    call,
    cast,
    channel,
    get,
    intercept,
    mount,
    on,
)

NEWS = PubSub("news")
LOG = logging.getLogger("tests.opentelemetry.program")


class Store(GenServer):
    """Keeps."""

    async def handle_call(self, request: object, from_: object) -> Reply:
        LOG.info("kept")
        return Reply(request)

    async def handle_cast(self, request: object) -> None:
        NEWS.broadcast("all", ("told", request))


class Shop(GenServer):
    """Asks the store."""

    async def handle_call(self, request: object, from_: object) -> Reply:
        answer = await call("store", request)
        cast("store", request)
        return Reply(answer)


class Reader(GenServer):
    """Hears the news."""

    async def init(self) -> None:
        self.heard: list[object] = []
        NEWS.subscribe("all")

    async def handle_info(self, message: object) -> None:
        self.heard.append(message)


class Room(Channel):
    """Buys, shouts, crashes."""

    @on("buy")
    async def buy(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        LOG.info("asked")
        return Ok({"bought": await call("shop", 7)})

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("shout")
    async def shout(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        self.broadcast("shout", payload)
        return Ok({})

    @intercept("shout")
    async def shouted(self, payload: Any) -> None:  # noqa: ANN401
        self.push("shout", payload)

    @on("crash")
    async def crash(self, payload: Any) -> None:  # noqa: ANN401
        raise ValueError("no such thing")


class UserSocket(Socket):
    """Lets everybody in."""

    channels = (channel("room:*", Room),)


async def item(request: Request) -> Response:
    """Ask the store."""
    return Response.text(str(await call("store", request.path_params["id"])))


endpoint = Endpoint(
    sockets=[
        mount(
            "/socket",
            UserSocket,
            websocket=WebSocketOptions(check_origin=False),
            longpoll=LongPollOptions(check_origin=False),
        )
    ],
    routes=[get("/items/{id}", item)],
)
CHILDREN = [NEWS, Store.child_spec(name="store"), Shop.child_spec(name="shop"), Reader.child_spec(name="reader")]
