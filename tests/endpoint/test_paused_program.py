"""A program that is stopped by SIGSTOP for longer than its clients may be silent: when it goes on, none is closed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs
import orjson
import pytest
import trio

from tests.certificates import CERTIFICATE, CLIENT
from tests.conformance.client import Client
from tests.conformance.server import ROOT
from tests.endpoint.paused import TIMEOUT

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP"),
]

CLIENTS: Final = 20
HEARTBEAT: Final[list[object]] = [None, "7", "phoenix", "heartbeat", {}]
ALIVE: Final = [None, "7", "phoenix", "phx_reply", {"status": "ok", "response": {}}]


@attrs.frozen
class Paused:
    """A program, with or without TLS."""

    process: subprocess.Popen[str]
    port: int
    tls: bool

    async def attach(self) -> trio.abc.Stream:
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        if not self.tls:
            return stream
        secure = trio.SSLStream(stream, CLIENT, server_hostname="app.test", https_compatible=True)
        await secure.do_handshake()
        return secure

    async def connect(self, path: str) -> Client:
        return await Client.over(await self.attach(), f"ws://app.test{path}")


@contextmanager
def running(*, tls: bool) -> Iterator[Paused]:
    """Start a program; afterwards it has had nothing to complain of."""
    with CERTIFICATE.private_key_and_cert_chain_pem.tempfile() as certificate:
        command = [sys.executable, "-m", "tests.endpoint.paused", *([certificate] if tls else [])]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            try:
                yield Paused(process, int(process.stdout.readline()), tls)
                process.terminate()
                assert process.stdout.read() == ""
            finally:
                process.kill()
                process.wait()


async def poll(stream: trio.abc.Stream, token: str = "") -> None:
    await stream.send_all(f"GET /s/longpoll?vsn=2.0.0&token={token} HTTP/1.1\r\nHost: app.test\r\n\r\n".encode())


async def answer(stream: trio.abc.Stream) -> dict[str, object]:
    data = b""
    while not data.endswith(b"}"):
        some = await stream.receive_some()
        assert some, data
        data += some
    found: dict[str, object] = orjson.loads(data.partition(b"\r\n\r\n")[2])
    return found


@attrs.define
class Crowd:
    """The clients of a program."""

    program: Paused
    clients: list[Client]
    raw: list[Client]
    polling: trio.abc.Stream
    token: str

    @classmethod
    async def gather(cls, program: Paused) -> Crowd:
        clients = [await program.connect("/s/websocket?vsn=2.0.0") for _ in range(CLIENTS)]
        raw = [await program.connect("/raw/websocket") for _ in range(3)]
        polling = await program.attach()
        await poll(polling)
        crowd = cls(program, clients, raw, polling, str((await answer(polling))["token"]))
        await crowd.send()  # the machine may have taken long until here
        return crowd

    async def send(self) -> None:
        for client in self.clients:
            await client.send(HEARTBEAT)
        for client in self.raw:
            await client.send("alive")

    async def poll(self) -> None:
        if not self.program.tls:  # else a handshake would need an answer
            await trio.aclose_forcefully(self.polling)
            self.polling = await self.program.attach()  # it waits to be accepted
        await poll(self.polling, self.token)

    async def check(self) -> None:
        for client in self.clients:
            assert [await client.json(), await client.json()] == [ALIVE, ALIVE]
        for client in self.raw:
            assert [await client.next(), await client.next()] == ["alive", "alive"]
        assert (await answer(self.polling))["status"] == 204

    async def leave(self) -> None:
        for stream in (self.polling, *(client.stream for client in self.clients + self.raw)):
            await trio.aclose_forcefully(stream)


async def test_the_living_are_left_alone() -> None:
    with ExitStack() as stack, trio.fail_after(120):
        programs = [stack.enter_context(running(tls=tls)) for tls in (False, True)]
        crowds = [await Crowd.gather(program) for program in programs]
        for program in programs:
            program.process.send_signal(signal.SIGSTOP)
        await trio.sleep(TIMEOUT + 1)
        for crowd in crowds:
            await crowd.send()
            await crowd.poll()
            crowd.program.process.send_signal(signal.SIGCONT)
        for crowd in crowds:
            await crowd.check()
            await crowd.leave()
