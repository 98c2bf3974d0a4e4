"""The program of the page, served in the test's own process, and what clients behind a proxy see of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import attrs
import orjson
import trio

from phxactor import (
    SHUTDOWN,
    Channel,
    Down,
    Endpoint,
    LongPollOptions,
    Ok,
    Request,
    Response,
    Socket,
    WebSocketOptions,
    channel,
    get,
    monitor,
    mount,
    on,
    post,
    receive,
    unlink,
)
from phxactor.channels import Payload
from phxactor.runtime import Pid, open_runtime
from tests.conformance.client import Client
from tests.patience import PATIENCE
from tests.proxies.running import Proxy, free_port

SOURCE: Final = "127.0.0.2"
"""The address that clients of the tests have; the proxies' is 127.0.0.1."""
INFO: Any = ["peer_data", "uri", "x_headers"]


class Room(Channel):
    """Answers with what it is sent, and with what `connect` was told."""

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("info")
    async def info(self, payload: Payload) -> Ok[Any]:
        return Ok(self.assigns.info)


class UserSocket(Socket):
    """As on the page."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Payload, connect_info: dict[str, Any]) -> None:
        self.assign(info=connect_info)


async def who(request: Request) -> Response:
    return Response.text(f"{request.peer.address} {request.scheme} {request.authority}")


async def size(request: Request) -> Response:
    return Response.text(str(len(request.body)))


def shop(window: float = 10.0, **options: Any) -> Endpoint:  # noqa: ANN401
    """Make the endpoint of the page, with a few routes more."""
    sockets = [
        mount(
            "/socket",
            UserSocket,
            websocket=WebSocketOptions(connect_info=INFO),
            longpoll=LongPollOptions(connect_info=INFO, window=window),
        )
    ]
    routes = [get("/who", who), post("/size", size)]
    defaults: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"], "health": "/health"}
    return Endpoint(sockets=sockets, routes=routes, **defaults | options)


@attrs.define
class Shop:
    """The endpoint, on one port, however often it is started."""

    endpoint: Endpoint
    port: int
    pid: Pid

    async def stop(self) -> None:
        unlink(self.pid)  # else the test ends with it
        gone = monitor(self.pid)
        self.pid.exit(SHUTDOWN)
        await receive(lambda message: type(message) is Down and message.ref is gone)

    async def start(self) -> None:
        self.pid = (await self.endpoint.start_link(port=self.port)).unwrap()


@asynccontextmanager
async def serving_shop(endpoint: Endpoint) -> AsyncIterator[Shop]:
    """Serve on a port that stays the same over restarts."""
    port = free_port()
    async with open_runtime():
        yield Shop(endpoint, port, (await endpoint.start_link(port=port)).unwrap())


async def connect(
    proxy: Proxy, *, source: str = SOURCE, url: str | None = None, origin: str | None = None, **headers: str
) -> Client:
    """Open a WebSocket through a proxy, from an address of this machine. The proxy's own address is trusted."""
    stream = await trio.open_tcp_stream("127.0.0.1", proxy.port, local_address=source)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await Client.over(stream, url or proxy.url(), origin=origin, headers=named)


async def http(
    proxy: Proxy, target: str, *lines: str, method: str = "GET", body: bytes = b"", host: str | None = None
) -> tuple[int, bytes]:
    """Send a request through a proxy; return the status and the body."""
    head = [f"{method} {target} HTTP/1.1", f"host: {host or proxy.host}", *lines]
    if body or method == "POST":
        head.append(f"content-length: {len(body)}")
    data, length = b"", None
    with trio.fail_after(PATIENCE):
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port, local_address=SOURCE) as stream:
            with suppress(trio.BrokenResourceError):  # a refused body: the answer is on its way
                await stream.send_all("\r\n".join([*head, "", ""]).encode() + body)
            while length is None or len(data) < length:
                some = await stream.receive_some()
                assert some, data
                data += some
                top, ended, _ = data.partition(b"\r\n\r\n")
                if ended and length is None:
                    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", top)
                    length = len(top) + 4 + (int(found[1]) if found else 0)
    top, _, rest = data.partition(b"\r\n\r\n")
    return int(top[9:12]), rest


async def healthy(proxy: Proxy) -> None:
    """Wait until the proxy passes requests on: it asks for the health of its server first."""
    with trio.fail_after(PATIENCE):
        while (await http(proxy, "/health"))[0] != 200:  # noqa: ASYNC110 - what happens in a proxy tells nobody
            await trio.sleep(0.02)


async def info_of(proxy: Proxy, origin: str | None = None, **headers: str) -> dict[str, Any]:
    """Connect through a proxy, use the socket, and return what `connect` was told."""
    async with await connect(proxy, origin=origin, **headers) as client:
        await client.ask(["1", "1", "room:a", "phx_join", {}])
        reply: Any = await client.ask(["1", "2", "room:a", "info", {}])
        echo: Any = await client.ask(["1", "3", "room:a", "echo", {"text": "ü" * 20_000}])
        assert echo[4]["response"] == {"text": "ü" * 20_000}
    info = reply[4]["response"]
    assert isinstance(info, dict)
    return info


async def poll(proxy: Proxy, query: str = "", *lines: str, method: str = "GET", message: Any = None) -> tuple[int, Any]:  # noqa: ANN401
    """Send a request of long polling; return the status of HTTP and the body, decoded if it is JSON."""
    body = b"" if message is None else orjson.dumps(message)
    status, text = await http(proxy, f"/socket/longpoll?vsn=2.0.0{query}", *lines, method=method, body=body)
    return status, orjson.loads(text) if text.startswith(b"{") else text
