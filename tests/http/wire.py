"""A connection of HTTP in memory, and what is said on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import h11
import pytest
import trio
from trio.testing import memory_stream_pair

from phxactor.http import BadRequest, HTTPConnection, PeerData, Request

MAX_BODY = 1000


PEER = PeerData("192.0.2.7", 50000)


HELLO = b"GET /hello?a=b HTTP/1.1\r\nHost: example.com\r\nX-Test: yes\r\n\r\n"


def head_of(size: int) -> bytes:
    """Make a head of so many bytes."""
    start = b"GET / HTTP/1.1\r\nhost: a\r\nx: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


class Wire:
    """A client's end of a connection, and what the server made of it."""

    def __init__(self) -> None:
        self.client, server = memory_stream_pair()
        self.server = server
        self.http = HTTPConnection(server, peer=PEER)

    async def send(self, data: bytes) -> None:
        await self.client.send_all(data)

    async def received(self) -> bytes:
        """Close the server's end, and read all that it has sent."""
        await self.server.send_eof()
        data = b""
        while some := await self.client.receive_some():
            data += some
        return data

    async def request(self) -> Request:
        """Read a request, with its body."""
        request = await self.http.next_request()
        assert request is not None
        return attrs.evolve(request, body=await self.http.read_body(MAX_BODY))

    async def refusal(self) -> BadRequest:
        with pytest.raises(BadRequest) as caught:
            await self.request()
        return caught.value


def statuses(data: bytes, method: bytes = b"GET") -> list[int]:
    """Read answers as a client does, to the end of the connection."""
    found = []
    while data:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "example.com")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        client.receive_data(b"")
        response = client.next_event()
        assert isinstance(response, h11.Response)
        found.append(response.status_code)
        while type(event := client.next_event()) is not h11.EndOfMessage:
            assert isinstance(event, h11.Data)
        data = client.trailing_data[0]
    return found


async def later(seconds: float, function: Callable[[bytes], Awaitable[None]], data: bytes) -> None:
    await trio.sleep(seconds)
    await function(data)
