"""The programs of docs/client.md, against the zoo and in virtual time."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.client.network import URL, call, open_network
from tests.conformance.server import ROOT, serve_zoo
from tests.patience import PATIENCE

PAGE = (ROOT / "docs" / "client.md").read_text()


@pytest.fixture
def page() -> dict[str, Any]:
    """What the page defines."""
    namespace: dict[str, Any] = {"__name__": "client"}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(block, namespace)  # noqa: S102 - this is what the test is about
    return namespace


@pytest.mark.socket
async def test_the_chat(page: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_zoo(tmp_path) as zoo, trio.fail_after(PATIENCE):
        await page["chat"](f"{zoo.url.replace('http', 'ws')}/socket/websocket")
    assert capsys.readouterr().out == ("joined: {'hello': 'lobby'}\nreply: {'n': 1}\nbroadcast {'body': 'hello'}\n")


async def test_a_channel_is_followed_over_losses(page: dict[str, Any], autojump_clock: MockClock) -> None:
    shown: list[str] = []
    async with open_network() as network, call(network) as socket, trio.open_nursery() as nursery:
        peer = await network.peer()
        room = await socket.join("room:1", max_queued=2)
        for number in range(3):
            await peer.send("room:1", "news", number)
        await trio.sleep(1)
        nursery.start_soon(page["follow"], room, shown.append)
        await peer.send("room:1", "phx_error", {}, join_ref=peer.said("phx_join")[0].join_ref)
        await trio.sleep(2)
        await room.leave()
    assert shown == ["1 messages missed", "news: 1", "news: 2", "joined again, and missed something perhaps"]


async def test_the_statuses(
    page: dict[str, Any], autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_network() as network, call(network, on_status=page["show"]) as socket:
        room = await socket.join("room:1")
        peer = await network.peer()
        await peer.send("room:1", "phx_error", {}, join_ref=peer.said("phx_join")[0].join_ref)
        await anext(room)
        await peer.websocket.aclose(1012)
        await anext(room)
    assert capsys.readouterr().out.splitlines() == [
        *("connecting ...", "connected", "room:1: joined"),
        "room:1: the channel of 'room:1' has crashed on the server; again in 1 s",
        "room:1: joined",
        "the connection was lost with close code 1012; again in 0.01 s",
        *("connecting ...", "connected", "room:1: joined"),
    ]


async def test_tokens_are_fresh(page: dict[str, Any], autojump_clock: MockClock) -> None:
    calls: Counter[str] = Counter()

    async def fetch_token() -> str:
        calls["token"] += 1
        return f"token {calls['token']}"

    async with open_network() as network, trio.open_nursery() as nursery:

        async def run() -> None:
            await page["with_fresh_tokens"](URL, fetch_token, open_stream=network.open_stream)

        nursery.start_soon(run)
        peers = []
        for _ in range(3):
            peers.append(await network.peer())
            await trio.sleep(1)
            await peers[-1].hang_up()
        nursery.cancel_scope.cancel()
    assert len({peer.subprotocols[1] for peer in peers}) == 3
    assert len({str(peer.said("phx_join")[0].payload) for peer in peers}) == 3


@pytest.mark.socket
async def test_a_unix_socket(page: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with trio.socket.socket(trio.socket.AF_UNIX) as sock:
        await sock.bind(str(path))
        sock.listen()
        async with open_network() as network, trio.open_nursery() as nursery:

            async def accept() -> None:
                connection, _ = await sock.accept()
                network.serve(trio.SocketStream(connection))

            nursery.start_soon(accept)
            async with page["over_unix"](str(path)) as socket:
                await socket.join("room:1")
