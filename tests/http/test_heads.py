"""Heads that ask for a WebSocket, whole and in pieces: the plain parser and h11 read the same, and refuse the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import Endpoint, Socket, WebSocketOptions, mount
from phxactor.http._h11_stream import MAX_HEAD
from phxactor.runtime import open_runtime

TARGET = b"/socket/websocket?vsn=2.0.0&name=a"
LINES = (
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
)


class Named(Socket):
    """Tells what it was told."""

    seen: Any = None

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        Named.seen = params.get("name"), connect_info["uri"]["path"]


def head(
    target: bytes = TARGET, *lines: bytes, version: bytes = b"HTTP/1.1", host: bytes = b"Host: a.example"
) -> bytes:
    request = b"GET " + target + b" " + version
    return b"\r\n".join((request, *((host,) if host else ()), *LINES, *lines, b"", b""))


async def status_of(*pieces: bytes) -> int:
    """Send a head in pieces; return the status of the only answer to it."""
    options = WebSocketOptions(check_origin=["//a.example"], connect_info=["uri"])
    endpoint = Endpoint(sockets=[mount("/socket", Named, websocket=options)])
    Named.seen = None
    async with open_runtime():
        (await endpoint.start_link(server=False)).unwrap()
        ours, theirs = memory_stream_pair()
        (await endpoint.serve_stream(theirs)).unwrap()
        for piece in pieces:
            await ours.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        answer = bytes(await ours.receive_some())
        await ours.aclose()
    (status,) = re.findall(rb"HTTP/1.1 ([0-9]{3}) ", answer)
    return int(status)


RIGHT = {
    "as browsers send it": head(),
    "an empty line before it (RFC 9112 2.2)": b"\r\n" + head(),
    "empty lines before it": b"\r\n\r\n\r\n" + head(),
    "a fragment": head(TARGET + b"#top"),
    "a fragment of nothing": head(TARGET + b"#"),
    "a fragment with a query": head(TARGET + b"#top?name=b&vsn=9"),
    "a URL": head(b"http://a.example" + TARGET),
    "a URL with a fragment": head(b"http://a.example" + TARGET + b"#top"),
    "a host with a port": head(host=b"Host: a.example:4000"),
    "an address of IPv6": head(host=b"Host: [::1]:4000"),
    "an origin with a path": head(TARGET, b"Origin: https://a.example/"),
}

WRONG = {
    "no host (RFC 9112 3.2)": (head(host=b""), 400),
    "two hosts": (head(TARGET, b"Host: a.example"), 400),
    "a host that is none": (head(host=b"Host: a b/c@d"), 400),
    "a host with a path": (head(host=b"Host: a.example/b"), 400),
    "a host with a user": (head(host=b"Host: b@a.example"), 400),
    "a URL with a user": (head(b"http://b@a.example" + TARGET), 400),
    "HTTP/2.0": (head(version=b"HTTP/2.0"), 505),
    "HTTP/0.9": (head(version=b"HTTP/0.9"), 505),
    "HTTP/1.0 has no upgrade": (head(version=b"HTTP/1.0"), 400),
    "no version": (head(version=b"HTTP/"), 400),
    "a space before it": (b" " + head(), 400),
    "half an empty line before it": (b"\r" + head(), 400),
    "nothing but empty lines": (b"\r\n" * (MAX_HEAD // 2 + 1), 400),
    "a path that is not UTF-8": (head(b"/socket/%ff"), 400),
    "two origins": (head(TARGET, b"Origin: https://a.example", b"Origin: https://a.example"), 403),
    "a user for the host of an origin": (head(TARGET, b"Origin: https://a.example@b.example"), 403),
}


def ways(data: bytes) -> list[tuple[bytes, ...]]:
    """Cut a head: not at all, behind its first two bytes, and before its last."""
    return [(data,), (data[:1], data[1:]), (data[:2], data[2:]), (data[:-1], data[-1:])]


@pytest.mark.parametrize("data", RIGHT.values(), ids=RIGHT)
async def test_what_is_right_is_let_in_however_it_comes(data: bytes, autojump_clock: MockClock) -> None:
    for pieces in ways(data):
        assert await status_of(*pieces) == 101
        assert Named.seen == ("a", "/socket/websocket")


@pytest.mark.parametrize(("data", "status"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_refused_however_it_comes(data: bytes, status: int, autojump_clock: MockClock) -> None:
    for pieces in ways(data):
        assert await status_of(*pieces) == status
        assert Named.seen is None
