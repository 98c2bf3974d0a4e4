"""Applications over real connections, TCP and TLS: what streams in memory cannot show."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
import trio

from phxactor import Endpoint
from phxactor.gateway import asgi, wsgi
from tests.certificates import CLIENT, SERVER
from tests.gateway.test_wsgi import echo
from tests.patience import PATIENCE
from tests.sockets.serving import serving

pytestmark = pytest.mark.socket


class App:
    """Answers `/size` with the size of the body, `/large` with much; else waits until its client has left."""

    def __init__(self) -> None:
        self.waits = trio.Event()
        self.told = trio.Event()
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        self.scope = scope
        if scope["path"] == "/wait":
            await receive()
            self.waits.set()
            assert (await receive())["type"] == "http.disconnect"
            self.told.set()
            return
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/large":
            for _ in range(100):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b"%d" % size})


@pytest.mark.parametrize("how", ["close", "reset", "close behind a pipelined request"])
@pytest.mark.parametrize("tls", [False, True])
async def test_a_client_that_leaves_is_told_at_once(how: str, tls: bool) -> None:
    app = App()
    endpoint = Endpoint(routes=[asgi("/", app, lifespan="off")], tls=SERVER if tls else None)
    async with serving(endpoint) as server:
        port = server.port
        client: Any = await trio.open_tcp_stream("127.0.0.1", port)
        sock = client.socket
        if tls:
            client = trio.SSLStream(client, CLIENT, server_hostname="app.test", https_compatible=True)
        request = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
        await client.send_all(request * (2 if "pipelined" in how else 1))
        with trio.fail_after(PATIENCE):
            await app.waits.wait()
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await trio.aclose_forcefully(client)
            await app.told.wait()
    assert app.scope["server"] == ("127.0.0.1", port)
    assert app.scope["scheme"] == ("https" if tls else "http")


@pytest.mark.parametrize("tls", [False, True])
async def test_much_goes_in_and_out_on_one_connection(tls: bool) -> None:
    endpoint = Endpoint(routes=[asgi("/", App(), lifespan="off")], tls=SERVER if tls else None)
    async with serving(endpoint) as server:
        client: Any = await trio.open_tcp_stream("127.0.0.1", server.port)
        if tls:
            client = trio.SSLStream(client, CLIENT, server_hostname="app.test", https_compatible=True)
        with trio.fail_after(PATIENCE):
            for _ in range(2):
                head = b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"
                await client.send_all(head + b"x" * 3_000_000)
                data = b""
                while not data.endswith(b"0\r\n\r\n"):
                    data += await client.receive_some()
                assert data.count(b"x") == 10_000_000
                assert data.endswith(b"7\r\n3000000\r\n0\r\n\r\n")
        await trio.aclose_forcefully(client)


async def test_wsgi_answers_on_a_port() -> None:
    async with serving(Endpoint(routes=[wsgi("/", echo)])) as server:
        status, answer = await server.request(b"GET /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert status == 200
        assert b"REMOTE_ADDR=127.0.0.1" in answer
        assert b"SERVER_PORT=%d" % server.port in answer
