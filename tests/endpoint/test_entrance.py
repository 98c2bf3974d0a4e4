"""Connections that others accepted, and sockets that others listen on."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import (
    Channel,
    Endpoint,
    LongPollOptions,
    Ok,
    Socket,
    Supervisor,
    WebSocketOptions,
    channel,
    get,
    mount,
    on,
)
from phxactor.http import PeerData, Request, Response
from phxactor.runtime import KILL, NoProcessError, open_runtime, trap_exit
from tests.certificates import CLIENT, SERVER
from tests.conformance.client import Client, Closed
from tests.patience import PATIENCE
from tests.sockets.serving import Server, eventually, in_time, passing

JOIN = ["1", "1", "room:1", "phx_join", {}]
JOINED = ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {}}]
UPGRADE = (
    b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"
PEER = PeerData("192.0.2.7", 7)


class Room(Channel):
    """Echoes."""

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)


class UserSocket(Socket, log=False):
    """Keeps what it was told."""

    channels = (channel("room:*", Room),)
    info: Any = None

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        UserSocket.info = connect_info


async def hello(request: Request) -> Response:
    return Response.text(f"{request.peer} {request.scheme}")


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    websocket = WebSocketOptions(check_origin=False, connect_info=["peer_data", "uri"])
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=websocket, longpoll=LongPollOptions())],
        routes=[get("/hello", hello)],
        **options,
    )


class Pair:
    """A TCP connection: the client's side, and the one that somebody has accepted."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.client = socket.create_connection(listening.getsockname())
            self.accepted, _ = listening.accept()
        self.client.setblocking(False)

    def close(self) -> None:
        self.client.close()
        self.accepted.close()

    def stream(self) -> trio.SocketStream:
        return trio.SocketStream(trio.socket.from_stdlib_socket(self.client))


async def answer(stream: trio.abc.Stream, until: bytes) -> bytes:
    received = b""
    with trio.fail_after(PATIENCE):
        while until not in received:
            some = await stream.receive_some(65536)
            assert some, received
            received += some
    return received


# ---------------------------------------------------------------------------------------- connected sockets


@pytest.mark.socket
@pytest.mark.parametrize("already", [0, 1, 20, len(UPGRADE)], ids=["none", "one", "some", "all"])
async def test_a_socket_that_another_server_has_accepted(already: int) -> None:
    """What it has read of the request is served as if it came now, whether it is the whole head or a part."""
    served = endpoint()
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        pair = Pair()
        async with pair.stream() as stream:
            await stream.send_all(UPGRADE[already:])
            (await served.serve_socket(pair.accepted, PEER, received=UPGRADE[:already])).unwrap()
            assert (await answer(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert UserSocket.info["peer_data"] == {"address": "192.0.2.7", "port": 7}
        assert UserSocket.info["uri"]["scheme"] == "http"


@pytest.mark.socket
async def test_frames_that_were_read_behind_the_handshake_are_the_first_messages() -> None:
    served = endpoint()
    join = b'["1","1","room:1","phx_join",{}]'
    frame = bytes((0x81, 0x80 | len(join))) + bytes(4) + join
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        pair = Pair()
        async with pair.stream() as stream:
            (await served.serve_socket(pair.accepted, received=UPGRADE + frame)).unwrap()
            assert b'"ok"' in await answer(stream, b"phx_reply")
        assert UserSocket.info["peer_data"]["address"] == "127.0.0.1"  # the system's, since none was given


@pytest.mark.socket
async def test_requests_follow_those_that_were_read() -> None:
    served = endpoint()
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        pair = Pair()
        async with pair.stream() as stream:
            (await served.serve_socket(pair.accepted, PEER, received=HELLO + HELLO[:9])).unwrap()
            await answer(stream, b"192.0.2.7")
            await stream.send_all(HELLO[9:])
            await answer(stream, b"192.0.2.7")


@pytest.mark.socket
@pytest.mark.parametrize("limits", [{}, {"max_connections": 9}], ids=["uncounted", "counted"])
async def test_with_tls_the_bytes_read_are_those_of_the_handshake(limits: dict[str, int]) -> None:
    served = endpoint(tls=SERVER, **limits)
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        pair = Pair()
        secure = trio.SSLStream(pair.stream(), CLIENT, server_hostname="app.test", https_compatible=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(secure.do_handshake)
            await trio.lowlevel.wait_readable(pair.accepted)
            received = pair.accepted.recv(10)
            (await served.serve_socket(pair.accepted, PEER, received=received)).unwrap()
        await secure.send_all(HELLO)
        assert b"192.0.2.7:7 https" in await answer(secure, b"https")
        await trio.aclose_forcefully(secure)


@pytest.mark.socket
async def test_it_counts_in_the_limits() -> None:
    served = endpoint(max_connections=2, max_connections_per_address=1)
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        first, second, third = Pair(), Pair(), Pair()
        async with first.stream() as one, second.stream() as two, third.stream() as three:
            (await served.serve_socket(first.accepted, PEER, received=HELLO)).unwrap()
            await answer(one, b"192.0.2.7")
            (await served.serve_socket(second.accepted, PEER, received=HELLO)).unwrap()
            assert (await answer(two, b"\r\n\r\n")).startswith(b"HTTP/1.1 429 ")
            (await served.serve_socket(third.accepted, PeerData("192.0.2.8", 1), received=HELLO)).unwrap()
            await answer(three, b"192.0.2.8")
        limits = served.serving.limits
        assert limits is not None
        await eventually(lambda: limits.count == 0)


@pytest.mark.socket
async def test_it_is_drained() -> None:
    """A WebSocket is told 1012; a connection that is silent, is closed; none is taken while all go."""
    served = endpoint()
    async with open_runtime() as runtime:
        trap_exit()
        tree = (await served.start_link(server=False)).unwrap()
        pair, silent, late = Pair(), Pair(), Pair()
        entrance = served._entrance()  # noqa: SLF001 - as the room does that stands beside another server
        (await served.serve_socket(pair.accepted)).unwrap()
        (await served.serve_socket(silent.accepted)).unwrap()
        client = await Client.over(pair.stream(), "ws://a/socket/websocket?vsn=2.0.0")
        assert await client.ask(JOIN) == JOINED
        tree.exit("shutdown")
        serving = served.serving
        await eventually(lambda: serving.draining)
        assert not entrance.takes()
        assert await in_time(client.next()) == Closed(1012)
        async with silent.stream() as stream:
            assert await in_time(stream.receive_some()) == b""
        await client.abort()
        await runtime.ended(tree)
        late.close()
        with socket.socket() as sock, pytest.raises(NoProcessError, match="does not run"):
            await served.serve_socket(sock, PEER)


@pytest.mark.socket
async def test_what_is_no_connected_socket() -> None:
    served = endpoint()
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        given: Any = 3
        with pytest.raises(TypeError, match=r"must be a socket\.socket; got 3"):
            await served.serve_socket(given)
        with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(ValueError, match="option listen"):
            await served.serve_socket(listening)
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(ValueError, match="stream socket"):
            await served.serve_socket(datagrams)
        with pytest.raises(ValueError, match="must be open"):
            await served.serve_socket(listening)
        with socket.socket() as alone, pytest.raises(OSError):  # noqa: PT011 - the system's words
            await served.serve_socket(alone)


async def test_a_stream_says_whether_it_is_encrypted(autojump_clock: MockClock) -> None:
    served = endpoint()
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        for secure, scheme in ((None, b"http"), (True, b"https"), (False, b"http")):
            ours, theirs = memory_stream_pair()
            await ours.send_all(HELLO[5:])
            (await served.serve_stream(theirs, PEER, received=HELLO[:5], secure=secure)).unwrap()
            assert (await answer(ours, b"192.0.2.7:7 http")).partition(b"192.0.2.7:7 ")[2] == scheme
            await ours.aclose()


@pytest.mark.socket
async def test_a_head_that_does_not_go_on_is_given_up(still_clock: MockClock) -> None:
    served = endpoint()
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        pair = Pair()
        (await served.serve_socket(pair.accepted, PEER, received=HELLO[:9])).unwrap()
        async with pair.stream() as stream, passing(still_clock, 1.0):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")


# ---------------------------------------------------------------------------------------- listening sockets


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.socket
async def test_it_listens_on_sockets_that_are_given() -> None:
    with listening() as one, listening() as two:
        served = endpoint(listen=[one, two], port=1)
        async with open_runtime():
            (await served.start_link()).unwrap()
            assert [where.port for where in served.serving.addresses.values()] == [
                sock.getsockname()[1] for sock in (one, two)
            ]
            for sock in one, two:
                async with await Client.open(f"ws://127.0.0.1:{sock.getsockname()[1]}/socket/websocket") as client:
                    await client.ask({"topic": "room:1", "event": "phx_join", "payload": {}, "ref": "1"})


@pytest.mark.socket
async def test_who_connects_while_it_is_stopped_is_served_by_the_next() -> None:
    """So nobody is refused in a restart; the socket stays its owner's."""
    with listening() as sock:
        served = endpoint(listen=[sock])
        for _ in range(2):
            stream = await trio.open_tcp_stream(*sock.getsockname())
            await stream.send_all(HELLO)
            async with open_runtime(), stream:
                (await served.start_link()).unwrap()
                await answer(stream, b"127.0.0.1")


@pytest.mark.socket
async def test_a_listener_that_crashes_takes_the_socket_again() -> None:
    with listening() as sock:
        served = endpoint()
        async with open_runtime() as runtime:
            await Supervisor.start_link([served.child_spec(listen=[sock])])
            listener = served.serving.child("listener")
            assert listener is not None
            listener.exit(KILL)
            await runtime.ended(listener)
            assert (await Server(served, runtime).request(HELLO))[0] == 200


@pytest.mark.socket
async def test_a_unix_socket_that_is_given_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        served = endpoint(listen=[sock])
        async with open_runtime():
            (await served.start_link()).unwrap()
            assert str(served.address) == f"unix:{path}"
            async with await trio.open_unix_socket(path) as stream:
                await stream.send_all(HELLO)
                await answer(stream, b"local")
        assert path.is_socket()


@pytest.mark.socket
async def test_an_address_of_the_call_goes_before_sockets_of_the_options() -> None:
    with listening() as sock:
        served = endpoint(listen=[sock])
        async with open_runtime() as runtime:
            (await served.start_link(port=0)).unwrap()
            assert Server(served, runtime).port != sock.getsockname()[1]


def test_no_sockets_are_the_address() -> None:
    assert endpoint(listen=[], port=4321).listen == ()


@pytest.mark.socket
def test_what_does_not_listen() -> None:
    given: Any = listening()
    with given, pytest.raises(TypeError, match="must be a list of listening sockets"):
        endpoint(listen=given)
    with pytest.raises(ValueError, match="must be open"):
        endpoint(listen=[given])
    with socket.socket() as idle, pytest.raises(ValueError, match="listens already"):
        endpoint(listen=[idle])
    with pytest.raises(TypeError, match=r"each item of listen must be a socket\.socket; got 3"):
        endpoint(listen=[3])


@pytest.mark.socket
async def test_a_given_socket_that_is_closed_by_then() -> None:
    with listening() as sock:
        served = endpoint(listen=[sock])
    async with open_runtime():
        with pytest.raises(ValueError, match="must be open"):
            await served.start_link()
