"""What a client's frames do to its connection, on real sockets: RFC 6455, section by section."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Mapping

import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, WebSocketOptions, mount
from phxactor.socket import Message
from phxactor.telemetry import Event
from phxactor.transport import events
from tests.conformance.client import Client, Closed, Pong
from tests.conformance.zoo import EchoSocket, UserSocket
from tests.sockets.serving import Server, complaints, eventually, in_time, passing, serving
from tests.transport.frames import BINARY, CLOSE, CONT, PING, PONG, RSV1, TEXT, close_frame, frame

pytestmark = pytest.mark.socket

LIMIT = 65536
TIMEOUT = 10.0
"""Seconds of silence; less than the patience of the client."""
SOCKET, ECHO = "/socket/websocket?vsn=2.0.0", "/echo/websocket"
HEARTBEAT = b'[null,"1","phoenix","heartbeat",{}]'
HEARD = [None, "1", "phoenix", "phx_reply", {"status": "ok", "response": {}}]
PLAIN = WebSocketOptions(check_origin=False, max_frame_size=LIMIT)
QUIET = WebSocketOptions(check_origin=False, timeout=TIMEOUT)
COMPRESSED = WebSocketOptions(check_origin=False, max_frame_size=LIMIT, compress=True)


def endpoint(options: WebSocketOptions = PLAIN) -> Endpoint:
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=options), mount("/echo", EchoSocket, websocket=options)]
    )


def address(client: Client) -> str:
    assert isinstance(client.stream, trio.SocketStream)
    host, port = client.stream.socket.getsockname()
    return f"{host}:{port}"


WRONG = {
    "not masked (5.1)": (frame(TEXT, HEARTBEAT, masked=False), 1002),
    "not masked, and long": (frame(TEXT, b"x" * 300, masked=False), 1002),
    "not masked ping": (frame(PING, masked=False), 1002),
    "first reserved bit (5.2)": (frame(TEXT, HEARTBEAT, bits=0x40), 1002),
    "second reserved bit": (frame(TEXT, HEARTBEAT, bits=0x20), 1002),
    "third reserved bit": (frame(BINARY, HEARTBEAT, bits=0x10), 1002),
    "reserved bit of a ping": (frame(PING, bits=0x20), 1002),
    **{f"reserved opcode {opcode}": (frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "ping too long (5.5)": (frame(PING, b"x" * 126), 1002),
    "pong too long": (frame(PONG, b"x" * 60000), 1002),
    "close too long": (close_frame(1000, b"x" * 124), 1002),
    "ping in fragments": (frame(PING, b"x", fin=False), 1002),
    "close in fragments": (frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    "continuation of nothing (5.4)": (frame(CONT, HEARTBEAT), 1002),
    "continuation of nothing, not the last": (frame(CONT, HEARTBEAT, fin=False), 1002),
    "text within a text": (frame(TEXT, b"[", fin=False) + frame(TEXT, HEARTBEAT), 1002),
    "bytes within a text": (frame(TEXT, b"[", fin=False) + frame(BINARY, HEARTBEAT), 1002),
    "fragments within fragments": (frame(TEXT, b"[", fin=False) + frame(TEXT, b"[", fin=False), 1002),
    "continuation of what has ended": (
        frame(TEXT, HEARTBEAT[:5], fin=False) + frame(CONT, HEARTBEAT[5:]) + frame(CONT, b"]"),
        1002,
    ),
    "close of one byte (5.5.1)": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"close with {code} (7.4)": (close_frame(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "close with a reason that is not UTF-8": (close_frame(1000, b"\xff\xfe"), 1007),
    "text that is not UTF-8 (8.1)": (frame(TEXT, b'["\xff"]'), 1007),
    "text that is half of UTF-8": (frame(TEXT, "€".encode()[:2]), 1007),
    "UTF-8 of a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "text in fragments that is not UTF-8": (frame(TEXT, b'["\xff', fin=False) + frame(CONT, b'"]'), 1007),
    "too big": (frame(TEXT, b"", size=LIMIT + 1), 1009),
    "too big, and there": (frame(BINARY, b"x" * (LIMIT + 1)), 1009),
    "far too big": (frame(TEXT, b"", size=2**62), 1009),
    "0 in two bytes (5.2)": (b"\x81\xfe\x00\x00\x01\x02\x03\x04", 1002),
    "5 in eight bytes": (b"\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05\0\0\0\0hello", 1002),
    "beyond 63 bits": (frame(TEXT, b"", size=2**64 - 1), 1009),
    "too big in fragments": (frame(TEXT, b"x" * LIMIT, fin=False) + frame(CONT, b"x", fin=False), 1009),
}


@pytest.mark.parametrize("path", [SOCKET, ECHO])
@pytest.mark.parametrize(("data", "code"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_closes_the_connection(
    path: str, data: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(endpoint()) as server, await server.connect(SOCKET) as other:
        before = server.processes()
        async with await server.connect(path) as client:
            await client.send_bare(data + frame(TEXT, HEARTBEAT))
            events, end = await client.until_closed()
            heard = [event for event in events if event != (HEARTBEAT[:5] + HEARTBEAT[5:]).decode()]
            assert [event for event in heard if "phx_reply" not in str(event)] == []
            assert end.code == code
            (line,) = complaints(caplog)
            assert line.exc_info is None
            assert address(client) in line.message
            assert str(code) in line.message
        await eventually(lambda: server.processes() == before)
        assert await other.ask([None, "1", "phoenix", "heartbeat", {}]) == HEARD


HEADS = {
    "not masked": frame(TEXT, masked=False, size=60000)[:2],
    "a reserved bit": frame(TEXT, bits=0x20, size=60000)[:2],
    "a reserved opcode": frame(5, size=60000)[:2],
    "a reserved control opcode": frame(15, size=3)[:2],
    "a ping too long": frame(PING, size=126)[:2],
    "a close in fragments": frame(CLOSE, fin=False, size=2)[:2],
    "125 in two bytes": b"\x81\xfe\x00\x7d",
    "65535 in eight bytes": b"\x82\xff" + (65535).to_bytes(8, "big"),
}


@pytest.mark.parametrize("path", [SOCKET, ECHO])
@pytest.mark.parametrize("options", [PLAIN, COMPRESSED], ids=["plain", "compressed"])
@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS)
async def test_a_head_is_refused_before_the_rest_has_come(
    path: str, options: WebSocketOptions, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint(options)) as server:
        async with await server.connect(path, compress=options.compress) as client:
            await client.send_bare(data)
            assert (await client.until_closed())[1].code == 1002
        (line,) = complaints(caplog)
        assert line.exc_info is None


async def test_a_wrong_frame_ends_all_that_follows_it() -> None:
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        await client.send_bare(frame(TEXT, b"1") + frame(3) + frame(TEXT, b"2") + frame(PING))
        assert await client.until_closed() == (["1"], Closed(1002, "invalid opcode"))


# ------------------------------------------------------------------------------------------------- right ones


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
async def test_messages_of_every_length_of_a_head(size: int) -> None:
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        for message in ("x" * size, b"\0" * size):
            await client.send(message)
            assert await client.next() == message


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 6, 7, 20])
async def test_a_frame_that_comes_in_two_pieces(cut: int) -> None:
    data = frame(TEXT, HEARTBEAT)
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.send_bare(data[:cut])
        assert await client.quiet(0.02) == []
        await client.send_bare(data[cut:])
        assert await client.json() == HEARD


async def test_many_frames_in_one_piece_keep_their_order() -> None:
    messages = [str(number) for number in range(200)]
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        await client.send_bare(b"".join(frame(TEXT, message.encode()) for message in messages))
        assert [await client.next() for _ in messages] == messages


async def test_pings_are_answered_in_their_place() -> None:
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        await client.send_fragments(["a", "", "€", "b"], ping_between=b"p")
        assert [await client.next() for _ in range(5)] == [*[Pong(b"p")] * 3, "a€b", Pong(b"p")]
        await client.send_fragments([b"\xff", b"\xfe"])
        assert await client.next() == b"\xff\xfe"


async def test_a_character_may_be_cut_by_fragments() -> None:
    euro = "€".encode()
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        await client.send_bare(frame(TEXT, euro[:1], fin=False) + frame(CONT, euro[1:]))
        assert await client.next() == "€"


async def test_a_pong_that_nobody_asked_for_is_ignored() -> None:
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await client.send_bare(frame(PONG, b"?"))
        assert await client.ask([None, "1", "phoenix", "heartbeat", {}]) == HEARD


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(CLOSE), 1005),
        (close_frame(1000), 1000),
        (close_frame(1001, "bye €".encode()), 1001),
        (close_frame(4000), 4000),
    ],
)
@pytest.mark.parametrize("path", [SOCKET, ECHO])
async def test_a_close_is_answered_with_the_same(
    path: str, data: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        async with await server.connect(path) as client:
            await client.send_bare(data)
            assert (await client.until_closed())[1].code == code
        await eventually(lambda: server.processes() == before)
    assert complaints(caplog) == []


async def test_what_follows_a_close_is_not_taken() -> None:
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        await client.send_bare(frame(TEXT, b"1") + close_frame(1000) + frame(TEXT, b"2"))
        assert await client.until_closed() == (["1"], Closed(1000))


async def test_frames_may_come_behind_the_handshake_in_one_piece() -> None:
    async with serving(endpoint()) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream:
            head = (
                "GET /echo/websocket HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
            )
            await stream.send_all(head.encode() + frame(TEXT, b"early") + frame(PING, b"p")[:3])
            answer = b""
            while not answer.endswith(b"early"):
                answer += await stream.receive_some()
            assert b"101 " in answer
            await stream.send_all(frame(PING, b"p")[3:])
            assert await stream.receive_some() == b"\x8a\x01p"


# ------------------------------------------------------------------------------------------------ compression


def deflated(data: bytes, times: int = 1) -> bytes:
    """Deflate as RFC 7692 section 7.2.1 wants it: so many times the same data, which is compressed once."""
    compressor = zlib.compressobj(wbits=-12)
    block = compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    return (times * block).removesuffix(b"\x00\x00\xff\xff")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, deflated(b"x" * (LIMIT + 1)), bits=RSV1), 1009, id="more than the limit"),
        pytest.param(frame(TEXT, deflated(b"x" * 1_000_000, 60), bits=RSV1), 1009, id="a bomb"),
        pytest.param(frame(TEXT, b"\xff\xff\xff\xff", bits=RSV1), 1002, id="not deflated"),
        pytest.param(frame(TEXT, deflated(b"\xff"), bits=RSV1), 1007, id="not UTF-8"),
        pytest.param(frame(PING, b"p", bits=RSV1), 1002, id="a compressed ping"),
        pytest.param(
            frame(TEXT, deflated(b"x"), bits=RSV1, fin=False) + frame(CONT, b"x", bits=RSV1), 1002, id="a continuation"
        ),
    ],
)
@pytest.mark.parametrize("path", [SOCKET, ECHO])
async def test_compressed_frames_that_are_wrong(
    path: str, data: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint(COMPRESSED)) as server, await server.connect(path, compress=True) as client:
        await client.send_bare(data)
        assert (await client.until_closed())[1].code == code
        (line,) = complaints(caplog)
        assert address(client) in line.message


async def test_compressed_and_plain_messages_in_turn() -> None:
    async with serving(endpoint(COMPRESSED)) as server, await server.connect(ECHO, compress=True) as client:
        for number in range(5):
            await client.send(f"{number}" * 1000)
            assert await client.next() == f"{number}" * 1000
            await client.send_bare(frame(TEXT, b"plain"))
            assert await client.next() == "plain"
            await client.send_fragments([f"{number}" * 500, "€" * 500], ping_between=b"p")
            pong, message = Pong(b"p"), f"{number}" * 500 + "€" * 500
            assert [await client.next() for _ in range(3)] == [pong, message, pong]


# ----------------------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize("path", [SOCKET, ECHO])
async def test_silence_closes_with_1002(path: str, still_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(QUIET)) as server, await server.connect(path) as client:
        for _ in range(3):  # each of them renews the time
            still_clock.jump(TIMEOUT - 1)
            await client.ping(b"")
            assert await client.next() == Pong(b"")
        heard = trio.current_time()
        async with passing(still_clock, 1):
            assert (await client.until_closed())[1].code == 1002
            assert trio.current_time() - heard >= TIMEOUT
        (line,) = complaints(caplog)
        assert address(client) in line.message
        assert "silent" in line.message


async def test_half_a_frame_is_no_reason_to_wait_for_ever(
    still_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint(QUIET)) as server, await server.connect(SOCKET) as client:
        await client.send_bare(frame(TEXT, HEARTBEAT)[:9])
        async with passing(still_clock, 1):
            assert (await client.until_closed())[1].code == 1002


async def test_a_half_open_connection_is_given_up() -> None:
    options = WebSocketOptions(check_origin=False, timeout=math.inf)
    async with serving(endpoint(options)) as server:
        before = server.processes()
        async with await server.connect(ECHO) as client:
            await client.send("1")
            assert isinstance(client.stream, trio.SocketStream)
            await client.stream.send_eof()
            assert await client.next() == "1"
            assert (await client.until_closed())[1].code in (1000, 1006)
        await eventually(lambda: server.processes() == before)


@pytest.mark.parametrize("path", [SOCKET, ECHO])
async def test_a_reset_connection_is_closed_without_a_word(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        client = await server.connect(path)
        await eventually(lambda: server.processes() > before)
        await client.abort()
        await eventually(lambda: server.processes() == before)
    assert complaints(caplog) == []


async def test_what_is_broadcast_of_a_client_that_has_left_is_not_sent_to_it() -> None:
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:

        def tell(_: Event, __: Mapping[str, object]) -> None:
            server.endpoint.broadcast("room:lobby", "left", {})

        await client.ask(["1", "1", "room:lobby", "phx_join", {}])
        events.disconnected.attach(tell)
        try:
            assert isinstance(client.stream, trio.SocketStream)
            await client.stream.send_eof()
            assert await in_time(client.stream.receive_some()) == b""
        finally:
            events.disconnected.detach(tell)


async def test_who_comes_and_goes_is_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(endpoint()) as server:
        async with await server.connect(SOCKET) as client:
            peer = address(client)
            await client.ask(["1", "1", "room:lobby", "phx_join", {}])
            await client.close()
            await client.until_closed()
        await eventually(lambda: "DISCONNECTED" in caplog.text)
    lines = [record.message for record in caplog.records if peer in record.message]
    assert lines == [
        f"CONNECTED {peer} to UserSocket by websocket",
        f"DISCONNECTED {peer} from UserSocket: :normal",
    ]
    assert any(record.message.startswith("JOINED 'room:lobby' on UserSocket in ") for record in caplog.records)


def transports(server: Server) -> list[str]:
    return [pid.initial_call for pid in server.runtime.processes.values() if pid.initial_call == "Connection"]


async def test_a_transport_ignores_what_is_not_for_it() -> None:
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        await eventually(lambda: len(transports(server)) == 1)
        (pid,) = (pid for pid in server.runtime.processes.values() if pid.initial_call == "Connection")
        for message in ("what?", None, 5, object(), Message("a", "b", {}), ("garbage_collect",)):
            pid.send(message)
        assert await client.ask([None, "1", "phoenix", "heartbeat", {}]) == HEARD
