"""Channels of two workers call sharded servers: one tally for each topic, and an error reply for what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.conformance.client import Client
from tests.conformance.server import Zoo, serve_zoo

pytestmark = [pytest.mark.socket, pytest.mark.slow]

TOPICS = 8


async def joined(zoo: Zoo, topics: list[str]) -> tuple[Client, int]:
    """Join topics by a connection of its own; return it, and the process that serves it."""
    host = zoo.url.replace("http", "ws", 1)
    client = await Client.open(f"{host}/socket/websocket?vsn=2.0.0")
    for topic in topics:
        assert (await replied(client, topic, "phx_join", {}))["status"] == "ok"
    return client, (await replied(client, topics[0], "where", {}))["response"]["os_pid"]


async def replied(client: Client, topic: str, event: str, payload: object) -> Any:  # noqa: ANN401 - JSON
    answer = await client.ask([topic, "1", topic, event, payload])
    assert isinstance(answer, list)
    assert answer[2:4] == [topic, "phx_reply"]
    return answer[4]


async def of_both_workers(zoo: Zoo, topics: list[str]) -> list[Client]:
    """Connect until there is a client of each worker."""
    found: dict[int, Client] = {}
    for _ in range(200):
        client, process = await joined(zoo, topics)
        if found.setdefault(process, client) is not client:
            await client.stream.aclose()
        if len(found) == 2:
            return list(found.values())
    raise AssertionError(f"all clients came to {found}")


def test_channels_of_two_workers_ask_the_same_servers(tmp_path: Path) -> None:
    topics = [f"tally:{number}" for number in range(TOPICS)]
    owners: set[int] = set()

    async def play(zoo: Zoo) -> None:
        clients = await of_both_workers(zoo, topics)
        for topic in topics:
            seen = set()
            for total, client in enumerate(clients, 1):
                reply = await replied(client, topic, "add", {"count": 1})
                assert (reply["status"], reply["response"]["total"]) == ("ok", total)
                seen.add(reply["response"]["os_pid"])
            assert len(seen) == 1
            owners.update(seen)
        for client in clients:
            await client.stream.aclose()

    with serve_zoo(tmp_path, "--workers", "2") as zoo:
        trio.run(play, zoo)
    assert len(owners) == 2


def test_what_goes_wrong_with_a_server_is_an_error_reply(tmp_path: Path) -> None:
    """The channels stay, and the next message starts a server that has crashed."""

    async def play(zoo: Zoo) -> None:
        for client in await of_both_workers(zoo, ["tally:wrong"]):
            for event, reason in (("stay_silent", "timeout"), ("crash", "crashed")):
                reply = await replied(client, "tally:wrong", event, {})
                assert reply == {"status": "error", "response": {"reason": reason}}
            reply = await replied(client, "tally:wrong", "add", {"count": 3})
            assert (reply["status"], reply["response"]["total"]) == ("ok", 3)
            await replied(client, "tally:wrong", "crash", {})
            await client.stream.aclose()

    with serve_zoo(tmp_path, "--workers", "2") as zoo:
        trio.run(play, zoo)


def test_custom_channels_ask_them_too(tmp_path: Path) -> None:
    async def play(zoo: Zoo) -> None:
        for connection in range(1, 5):
            client = await Client.open(f"{zoo.url.replace('http', 'ws', 1)}/socket/websocket?vsn=2.0.0")
            assert (await replied(client, "custom:tally", "phx_join", {}))["status"] == "ok"
            reply = await replied(client, "custom:tally", "tally", ["add", 2])
            assert (reply["status"], reply["response"]["total"]) == ("ok", 2 * connection)
            await client.stream.aclose()
        client = await Client.open(f"{zoo.url.replace('http', 'ws', 1)}/socket/websocket?vsn=2.0.0")
        await replied(client, "custom:tally", "phx_join", {})
        reply = await replied(client, "custom:tally", "tally", "crash")
        assert reply == {"status": "error", "response": {"reason": "crashed"}}
        await client.stream.aclose()

    with serve_zoo(tmp_path, "--workers", "2") as zoo:
        trio.run(play, zoo)
