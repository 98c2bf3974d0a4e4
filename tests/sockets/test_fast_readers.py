"""Who reads all that comes is no slow consumer, however much is written to him at once."""

from __future__ import annotations

from typing import Any, Final, Literal

import pytest

from phxactor import Channel, Socket, WebSocketOptions, channel
from phxactor.testing import settle
from tests.conformance.client import Client
from tests.endpoint.test_streams import attach
from tests.sockets.serving import Server, mounted, serving

pytestmark = pytest.mark.socket

LIMIT: Final = 6_000
BURST: Final = 5
"""Broadcasts of 4000 bytes: each alone is above half of the limit, where some begin to be missed."""


class Room(Channel):
    """Lets everybody in."""


class UserSocket(Socket, log=False):
    """With a room."""

    channels = (channel("room", Room),)


async def _connect(server: Server, over: str) -> Client:
    if over == "tcp":
        return await server.connect()
    return await Client.over(await attach(server), "ws://app.test/socket/websocket?vsn=2.0.0")


@pytest.mark.parametrize("over", ["tcp", "a stream"])
@pytest.mark.parametrize("policy", ["close", "drop"])
async def test_a_burst_reaches_who_reads(over: str, policy: Literal["close", "drop"]) -> None:
    options = WebSocketOptions(max_output_bytes=LIMIT, slow_consumer=policy)
    async with serving(mounted(UserSocket, options)) as server, await _connect(server, over) as client:
        await client.ask(["1", "1", "room", "phx_join", {}])
        for round_ in range(3):
            for number in range(BURST):
                server.endpoint.broadcast("room", "news", [round_, number, "x" * 4_000])
            for number in range(BURST):
                message: Any = await client.json()
                assert message[4][:2] == [round_, number]
            await settle()  # a stream has then been written to the end
