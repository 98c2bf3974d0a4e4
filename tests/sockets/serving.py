"""An endpoint in the process of the test, on a free port, and what is left when its clients have gone."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, RawSocket, Socket, WebSocketOptions, mount
from phxactor.runtime import Runtime, open_runtime
from tests.conformance.client import Client
from tests.patience import PATIENCE


@attrs.frozen
class Server:
    """An endpoint that serves."""

    endpoint: Endpoint
    runtime: Runtime

    @property
    def port(self) -> int:
        assert self.endpoint.address is not None
        return self.endpoint.address.port

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    async def connect(self, path: str = "/socket/websocket?vsn=2.0.0", **options: Any) -> Client:  # noqa: ANN401
        """Connect a client."""
        return await Client.open(self.url(path), **options)

    async def request(self, data: bytes) -> tuple[int, bytes]:
        """Send bytes to the port; return the status of the answer, 0 without one, and the whole of it."""
        answer = b""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(data)
            with trio.fail_after(PATIENCE):
                while not _whole(answer) and (some := await stream.receive_some()):
                    answer += some
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0, answer

    def processes(self) -> int:
        return self.runtime.statistics().processes


def _whole(answer: bytes) -> bool:
    """Tell whether a response has come whole: the server may wait for the client to close first."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *([0-9]+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


@asynccontextmanager
async def serving(endpoint: Endpoint) -> AsyncIterator[Server]:
    """Serve an endpoint."""
    async with open_runtime() as runtime:
        (await endpoint.start_link(port=0)).unwrap()
        try:
            yield Server(endpoint, runtime)
        except BaseException:
            if isinstance(clock := trio.lowlevel.current_clock(), MockClock):
                clock.rate = 1.0  # the end of a test that has failed may need time
            raise


def mounted(handler: type[Socket | RawSocket], options: WebSocketOptions | None = None) -> Endpoint:
    """Make an endpoint with one socket, at `/socket`."""
    return Endpoint(sockets=[mount("/socket", handler, websocket=options or WebSocketOptions(check_origin=False))])


async def eventually(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until something is true: what happens behind a real socket tells nobody when it is done."""
    until = time.monotonic() + within
    while not condition() and time.monotonic() < until:
        await moment()
    assert condition()


async def moment() -> None:
    """Let two milliseconds pass, of the wall clock where that of the test stands still."""
    clock = trio.lowlevel.current_clock()
    if isinstance(clock, MockClock) and clock.autojump_threshold == math.inf:
        await trio.to_thread.run_sync(time.sleep, 0.002)
    else:
        await trio.sleep(0.002)


@asynccontextmanager
async def passing(clock: MockClock, step: float) -> AsyncIterator[None]:
    """Have a clock that stands still go by steps of so many seconds, until the block is left."""

    async def go() -> None:
        while True:
            await moment()
            clock.jump(step)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go)
        yield
        nursery.cancel_scope.cancel()


async def in_time(awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401
    """Await with patience."""
    with trio.fail_after(PATIENCE):
        return await awaitable


def complaints(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[logging.LogRecord]:
    """List what phxactor has logged, from a level on."""
    return [record for record in caplog.records if record.name.startswith("phxactor") and record.levelno >= level]
