"""What a client's process leaves open is that client's affair: every leftover x every kind of process of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from phxactor import (
    Channel,
    Down,
    Endpoint,
    From,
    GenServer,
    LongPollOptions,
    Message,
    Ok,
    RawSocket,
    Request,
    Response,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    get,
    monitor,
    mount,
    on,
)
from phxactor.channels import Payload
from phxactor.runtime import KILL, SHUTDOWN, Shutdown, self_pid, trap_exit
from tests.conformance.client import Client
from tests.runtime.leaving_open import LEFTOVERS, Leftover
from tests.sockets.serving import eventually, serving

pytestmark = pytest.mark.socket

leftovers = {leftover.__name__: leftover for leftover in LEFTOVERS}
kept: list[object] = []


async def leave_open(name: object) -> None:
    if isinstance(name, str) and name in leftovers:
        await leftovers[name]([], kept)


class Room(Channel):
    """Leaves open what it is told to: in `join`, or in a handler."""

    async def join(self, topic: str, payload: Payload) -> None:
        if topic == "room:traps":
            trap_exit()
        await leave_open(payload.get("join"))

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("open")
    async def open(self, payload: Payload) -> Ok[Payload]:
        await leave_open(payload["name"])
        return Ok(payload)

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise ValueError("told to")

    @on("die")
    async def die(self, payload: Payload) -> None:
        self_pid().exit(payload["reason"])


class Custom(GenServer):
    """A custom channel that leaves something open in `init`, and ends as it is told."""

    async def init(self, arguments: tuple[Payload, From, Socket]) -> None:
        payload, from_, self.socket = arguments
        monitor(self.socket.transport_pid)
        await leave_open(payload.get("join"))
        from_.reply(Ok({}))

    async def handle_info(self, message: object) -> Stop | None:
        match message:
            case Message(event="crash"):
                raise ValueError("told to")
            case Message(event="die", payload={"reason": str(reason)}):
                self_pid().exit(reason)
            case Message(event="phx_leave" | "phx_join"):
                self.socket.close(Shutdown("left"))
                return Stop(Shutdown("left"))
            case Down():
                return Stop(Shutdown("closed"))
        return None


class UserSocket(Socket, log=False):
    """Leaves something open in `connect`."""

    channels = (channel("room:*", Room), channel("custom:*", Custom))

    async def connect(self, params: Mapping[str, object]) -> None:
        await leave_open(params.get("open"))


class Raw(RawSocket):
    """Leaves something open in each callback."""

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> None:
        self.name = params.get("open")
        await leave_open(self.name)

    async def handle_in(self, message: str | bytes) -> None:
        await leave_open(self.name)


async def route(request: Request) -> Response:
    await leave_open(request.query)
    return Response.text("answered")


def endpoint() -> Endpoint:
    websocket = WebSocketOptions(check_origin=False)
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=websocket, longpoll=LongPollOptions(check_origin=False)),
            mount("/raw", Raw, websocket=websocket),
        ],
        routes=[get("/route", route)],
    )


WAYS = ("phx_leave", "crash", KILL, SHUTDOWN, "phx_join", "the client leaves", "the client is lost", "open")
every_leftover = pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.__name__)


async def echoes(client: Client, join_ref: str, topic: str) -> bool:
    return await client.ask([join_ref, "9", topic, "echo", {}]) == [
        join_ref, "9", topic, "phx_reply", {"status": "ok", "response": {}}
    ]  # fmt: skip


@every_leftover
@pytest.mark.parametrize("topic", ["room:plain", "room:traps", "custom:1"])
async def test_a_channel_takes_nobody_with_it(leftover: Leftover, topic: str) -> None:
    async with serving(endpoint()) as server, await server.connect() as other:
        await other.ask(["1", "1", "room:other", "phx_join", {}])
        resting = server.processes()
        for way in WAYS[:-1] if topic == "custom:1" else WAYS:
            async with await server.connect() as client:
                await client.ask(["1", "1", "room:beside", "phx_join", {}])
                beside = server.processes()
                await client.ask(["5", "5", topic, "phx_join", {"join": leftover.__name__ if way != "open" else None}])
                match way:
                    case "open":
                        await client.ask(["5", "6", topic, "open", {"name": leftover.__name__}])
                        await client.send(["5", "7", topic, "phx_leave", {}])
                    case "phx_leave" | "crash":
                        await client.send(["5", "6", topic, way, {}])
                    case "phx_join":
                        await client.send(["6", "6", topic, way, {"join": leftover.__name__}])
                        await client.send(["6", "7", topic, "phx_leave", {}])
                    case "kill" | "shutdown":
                        await client.send(["5", "6", topic, "die", {"reason": way}])
                        await client.send(["5", "7", topic, "phx_leave", {}])
                if way.startswith("the client"):
                    await (client.abort() if way == "the client is lost" else client.close())
                else:
                    await eventually(lambda expected=beside: server.processes() == expected)  # type: ignore[misc]
                    await client.send(["1", "9", "room:beside", "echo", {}])
                    while await client.json() != [
                        "1",
                        "9",
                        "room:beside",
                        "phx_reply",
                        {"status": "ok", "response": {}},
                    ]:
                        pass
                    await client.close()
            await eventually(lambda: server.processes() == resting)
        assert await echoes(other, "1", "room:other")
    kept.clear()


@every_leftover
async def test_a_connection_takes_nobody_with_it(leftover: Leftover) -> None:
    async with serving(endpoint()) as server, await server.connect() as other:
        await other.ask(["1", "1", "room:other", "phx_join", {}])
        resting = server.processes()
        async with await server.connect(f"/socket/websocket?vsn=2.0.0&open={leftover.__name__}") as client:
            await client.close()
        async with await server.connect(f"/raw/websocket?open={leftover.__name__}") as raw:
            await raw.send("x")
            await raw.close()
        status, _ = await server.request(f"GET /route?{leftover.__name__} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert status == 200
        target = f"/socket/longpoll?vsn=2.0.0&open={leftover.__name__}"
        status, _ = await server.request(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert status == 200
        assert await echoes(other, "1", "room:other")
        await eventually(lambda: server.processes() <= resting + 1)  # the session of the long poll lives on
        assert await echoes(other, "1", "room:other")
    kept.clear()
