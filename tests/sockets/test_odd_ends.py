"""A reason or an exception whose own code raises ends one raw socket, one connect, one request: the server stays."""

from __future__ import annotations

import logging
from typing import Final

import pytest
import trio

from phxactor import Endpoint, Error, RawSocket, Request, Response, Socket, Stop, WebSocketOptions, get, mount
from phxactor.otp import Supervisor
from phxactor.runtime import open_runtime
from phxactor.telemetry import EVENTS
from tests.conformance.client import Client, Closed, Rejected
from tests.otp.test_odd_values import ENDINGS

pytestmark = pytest.mark.socket

NAMES: Final = list(ENDINGS)


class Raw(RawSocket):
    """Ends as the first message says."""

    async def handle_in(self, data: str | bytes) -> str | Stop:
        if data == "echo":
            return "echo"
        return Stop(ENDINGS[str(data)]())


class Refusing(Socket):
    """Refuses with a reason that is odd, or raises."""

    async def connect(self, params: object) -> Error:
        return Error(ENDINGS[str(params["name"])]())  # type: ignore[index]

    def identify(self) -> str:
        return "nobody"


async def raises(request: Request) -> Response:
    ENDINGS[str(request.params["name"])]()
    return Response.text("a reason\n")


@pytest.mark.parametrize("name", NAMES)
async def test_an_odd_end_is_that_of_one_connection(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = {one: event.handlers for one, event in EVENTS.items()}
    options = WebSocketOptions(check_origin=False)
    endpoint = Endpoint(
        sockets=[mount("/raw", Raw, websocket=options), mount("/refusing", Refusing, websocket=options)],
        routes=[get("/raises", raises)],
    )
    async with open_runtime():
        supervisor = (await Supervisor.start_link([endpoint.child_spec(port=0)])).unwrap()
        assert endpoint.address is not None
        port = endpoint.address.port
        async with await Client.open(f"ws://127.0.0.1:{port}/raw/websocket") as other:
            async with await Client.open(f"ws://127.0.0.1:{port}/raw/websocket") as client:
                await client.send(name)
                assert await client.next() == Closed(1011)
            with pytest.raises(Rejected) as rejected:
                await Client.open(f"ws://127.0.0.1:{port}/refusing/websocket?name={name.replace(' ', '+')}")
            assert rejected.value.status == (403 if name.startswith("reason") else 500)
            assert await _status(port, name) == (200 if name.startswith("reason") else 500)
            await other.send("echo")
            assert await other.next() == "echo"
        assert supervisor.alive
    assert {one: event.handlers for one, event in EVENTS.items()} == before


async def _status(port: int, name: str) -> int:
    """Ask the route, and read the status."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        target = f"/raises?name={name.replace(' ', '+')}"
        await stream.send_all(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return int((await stream.receive_some(4096)).split()[1])
