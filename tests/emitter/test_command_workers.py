"""`phxactor broadcast` without a Redis: by the workers of this machine."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import trio

from phxactor import cli
from phxactor.client import connect
from tests.demos.program import Program, run, serving
from tests.patience import PATIENCE

SHOP = """
import os
from phxactor import Channel, Endpoint, Ok, Socket, channel, mount

class Room(Channel):
    async def join(self, topic, payload):
        return Ok({"process": os.getpid()})

class UserSocket(Socket):
    channels = [channel("room:*", Room)]

endpoint = Endpoint(sockets=[mount("/socket", UserSocket)])
"""


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody finds parents of other tests."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("PHXACTOR_REDIS", raising=False)


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.app(["broadcast", *arguments], result_action="return_value")
    assert isinstance(end.value.code, str)
    return end.value.code


async def heard_by_clients_of_two_workers(program: Program, say: list[str]) -> list[object]:
    """Run the command once both workers have clients; return what each client got before the last payload."""
    heard: list[object] = []
    processes: list[object] = []

    async def listen() -> None:
        async with connect(f"{program.url.replace('http', 'ws')}/socket/websocket") as socket:
            room = await socket.join("room:1")
            assert isinstance(room.response, dict)
            processes.append(room.response["process"])
            async for message in room:
                heard.append(message.payload)
                break

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            clients = 0
            while len(set(processes)) < 2:  # the kernel decides which worker gets a client
                nursery.start_soon(listen)
                clients += 1
                while len(processes) < clients:  # noqa: ASYNC110 - the clients are of this test
                    await trio.sleep(0.01)
            code, out, err = await trio.to_thread.run_sync(lambda: run("broadcast", *say))
            assert (code, err) == (0, ""), err
            assert out == f"a worker of process {program.process.pid} broadcasts it\n"
    assert len(heard) == clients
    return heard


@pytest.mark.slow
@pytest.mark.socket
async def test_the_workers_of_this_machine_broadcast_it(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    with serving("serve", "shop:endpoint", "--workers", "2", "--port", "0", cwd=tmp_path) as program:
        parent = str(program.process.pid)
        heard = await heard_by_clients_of_two_workers(program, ["room:1", "news", '{"n": [1, "grüße"]}'])
        assert all(payload == {"n": [1, "grüße"]} for payload in heard)
        long = "x" * 130_000
        heard = await heard_by_clients_of_two_workers(program, ["room:1", "news", f'"{long}"', "--workers", parent])
        assert all(payload == long for payload in heard)
        assert "at most 131072 bytes" in refused("room:1", "news", f'"{"x" * 131072}"')
        assert run("broadcast", "room:1", "news", "5", "--workers", "1")[0] == 1


def test_of_several_parents_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phxactor.cli.broadcast.parents", lambda: [17, 42])
    assert refused("room:1", "news", "{}").endswith("name one by --workers: 17, 42")


def test_nobody_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "no workers of this user run on this machine" in refused("room:1", "news", "{}")
    assert f"the process {os.getpid()} does not answer" in refused(
        "room:1", "news", "{}", "--workers", str(os.getpid())
    )
    assert "the payload is JSON" in refused("room:1", "news", "hello")
    assert "cannot be broadcast" in refused("room:1", "news", '"\\ud800"')
