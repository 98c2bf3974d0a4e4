"""Clients that others have made, in Python: they join, push, hear, and come back after their connection is lost."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import trio

from phxactor import KILL, Endpoint, channel, mount
from tests.conformance.zoo import OPEN, RoomChannel, UserSocket
from tests.patience import PATIENCE
from tests.sockets.serving import Server, eventually, serving

OWN: Final = Path(sys.prefix) / "clients" / "bin" / "python"
"""Where `make` installs them."""
PYTHON: Final = OWN if OWN.exists() else Path(sys.executable) if importlib.util.find_spec("realtime") else None

pytestmark = [
    pytest.mark.socket,
    pytest.mark.skipif(PYTHON is None, reason="there are no clients of others: `make test` installs them"),
]


class Socket(UserSocket):
    """supabase's topics all begin alike."""

    channels = (*UserSocket.channels, channel("realtime:*", RoomChannel))


class Program:
    """One of the programs in this folder, which says line by line what happens to it."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._said = b""

    async def say(self) -> None:
        """Have it go on."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(b"\n")

    async def hear(self) -> Any:  # noqa: ANN401 - JSON
        """Read a line."""
        assert self.process.stdout is not None
        with trio.fail_after(PATIENCE):
            while b"\n" not in self._said:
                some = await self.process.stdout.receive_some()
                assert some, "the program has ended"
                self._said += bytes(some)
        line, _, self._said = self._said.partition(b"\n")
        return orjson.loads(line)

    async def hear_all(self, count: int) -> list[Any]:
        return [await self.hear() for _ in range(count)]


@asynccontextmanager
async def playing(name: str, path: str, errors: Path) -> AsyncIterator[tuple[Server, Program]]:
    """Serve, and have a program play; it must end by itself, with 0."""
    endpoint = Endpoint(sockets=[mount("/socket", Socket, websocket=OPEN)])
    program = Path(__file__).with_name(f"{name}.py")
    with errors.open("wb") as log:
        async with serving(endpoint) as server:
            process = await trio.lowlevel.open_process(
                [str(PYTHON), str(program), server.url(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log.fileno(),
            )
            try:
                yield server, Program(process)
                with trio.fail_after(PATIENCE):
                    assert await process.wait() == 0
            finally:
                process.kill()


async def cut_off(server: Server, how: str) -> None:
    """End the client's connection: in order, or by the death of its process."""
    if how == "disconnect":
        server.endpoint.broadcast("users_socket:7", "disconnect", {})
        return
    connections = [pid for pid in server.runtime.processes.values() if pid.initial_call == "Connection"]
    assert connections
    for pid in connections:
        pid.exit(KILL)
    await eventually(lambda: not any(pid.alive for pid in connections))


async def test_realtime(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    async with playing("with_realtime", "/socket", errors) as (server, program):
        told = [["acknowledged"], ["news", {"number": 1}]]
        assert await program.hear_all(3) == [["SUBSCRIBED"], *told]
        for number, how in ((2, "disconnect"), (3, "kill")):
            await cut_off(server, how)
            await program.say()
            told = [["acknowledged"], ["news", {"number": number}]]
            assert await program.hear_all(4) == [["CHANNEL_ERROR"], ["SUBSCRIBED"], *told]
        await program.say()
        assert await program.hear() == ["CLOSED"]
    assert "Unrecognized" not in errors.read_text()


async def test_phxsocket(tmp_path: Path) -> None:
    async with playing("with_phxsocket", "/socket/websocket", tmp_path / "errors") as (server, program):
        for number in (1, 2, 3):
            payload = {"number": number}
            assert await program.hear_all(4) == [
                ["joined", {"hello": "lobby"}],
                ["heard", payload],
                ["echo", {"status": "ok", "response": payload}],
                ["reply_error", {"status": "error", "response": payload}],
            ]
            await program.say()
            if number < 3:
                await cut_off(server, ["disconnect", "kill"][number - 1])
                assert await program.hear() == ["lost"]
