"""A proxy that knows no WebSocket, as some companies have one; it passes on all else.

    python -m tests.longpoll.proxy http://127.0.0.1:4100 refuse|swallow

`refuse` answers a handshake with 403, `swallow` takes it and says nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Literal
from urllib.parse import urlsplit

import trio

from tests.conformance.server import ROOT

REFUSAL: Final = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_HANDSHAKE: Final = re.compile(rb"\r\nupgrade: *websocket\r\n", re.IGNORECASE)


async def main(url: str, mode: str) -> None:
    """Serve, and print where."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", flush=True)  # noqa: T201 - whoever starts it reads it
    await trio.serve_listeners(partial(_serve, url, mode), [listener])


async def _serve(url: str, mode: str, client: trio.SocketStream) -> None:
    try:
        head = b""
        while b"\r\n\r\n" not in head:
            some = await client.receive_some()
            if not some:
                return
            head += bytes(some)
        if _HANDSHAKE.search(head) is None:
            await _pass_on(url, client, head)
        elif mode == "refuse":
            await client.send_all(REFUSAL)
        else:
            while await client.receive_some():
                pass
    except* (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def _pass_on(url: str, client: trio.SocketStream, head: bytes) -> None:
    parts = urlsplit(url)
    async with await trio.open_tcp_stream(parts.hostname or "", parts.port or 80) as server:
        await server.send_all(head)
        async with trio.open_nursery() as nursery:
            for one, other in ((client, server), (server, client)):
                nursery.start_soon(_pump, one, other, nursery.cancel_scope)


async def _pump(one: trio.SocketStream, other: trio.SocketStream, scope: trio.CancelScope) -> None:
    while data := await one.receive_some():
        await other.send_all(data)
    scope.cancel()


@contextmanager
def proxying(url: str, mode: Literal["refuse", "swallow"]) -> Iterator[str]:
    """Run it; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.longpoll.proxy", url, mode], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
