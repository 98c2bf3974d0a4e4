"""Text that many clients get is one object for all of them, and each client gets it whole, whatever its transport."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from phxactor import Channel, Endpoint, LongPollOptions, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import HandleResult, Payload
from phxactor.runtime import open_runtime
from phxactor.socket import push_text
from phxactor.socket._shared import LONG
from phxactor.testing import connect
from tests.conformance.client import Client
from tests.endpoint.test_streams import attach
from tests.longpoll.polling import Client as Polling
from tests.sockets.serving import moment, mounted, serving

SIZES: Final = (10, LONG - 1, LONG, 70_000, 900_000)


def text_of(size: int) -> bytes:
    """Return JSON of so many bytes; one object for each size."""
    return TEXTS.setdefault(size, b'{"x":"' + b"x" * (size - 8) + b'"}')


TEXTS: dict[int, bytes] = {}


class Room(Channel):
    """Pushes texts."""

    @on("ask")
    async def ask(self, payload: Payload) -> HandleResult:
        for size in payload["sizes"]:
            self.push("before", {"size": size})
            push_text(self.socket, "text", text_of(size))
            self.push("after", {})
        return Ok()


class UserSocket(Socket, log=False):
    """With a room."""

    channels = (channel("room:*", Room),)


def expected(sizes: tuple[int, ...]) -> list[tuple[str, Any]]:
    each = [[("before", {"size": size}), ("text", orjson.loads(text_of(size))), ("after", {})] for size in sizes]
    return [message for one in each for message in one]


@pytest.mark.socket
@pytest.mark.parametrize("over", ["tcp", "compressed", "version 1", "a stream"])
async def test_each_transport_sends_it_whole_and_in_its_place(over: str) -> None:
    options = WebSocketOptions(check_origin=False, compress=over == "compressed")
    async with serving(mounted(UserSocket, options)) as server:
        if over == "a stream":
            client = await Client.over(await attach(server), "ws://app.test/socket/websocket?vsn=2.0.0")
        else:
            version = "1.0.0" if over == "version 1" else "2.0.0"
            client = await server.connect(f"/socket/websocket?vsn={version}", compress=over == "compressed")
        async with client:
            message: Any
            if over == "version 1":
                join = {"topic": "room:1", "event": "phx_join", "payload": {}, "ref": "1"}
                await client.ask(join)
                await client.send({**join, "event": "ask", "payload": {"sizes": SIZES}, "ref": "2"})
                for event, payload in expected(SIZES):
                    message = await client.json()
                    assert (message["event"], message["payload"]) == (event, payload)
            else:
                await client.ask(["1", "1", "room:1", "phx_join", {}])
                await client.send(["1", "2", "room:1", "ask", {"sizes": SIZES}])
                for event, payload in expected(SIZES):
                    assert await client.json() == ["1", None, "room:1", event, payload]


@pytest.mark.socket
async def test_a_client_that_reads_late_gets_all() -> None:
    options = WebSocketOptions(check_origin=False, max_output_bytes=50_000_000)
    async with serving(mounted(UserSocket, options)) as server, await server.connect() as client:
        await client.ask(["1", "1", "room:1", "phx_join", {}])
        sizes = (900_000,) * 20
        await client.send(["1", "2", "room:1", "ask", {"sizes": sizes}])
        await moment()
        for event, payload in expected(sizes):
            assert await client.json() == ["1", None, "room:1", event, payload]


async def test_over_long_polling_and_in_a_test(autojump_clock: object) -> None:
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, longpoll=LongPollOptions(check_origin=False))])
    async with serving(endpoint):
        polling = Polling(endpoint)
        await polling.open()
        await polling.join("room:1")
        await polling.publish(["1", "2", "room:1", "ask", {"sizes": [10, 70_000]}])
        assert [(message[3], message[4]) for message in await polling.messages()][:6] == expected((10, 70_000))
    async with open_runtime():
        client = await connect(UserSocket)
        room = await client.join("room:1")
        room.push("ask", {"sizes": [70_000]})
        await room.assert_push("text", orjson.loads(text_of(70_000)))
