"""All the ways in which uvicorn can be set up, and what is answered when an endpoint takes nobody."""

from __future__ import annotations

import asyncio
import errno
import importlib
import importlib.util
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import phxactor.uvicorn
from phxactor import Application, Channel, Endpoint, Ok, Socket, channel, get, mount, on
from phxactor.guest import GuestError
from phxactor.http import Request, Response
from phxactor.uvicorn._door import Door
from phxactor.uvicorn._forward import forward
from phxactor.uvicorn._take_over import TakeOver
from tests.certificates import SERVER
from tests.guest.test_guest import in_asyncio

UPGRADE = b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\n\r\n"


class Room(Channel):
    """Echoes."""

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)


class UserSocket(Socket, log=False):
    """Any room."""

    channels = (channel("room:*", Room),)


async def hello(request: Request) -> Response:
    return Response.text(request.path_params["name"])


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    return Endpoint(
        sockets=[mount("/socket", UserSocket, longpoll=True)], routes=[get("/hello/{name}", hello)], **options
    )


async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
    """Echo on WebSockets, and the path on HTTP."""
    if scope["type"] == "lifespan":
        for name in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{name}.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


async def start(server: phxactor.uvicorn.Server) -> asyncio.Task[None]:
    """Start a server, and wait until it listens."""
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), serving.exception()
        await asyncio.sleep(0.01)
    return serving


WAYS: dict[str, dict[str, Any]] = {
    f"{ws}, {http}": {"ws": ws, "http": http}
    for ws in ("auto", "websockets-sansio", "wsproto", "none")
    for http in ("h11", "httptools")
} | {
    "unix": {"uds": "app.sock"},
    "root path": {"root_path": "/prefix"},
    "no context": {"reset_contextvars": True},
    "uvloop": {"loop": "uvloop"},
}


@pytest.mark.socket
@pytest.mark.parametrize("way", WAYS)
def test_it_works_whatever_uvicorn_is_made_of(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = WAYS[way]

    async def main() -> None:
        server = phxactor.uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", **options), endpoint())
        serving = await start(server)
        if "uds" in options:
            base, transport = "http://localhost", httpx.AsyncHTTPTransport(uds="app.sock")
        else:
            base, transport = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", None

        def websocket(path: str) -> connect:
            url = base.replace("http", "ws") + path
            return unix_connect("app.sock", url) if "uds" in options else connect(url)

        async with (
            websocket("/socket/websocket?vsn=2.0.0") as ours,
            httpx.AsyncClient(base_url=base, transport=transport) as http,
        ):
            await ours.send('["1","1","room:a","phx_join",{}]')
            assert "ok" in str(await ours.recv())
            await ours.send('["1","2","room:a","echo","%s"]' % ("x" * 300_000))
            assert len(await ours.recv()) > 300_000
            if options.get("ws") == "none":
                with pytest.raises(InvalidStatus, match="404"):
                    await websocket("/other")
            else:
                async with websocket("/other") as theirs:
                    await theirs.send("hello")
                    assert await theirs.recv() == "hello"
            assert (await http.get("/socket/longpoll?vsn=2.0.0")).json()["status"] == 410
            assert (await http.get("/hello/you%20there")).text == "you there"
            assert (await http.get("/any/where")).text == options.get("root_path", "") + "/any/where"
            server.should_exit = True
            with suppress(ConnectionClosed):
                await ours.recv()
            assert ours.close_code == 1012
        await serving

    in_asyncio(main)


@pytest.mark.socket
def test_systemd_is_told_when_uvicorn_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

    async def starting(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        await asyncio.sleep(0.1)
        with suppress(BlockingIOError):
            told.append(manager.recv(100))
        await app(scope, receive, send)

    async def main() -> None:
        server = phxactor.uvicorn.Server(uvicorn.Config(starting, port=0, log_level="error"), endpoint())
        serving = await start(server)
        assert told == []
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(manager, 100) == b"READY=1"
        server.should_exit = True
        assert await loop.sock_recv(manager, 100) == b"STOPPING=1"
        await serving

    with manager:
        in_asyncio(main)


# ------------------------------------------------------------------------------------------ nobody is taken now


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:  # noqa: ANN401
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_a_websocket_is_refused_while_the_endpoint_does_not_run() -> None:
    transport = Transport()
    taking = TakeOver(Door(Application(endpoints=[endpoint()])), None)
    taking.connection_made(transport)
    taking.data_received(UPGRADE)
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    assert transport.closed
    taking.data_received(b"more")  # it is not looked at any more
    taking.pause_writing()
    taking.resume_writing()
    assert not taking.eof_received()
    taking.connection_lost(None)
    assert transport.written.count(b"HTTP/1.1") == 1


def test_a_request_is_refused_while_the_endpoint_does_not_run() -> None:
    sent: list[Any] = []

    async def main() -> None:
        async def send(message: Any) -> None:  # noqa: ANN401
            sent.append(message)

        async def receive() -> Any:  # noqa: ANN401
            raise AssertionError

        site = forward(app, Door(Application(endpoints=[endpoint()])))
        for path in ("/socket/longpoll", "/elsewhere"):
            scope: dict[str, Any] = {
                "type": "http",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": [],
            }
            await site(scope, receive, send)

    in_asyncio(main)
    assert [message.get("status") for message in sent] == [503, None, 200, None]


@pytest.mark.socket
def test_a_websocket_is_refused_without_descriptors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def main() -> None:
        server = phxactor.uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"), endpoint())
        serving = await start(server)
        url = f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/socket/websocket?vsn=2.0.0"
        monkeypatch.setattr(os, "dup", none_left)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(url)
        monkeypatch.undo()
        async with connect(url):
            server.should_exit = True
            await serving

    in_asyncio(main)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "cannot accept a connection: [Errno 24] Too many open files"
    ]


# ------------------------------------------------------------------------------------------------------ options


def test_without_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'phxactor\[uvicorn\]'"):
        importlib.reload(phxactor.uvicorn)


def test_options_that_cannot_be() -> None:
    for options in ({"workers": 2}, {"reload": True}):
        with pytest.raises(ValueError, match="start other programs, each with a runtime of its own"):
            phxactor.uvicorn.run("module:app", endpoint(), **options)
    with pytest.raises(ValueError, match="give the certificate to uvicorn"):
        phxactor.uvicorn.run(app, endpoint(tls=SERVER))
    with pytest.raises(
        ValueError, match="the endpoints 'endpoint' and 'other' both have a socket at /socket/websocket"
    ):
        phxactor.uvicorn.run(app, Application(endpoints=[endpoint(), endpoint(name="other")]))
    given: Any = app
    with pytest.raises(TypeError, match="give an Application or an Endpoint"):
        phxactor.uvicorn.run(app, given)


@pytest.mark.socket
def test_an_address_in_use_ends_both() -> None:
    """Both have ended when `SystemExit` comes out."""

    async def main() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SystemExit):
            await phxactor.uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"), endpoint()).serve()
        server.close()
        with suppress(GuestError):
            second = phxactor.uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"), endpoint())
            second.should_exit = True
            await second.serve()

    in_asyncio(main)
