"""What a route and a raw socket see of the program's context variables: nothing (P18, TM21)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

import pytest
import trio

from phxactor import Endpoint, RawSocket, Request, Response, WebSocketOptions, get, mount
from phxactor.otp import Supervisor
from phxactor.runtime import open_runtime
from tests.conformance.client import Client

pytestmark = pytest.mark.socket

COLOUR: Final[ContextVar[str]] = ContextVar("colour", default="none")


class Raw(RawSocket):
    """Tells what it sees."""

    async def connect(self, params: object, info: object) -> None:
        self.seen = [COLOUR.get()]
        COLOUR.set("connected")

    async def handle_in(self, data: str | bytes) -> str:
        return ",".join([*self.seen, COLOUR.get()])


async def colour(_: Request) -> Response:
    seen = COLOUR.get()
    COLOUR.set("asked")
    return Response.text(seen)


async def test_P18_TM21_a_connection_starts_without_context_and_keeps_its_own() -> None:
    endpoint = Endpoint(
        sockets=[mount("/raw", Raw, websocket=WebSocketOptions(check_origin=False))], routes=[get("/colour", colour)]
    )
    async with open_runtime():
        COLOUR.set("red")
        (await Supervisor.start_link([endpoint.child_spec(port=0)])).unwrap()
        assert endpoint.address is not None
        port = endpoint.address.port
        async with await Client.open(f"ws://127.0.0.1:{port}/raw/websocket") as client:
            await client.send("?")
            assert await client.next() == "none,connected"
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /colour HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            async for data in stream:
                answer += data
            assert answer.endswith(b"none")
        assert COLOUR.get() == "red"
