"""The program that is attacked, as a process of its own, and what it weighs."""

from __future__ import annotations

import ssl
import sys
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
import trio

from tests.certificates import CERTIFICATE, CLIENT
from tests.conformance.client import Client
from tests.forked import Started, start
from tests.patience import PATIENCE

MEGABYTE = 1_000_000
SLACK = 24 * MEGABYTE
"""What a program grows by in any case: buffers that come and go, arenas that are not given back."""
CLIENTS = 8
FLOOD = 0.7
"""Seconds in which a client sends as much as it can: what is kept of that is many times what may be."""
PROCESS_CLOCK = 2
"""What Linux adds to a process's id in the number of its clock (CPUCLOCK_SCHED)."""
MARKS = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from Linux's /proc"),
]


@attrs.frozen
class Target:
    """A program that runs."""

    process: Started
    port: int
    tls: ssl.SSLContext | None

    async def stream(self) -> trio.abc.Stream:
        """Open a connection."""
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        if self.tls is not None:
            stream = trio.SSLStream(stream, self.tls, server_hostname="app.test", https_compatible=True)
        return stream

    async def connect(self, path: str, *, compress: bool = False) -> Client:
        """Connect a client by WebSocket."""
        return await Client.over(await self.stream(), f"ws://app.test{path}/websocket?vsn=2.0.0", compress=compress)

    async def ask(self, data: bytes) -> bytes:
        """Send a request and return the answer."""
        stream = await self.stream()
        try:
            await stream.send_all(data)
            answer = b""
            while some := await stream.receive_some():
                answer += some
            return answer
        finally:
            await trio.aclose_forcefully(stream)

    async def broadcast(self, megabytes: int) -> int:
        """Have so much broadcast; return how many broadcasts that were."""
        path = f"/broadcast?megabytes={megabytes}".encode()
        return int((await self.ask(b"GET " + path + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).split()[-1])

    def work(self) -> float:
        """Return the seconds that the processor has worked for it, in all its threads."""
        return time.clock_gettime(~self.process.pid << 3 | PROCESS_CLOCK)

    def peak(self) -> int:
        """Return the bytes of memory that it has ever had at once."""
        return self._status("VmHWM")

    async def at_rest(self) -> int:
        """Return the bytes of memory that it has, once those who have left were noticed."""
        await trio.sleep(0.5)
        return self._status("VmRSS")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))


@contextmanager
def running(*arguments: str, tls: bool = False, stderr: int | None = None) -> Iterator[Target]:
    """Start the program; afterwards it must still be there, or have ended in order."""
    with CERTIFICATE.private_key_and_cert_chain_pem.tempfile() as certificate:
        process = start("tests.attacks.server", *arguments, *([certificate] if tls else []), stderr=stderr)
        assert process.stdout is not None
        with process.stdout:
            try:
                yield Target(process, int(process.stdout.readline()), CLIENT if tls else None)
                assert not process.poll()
            finally:
                process.kill()
                process.wait()


@asynccontextmanager
async def attacked(*arguments: str, tls: bool = False) -> AsyncIterator[Target]:
    """Start the program, and warm it up."""
    with running(*arguments, tls=tls) as target:
        for _ in range(5):
            client = await target.connect("/close")
            await client.ask(["1", "1", "room:1", "phx_join", {}])
            await target.broadcast(1)
            await trio.aclose_forcefully(client.stream)
        yield target


async def pour(stream: trio.abc.Stream, data: bytes, seconds: float, *, every: float = 0.0) -> int:
    """Send the same again and again, or every so many seconds, and never read; return how many bytes were taken."""
    sent = 0
    with trio.move_on_after(seconds):
        try:
            while True:
                await stream.send_all(data)
                sent += len(data)
                await trio.sleep(every)
        except trio.BrokenResourceError:
            pass
    return sent


async def first_line(stream: trio.abc.Stream) -> bytes:
    """Read an answer's first line; empty without one."""
    try:
        with trio.fail_after(PATIENCE):
            return bytes(await stream.receive_some()).split(b"\r\n", 1)[0]
    except trio.BrokenResourceError:
        return b""


def deflated(text: bytes) -> bytes:
    """Compress a message as a client does (RFC 7692 section 7.2.1)."""
    deflate = zlib.compressobj(wbits=-12)
    return (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def session(target: Target, path: str = "/close/longpoll") -> str:
    """Open a session of long polling and join; return where it is."""

    async def ask(method: str, where: str, body: bytes = b"") -> Any:  # noqa: ANN401
        head = f"{method} {where} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        return orjson.loads((await target.ask(head.encode() + body)).split(b"\r\n\r\n", 1)[1])

    where = f"{path}?vsn=2.0.0"
    where += f"&token={(await ask('GET', where))['token']}"
    assert (await ask("POST", where, b'["1","1","room:1","phx_join",{}]'))["status"] == 200
    return where


def posting(where: str, body: bytes, connection: str = "keep-alive") -> bytes:
    """Make a request that publishes to a session."""
    head = f"POST {where} HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\nconnection: {connection}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
