"""Streams of a program's own that raise what no stream may: only their client is gone, and the log tells."""

from __future__ import annotations

import logging
from typing import Final, TypeAlias

import pytest
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, memory_stream_pair

from phxactor import Endpoint, RawSocket, WebSocketOptions, get, mount
from phxactor.http import Request, Response
from phxactor.net import events
from phxactor.runtime import open_runtime
from tests.patience import PATIENCE
from tests.runtime.actors import emitted
from tests.sockets.serving import eventually, in_time

WEBSOCKET: Final = (
    b"GET /raw/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO: Final = b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
WAIT: Final = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
ODD: Final = [
    OSError("the tunnel is gone"),
    LookupError("no such tunnel"),
    SystemExit(3),
    BaseExceptionGroup("two", [OSError("one"), KeyboardInterrupt()]),
]


Memory: TypeAlias = "trio.StapledStream[MemorySendStream, MemoryReceiveStream]"


class Tunnel(trio.abc.HalfCloseableStream):
    """A stream whose methods raise, once they are told to."""

    def __init__(self, inner: Memory, error: BaseException) -> None:
        self._inner = inner
        self._error = error
        self.broken: set[str] = set()
        self.raised: list[str] = []

    async def _pass(self, method: str) -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()
        if method in self.broken:
            self.raised.append(method)
            raise self._error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._pass("send_all")
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await self._pass("receive_some")
        return await self._inner.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self._pass("send_eof")
        await self._inner.send_eof()

    async def aclose(self) -> None:
        self._inner.receive_stream.close()
        self._inner.send_stream.close()
        await self._pass("aclose")


class Raw(RawSocket):
    """Echoes."""

    async def handle_in(self, data: str | bytes) -> str | bytes:
        return data


async def hello(request: Request) -> Response:
    return Response.text("hello")


async def wait(request: Request) -> Response:
    await trio.Event().wait()
    return Response.text("never")


def endpoint() -> Endpoint:
    raw = mount("/raw", Raw, websocket=WebSocketOptions(check_origin=False))
    return Endpoint(sockets=[raw], routes=[get("/hello", hello), get("/wait", wait)])


async def attach(served: Endpoint, error: BaseException) -> tuple[Memory, Tunnel]:
    ours, theirs = memory_stream_pair()
    tunnel = Tunnel(theirs, error)
    (await served.serve_stream(tunnel)).unwrap()
    return ours, tunnel


async def receive(stream: trio.abc.ReceiveStream, end: bytes) -> bytes:
    answer = b""
    while end not in answer and (some := await in_time(stream.receive_some())):
        answer += some
    return answer


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("what", "method"),
    [
        (what, method)
        for what in ("hello", "websocket", "wait")
        for method in ("send_all", "receive_some", "send_eof", "aclose")
        if (what, method) != ("wait", "send_all")  # to a client that has left, nothing is sent
    ],
)
async def test_a_stream_that_raises_takes_nobody_with_it(
    what: str, method: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    served = endpoint()
    async with open_runtime() as runtime:
        (await served.start_link(server=False)).unwrap()
        other, _ = await attach(served, error)
        await other.send_all(WEBSOCKET)
        assert b" 101 " in await receive(other, b"\r\n\r\n")
        processes = runtime.statistics().processes

        ours, tunnel = await attach(served, error)
        with emitted(events.stream_failed) as told:
            if what == "hello":
                tunnel.broken = {method}
                await ours.send_all(HELLO)
            elif what == "websocket":
                await ours.send_all(WEBSOCKET)
                assert b" 101 " in await receive(ours, b"\r\n\r\n")
                tunnel.broken = {method}
                await ours.send_all(b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0")
            else:
                await ours.send_all(WAIT)
                await trio.testing.wait_all_tasks_blocked()
                tunnel.broken = {method}
            await ours.send_eof()
            await eventually(lambda: tunnel.raised or method == "receive_some", PATIENCE)
            await eventually(lambda: runtime.statistics().processes == processes)
            await eventually(lambda: told or method == "receive_some" or (what, method) == ("hello", "send_all"))
        await trio.aclose_forcefully(ours)

        await other.send_all(b"\x81\x82\0\0\0\0hi")
        assert await receive(other, b"hi") == b"\x81\x02hi"
        await other.aclose()
    assert [record for record in caplog.records if record.levelno > logging.ERROR] == []
