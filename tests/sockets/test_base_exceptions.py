"""What callbacks raise that is no Exception: an answer, a log line, and nothing else is taken down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Final

import pytest
import trio

from phxactor import (
    Channel,
    Endpoint,
    Error,
    GenServer,
    LongPollOptions,
    Ok,
    RawSocket,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    get,
    intercept,
    mount,
    on,
)
from phxactor.channels import Payload
from phxactor.http import Request, Response
from phxactor.runtime import Reason
from tests.conformance.client import Client, Closed, Rejected
from tests.longpoll.polling import Client as Poller
from tests.sockets.serving import Server, complaints, eventually, serving

pytestmark = pytest.mark.socket

KINDS: Final[dict[str, Callable[[], BaseException]]] = {
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "generator": GeneratorExit,
    "group": lambda: BaseExceptionGroup("g", [SystemExit()]),
    "nested": lambda: BaseExceptionGroup("g", [ValueError("v"), BaseExceptionGroup("h", [KeyboardInterrupt()])]),
}


def fail(when: str, where: str) -> None:
    """Raise the kind that a name such as `exit-join` says, in the place that it says."""
    kind, _, place = when.partition("-")
    if place == where:
        error = KINDS[kind]()
        raise error


class Room(Channel):
    """Fails where its topic says."""

    def __init__(self, socket: Socket) -> None:
        super().__init__(socket)
        self.when = self.topic.partition(":")[2]
        fail(self.when, "made")

    async def join(self, topic: str, payload: Payload) -> None:
        fail(self.when, "join")

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("go")
    async def go(self, payload: Payload) -> Stop | None:
        fail(self.when, "on")
        if self.when.endswith("-info") and self.socket.channel_pid is not None:
            self.socket.channel_pid.send("go")
        self.broadcast("handle_out", {})
        self.broadcast("intercepted", {})
        return Stop("shutdown") if self.when.endswith("-terminate") else None

    intercepts = frozenset({"handle_out"})

    async def handle_in(self, event: str, payload: Payload) -> None:
        fail(self.when, "in")

    async def handle_out(self, event: str, payload: Payload) -> None:
        fail(self.when, "out")

    @intercept("intercepted")
    async def intercepted(self, payload: Payload) -> None:
        fail(self.when, "intercept")

    async def handle_info(self, message: object) -> None:
        fail(self.when, "info")

    async def terminate(self, reason: Reason) -> None:
        fail(self.when, "terminate")


class Custom(GenServer):
    """A custom channel that fails where its topic says."""

    async def init(self, arguments: Any) -> None:  # noqa: ANN401
        _, from_, self.socket = arguments
        fail(self.socket.topic.partition(":")[2], "custom")
        from_.reply(Ok())

    async def handle_info(self, message: object) -> None:
        fail(self.socket.topic.partition(":")[2], "message")


class Starter:
    """A custom channel whose specification cannot be made."""

    @staticmethod
    def child_spec(arguments: Any) -> None:  # noqa: ANN401
        fail(arguments[2].topic.partition(":")[2], "spec")


class UserSocket(Socket):
    """Fails where its parameter says."""

    channels = (channel("room:*", Room), channel("custom:*", Custom), channel("starter:*", Starter))

    async def connect(self, params: Payload) -> Error | None:
        self.assign(when=params.get("when", ""))
        fail(self.assigns.when, "connect")
        return Error("no") if self.assigns.when.endswith("handler") else None

    def identify(self) -> str | None:
        fail(self.assigns.when, "identify")
        return None


class Raw(RawSocket):
    """Fails where its parameter says."""

    when = ""

    async def connect(self, params: Payload, connect_info: Payload) -> None:
        self.when = params.get("when", "")
        fail(self.when, "connect")

    async def init(self) -> None:
        fail(self.when, "init")
        self.transport_pid.send("go")

    async def handle_in(self, data: str | bytes) -> str | bytes | Stop:
        fail(self.when, "in")
        return Stop() if self.when.endswith("-terminate") else data

    async def handle_info(self, message: object) -> None:
        fail(self.when, "info")

    async def terminate(self, reason: Reason) -> None:
        fail(self.when, "terminate")


def origin(name: str) -> bool:
    fail(name.removeprefix("http://"), "origin")
    return True


def refuse(request: Request, reason: object) -> Response:
    fail(str(request.params["when"]), "handler")
    return Response(HTTPStatus.FORBIDDEN)


async def page(request: Request) -> Response:
    fail(str(request.params["when"]), "page")
    return Response.text("fine")


def endpoint() -> Endpoint:
    websocket = WebSocketOptions(check_origin=origin, error_handler=refuse)
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=websocket, longpoll=LongPollOptions(check_origin=origin)),
            mount("/raw", Raw, websocket=websocket),
        ],
        routes=[get("/page", page)],
    )


@asynccontextmanager
async def with_bystanders() -> AsyncIterator[tuple[Server, Client]]:
    """Serve; afterwards another connection, and another topic of the given one, must still be served."""
    async with serving(endpoint()) as server, await server.connect() as client, await server.connect() as other:
        for one in (client, other):
            assert await one.ask(["1", "1", "room:fine", "phx_join", {}]) == reply("1", "1", "room:fine")
        before = server.runtime.statistics()
        yield server, client
        for one in (client, other):
            assert await one.ask(["1", "2", "room:fine", "echo", [1]]) == reply("1", "2", "room:fine", [1])
        await eventually(lambda: server.runtime.statistics().processes == before.processes)


def reply(join_ref: str, ref: str, topic: str, payload: object = None, status: str = "ok") -> list[object]:
    response = {} if payload is None else payload
    return [join_ref, ref, topic, "phx_reply", {"status": status, "response": response}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["connect", "identify", "handler", "origin"])
async def test_letting_in_by_websocket(where: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with with_bystanders() as (server, _):
        with pytest.raises(Rejected, match="500"):
            await server.connect(f"/socket/websocket?vsn=2.0.0&when={kind}-{where}", origin=f"http://{kind}-{where}")
        told = complaints(caplog, logging.ERROR)
        assert [line.name for line in told] == ["phxactor.socket.connect_failed"]
        assert told[0].exc_info is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["connect", "identify", "origin"])
async def test_letting_in_by_long_poll(where: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with with_bystanders() as (server, _):
        poller = Poller(
            server.endpoint, params={"when": f"{kind}-{where}"}, headers={"origin": f"http://{kind}-{where}"}
        )
        assert await poller.poll() == {"status": 500}
        assert [line.name for line in complaints(caplog, logging.ERROR)] == ["phxactor.socket.connect_failed"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_route(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with with_bystanders() as (server, _):
        head = f"GET /page?when={kind}-page HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        assert (await server.request(head))[0] == HTTPStatus.INTERNAL_SERVER_ERROR
        (line,) = complaints(caplog, logging.ERROR)
        assert line.getMessage() == "GET /page failed"
        assert line.exc_info is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("topic", ["room:{}-made", "room:{}-join", "custom:{}-custom", "starter:{}-spec"])
async def test_a_join(topic: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    topic = topic.format(kind)
    async with with_bystanders() as (_, client):
        answer = await client.ask(["3", "3", topic, "phx_join", {}])
        assert answer == reply("3", "3", topic, {"reason": "join crashed"}, "error")
        assert complaints(caplog, logging.ERROR)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["on", "in", "info", "out", "intercept", "terminate", "message"])
async def test_a_channel(where: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    topic = f"{'custom' if where == 'message' else 'room'}:{kind}-{where}"
    async with with_bystanders() as (_, client):
        assert await client.ask(["3", "3", topic, "phx_join", {}]) == reply("3", "3", topic)
        await client.send(["3", "4", topic, "other" if where == "in" else "go", {}])
        message: Any = await client.json()
        while message[3] in ("handle_out", "intercepted"):
            message = await client.json()
        # Who has said that it ends normally is closed; whatever terminate does.
        assert message[2:4] == [topic, "phx_close" if where == "terminate" else "phx_error"]
        await eventually(lambda: complaints(caplog, logging.ERROR))
        expected = "phxactor.server.terminated" if where == "message" else "phxactor.channel.crashed"
        assert complaints(caplog, logging.ERROR)[0].name == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["connect", "init", "in", "info", "terminate"])
async def test_a_raw_socket(where: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with with_bystanders() as (server, _):
        path = f"/raw/websocket?when={kind}-{where}"
        if where == "connect":
            with pytest.raises(Rejected, match="500"):
                await server.connect(path)
            return
        async with await server.connect(path) as raw:
            with suppress(trio.BrokenResourceError):
                await raw.send("hello")
            assert (await raw.until_closed())[1] in (Closed(1011), Closed(1000))
        await eventually(lambda: complaints(caplog, logging.ERROR))
