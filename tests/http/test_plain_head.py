"""Plain requests for a WebSocket: what is taken apart here is what h11 would have read; all else is left to h11."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.http import PeerData, Request, plain_upgrade
from phxactor.http._plain_head import MAX_HEADERS, MAX_PLAIN

PEER = PeerData("127.0.0.1", 4000)
LINES = (
    b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1",
    b"Host: a.example",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
)


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


def by_h11(data: bytes) -> tuple[Request, bytes]:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert event.method == b"GET"
    assert event.http_version == b"1.1"
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    return Request("GET", event.target.decode(), tuple(event.headers), peer=PEER), connection.trailing_data[0]


def test_a_plain_request_and_what_is_behind_it() -> None:
    data = head(*LINES) + b"\x81\x80abcd"
    assert plain_upgrade(data, PEER, "http") == by_h11(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        head(*LINES)[:-1],
        head(*LINES).replace(b"\r\n", b"\n"),
        head(*LINES).replace(b"GET", b"POST"),
        head(*LINES).replace(b"HTTP/1.1", b"HTTP/1.0"),
        head(*LINES).replace(b"GET /", b"GET http://a.example/"),
        head(*LINES).replace(b"GET /", b"GET  /"),
        head(*LINES).replace(b"/socket", b"/%ff"),
        head(*LINES).replace(b"Host:", b"Host :"),
        head(*LINES).replace(b"Host:", b" Host:"),
        head(*LINES).replace(b"a.example", b"a\0example"),
        head(*LINES).replace(b"a.example", b"a\rexample"),
        head(*LINES).replace(b"a.example", b"a b/c@d"),
        head(*LINES).replace(b"HTTP/1.1", b"HTTP/2.0"),
        b"\r\n" + head(*LINES),
        head(*LINES[:1], *LINES[2:]),
        head(*LINES, LINES[1]),
        head(*LINES[:2], *LINES[3:]),
        head(*LINES, b"Content-Length: 0"),
        head(*LINES, b"Transfer-Encoding: chunked"),
        head(*LINES, b"Expect: 100-continue"),
        head(*LINES, b" folded"),
        head(*LINES, *[b"a: b"] * MAX_HEADERS),
        head(*LINES, b"a: " + b"b" * MAX_PLAIN),
    ],
)
def test_whatever_is_not_plain_is_left_to_h11(data: bytes) -> None:
    assert plain_upgrade(data, PEER, "http") is None


pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"Host: b", b"Upgrade: x", b"a:b", b"\x00", b"\xff", b"GET ", b"/", b"%"]
)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), pieces | st.binary(max_size=3)), max_size=4))
def test_what_is_taken_is_what_h11_reads(changes: list[tuple[int, int, bytes]]) -> None:
    """Heads with pieces put in or taken out anywhere: never is anything read that h11 refuses, or otherwise."""
    data = head(*LINES, b"X-Empty:", b"X-Spaces: \t a b \t ", b"X-Twice: 1", b"X-Twice: 2") + b"behind"
    for at, gone, piece in changes:
        data = data[:at] + piece + data[at + gone :]
    taken = plain_upgrade(data, PEER, "http")
    if taken is not None:
        assert taken == by_h11(data)
