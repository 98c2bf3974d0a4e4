"""The zoo beside an asyncio server: phxactor around uvicorn, which hands the sockets over.

python -m benchmarks.servers.around_uvicorn --port 4200 [--loop uvloop]

With `--messages` the sockets stay uvicorn's, and messages of ASGI become frames of a stream again: the other way to put
channels behind an ASGI server, with as little code as can be.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

import phxactor.uvicorn
from phxactor.guest import AsyncioSide, HostStream, open_guest, process_call
from phxactor.http import PeerData
from tests.conformance.zoo import endpoint

SHORT: Final = 126
"""Length of a message from which its frame has a longer head (RFC 6455 section 5.2)."""
OPENED: Final = b"\r\n\r\n"


def frame(data: bytes) -> bytes:
    """Return a text frame of a client; its mask is zero."""
    length = bytes([0x80 | len(data)]) if len(data) < SHORT else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + data


class Messages(AsyncioSide):
    """One client: what it sends becomes frames, and the other way round."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._output = b""
        self._opened = False
        self._news: asyncio.Queue[str | None] = asyncio.Queue()

    async def run(self) -> None:
        """Serve until the client leaves."""
        websocket, stream = self._websocket, HostStream(self)
        headers = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in websocket.scope["headers"]
            if name != b"sec-websocket-extensions"
        )
        stream.feed(b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n" + headers + b"\r\n")
        await process_of(stream)
        await websocket.accept()
        writing = asyncio.create_task(self._pass_on())
        async for text in websocket.iter_text():
            stream.feed(frame(text.encode()))
        stream.lose(reset=False)
        writing.cancel()

    async def _pass_on(self) -> None:
        while (text := await self._news.get()) is not None:
            await self._websocket.send_text(text)

    def write(self, data: bytes) -> None:
        """Take frames of the server apart."""
        self._output += data
        if not self._opened:
            _, found, self._output = self._output.partition(OPENED)
            self._opened = bool(found)
        while len(self._output) > 1:
            size, start = self._output[1], 2
            if size == SHORT:
                size, start = int.from_bytes(self._output[2:4], "big"), 4
            if len(self._output) < start + size:
                return
            self._news.put_nowait(self._output[start : start + size].decode())
            self._output = self._output[start + size :]

    def write_eof(self) -> None:
        """End."""
        self._news.put_nowait(None)

    def close(self) -> None:
        """End."""
        self._news.put_nowait(None)

    def wants_input(self) -> None:
        """Go on: the loads keep few messages outstanding."""


async def process_of(stream: HostStream) -> None:
    """Start the process of a client."""
    await process_call(endpoint.serve_stream, stream, PeerData("127.0.0.1", 1))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Hold the guest."""
    async with open_guest(endpoint, server=False):
        yield


async def serve(websocket: WebSocket) -> None:
    """Serve one client by messages."""
    await Messages(websocket).run()


async def nothing(
    scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer nothing: the site beside the zoo."""


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--loop", default="asyncio")
    parser.add_argument("--messages", action="store_true")
    chosen = parser.parse_args()
    options: dict[str, Any] = {"port": chosen.port, "loop": chosen.loop, "log_level": "warning"}
    if chosen.messages:
        app = Starlette(routes=[WebSocketRoute("/socket/websocket", serve)], lifespan=lifespan)
        uvicorn.run(app, ws_per_message_deflate=False, **options)
    else:
        phxactor.uvicorn.run(nothing, endpoint, lifespan="off", **options)


if __name__ == "__main__":
    main()
