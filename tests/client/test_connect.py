from __future__ import annotations

import ssl
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock, memory_stream_pair

from phxactor.client import ConnectionLost, ConnectRefused, connect
from tests.client.network import URL, call, connected, open_network


async def test_the_end_of_the_block_leaves_the_topics_and_closes_with_1000(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        await socket.join("room:1")
        await socket.join("room:2")
    assert [message.topic for message in peer.said("phx_leave")] == ["room:1", "room:2"]
    assert peer.close_code == 1000
    assert trio.current_time() < 1


async def test_a_ping_that_crosses_our_close_does_no_harm(autojump_clock: MockClock) -> None:
    async with connected() as (_, peer, network):

        async def ping() -> None:
            await peer.stream.send_all(b"\x89\x00")

        network.client_streams[0].send_stream.send_all_hook = ping
    assert peer.close_code == 1000
    assert len(network.calls) == 1


async def test_an_error_in_the_block_comes_out_as_it_was(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        mine = KeyError("mine")
        with pytest.raises(KeyError) as caught:
            async with call(network):
                raise mine
        assert caught.value is mine
        assert mine.__context__ is None
        peer = await network.peer()
    assert peer.close_code == 1000


async def test_a_group_of_errors_in_the_block_comes_out_as_it_was(autojump_clock: MockClock) -> None:
    mine = ExceptionGroup("mine", [KeyError("a"), KeyError("b")])
    async with open_network() as network:
        with pytest.raises(ExceptionGroup) as caught:
            async with call(network):
                raise mine
        assert caught.value.exceptions == mine.exceptions


@pytest.mark.parametrize("status", [403, 404, 500, 503, 200])
async def test_a_refusal_tells_the_status_and_what_the_server_says(autojump_clock: MockClock, status: int) -> None:
    async with open_network() as network:
        network.answers.append(status)
        with pytest.raises(ConnectRefused, match=f"{URL} refused with {status}.*: because") as caught:
            async with call(network, params={"token": "secret"}):
                pytest.fail("was let in")
        assert (caught.value.status, caught.value.body) == (status, b"because")
        assert len(network.calls) == 1


async def test_a_path_that_is_not_a_websockets_gets_a_hint(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        network.answers.append(404)
        with pytest.raises(ConnectRefused, match="at its path and /websocket"):
            async with connect("ws://h/socket", open_stream=network.open_stream):
                pytest.fail("was let in")


async def test_a_server_that_cannot_be_reached(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        network.answers.append(ConnectionRefusedError("nobody there"))
        with pytest.raises(ConnectionRefusedError, match="nobody there"):
            async with call(network):
                pytest.fail("was let in")


async def says(stream: trio.abc.Stream, answer: bytes) -> None:
    await stream.receive_some()
    await stream.send_all(answer)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\nno, never", 403, b"no, never"),  # its end is the connection's
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\ncut", 403, b"cut"),
        (b"HTTP/1.0 502 Bad Gateway\r\nconnection: close\r\n\r\n", 502, b""),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n" + b"x" * 1_000_000, 403, None),
    ],
)
async def test_refusals_in_odd_forms(autojump_clock: MockClock, answer: bytes, status: int, body: bytes | None) -> None:
    async def refuse(stream: trio.abc.Stream) -> None:
        await says(stream, answer)
        await stream.aclose()

    async with open_network() as network:
        network.answers.append(refuse)
        with pytest.raises(ConnectRefused) as caught:
            async with call(network):
                pytest.fail("was let in")
    assert caught.value.status == status
    assert caught.value.body == body or (body is None and len(caught.value.body) < 100_000)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "hung up"),
        (b"HTTP/1.1 101 Sw", "hung up"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no WebSocket: b'SSH-2.0"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "no WebSocket: b'HTTP/1.1 101"),
        (
            b"HTTP/1.1 101 OK\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: wrong\r\n\r\n",
            "no WebSocket: b'HTTP/1.1 101",
        ),
    ],
)
async def test_what_is_no_handshake(autojump_clock: MockClock, answer: bytes, why: str) -> None:
    async def hang_up(stream: trio.abc.Stream) -> None:
        await says(stream, answer)
        await stream.aclose()

    async with open_network() as network:
        network.answers.append(hang_up)
        with pytest.raises(ConnectionLost, match=why):
            async with call(network):
                pytest.fail("was let in")
    assert trio.current_time() < 1


async def test_a_server_that_resets_the_connection_at_once(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        network.answers.append(trio.aclose_forcefully)
        with pytest.raises(ConnectionLost, match="hung up"):
            async with call(network):
                pytest.fail("was let in")
    assert trio.current_time() < 1


async def test_a_server_that_does_not_answer(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        network.answers.append(lambda stream: stream.receive_some())
        with pytest.raises(TimeoutError, match=f"{URL} did not complete the handshake within 10 s"):
            async with call(network):
                pytest.fail("was let in")
        assert trio.current_time() == pytest.approx(10)


async def test_connecting_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        network.answers.append(lambda stream: stream.receive_some())
        with trio.move_on_after(3) as scope:
            async with call(network):
                pytest.fail("was let in")
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(3)


async def test_params_token_and_headers_reach_the_server(autojump_clock: MockClock) -> None:
    async with connected(
        params={"user": "ada", "of": {"age": 36}}, auth_token="secret?", headers={"x-version": "1"}
    ) as (_, peer, _):
        assert peer.path == "/socket/websocket?user=ada&of%5Bage%5D=36&vsn=2.0.0"
        assert peer.subprotocols == ("phoenix", "base64url.bearer.phx.c2VjcmV0Pw")
        assert peer.headers[b"x-version"] == b"1"


async def test_a_function_that_makes_the_params_may_be_async_and_may_fail(autojump_clock: MockClock) -> None:
    async def fetch() -> dict[str, str]:
        await trio.sleep(20)  # it has all the time that it takes
        return {"token": "new"}

    def fail() -> dict[str, str]:
        raise LookupError("no token today")

    async with connected(params=fetch) as (_, peer, _):
        assert "token=new" in peer.path
    async with open_network() as network:
        with pytest.raises(LookupError, match="no token today"):
            async with call(network, params=fail):
                pytest.fail("was let in")
        assert network.calls == []


async def test_a_header_that_is_none_is_the_callers_error(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        with pytest.raises(Exception, match=r"[Ii]llegal header"):
            async with call(network, headers={"x": "a\nb"}):
                pytest.fail("was let in")


@pytest.mark.parametrize(
    ("url", "options", "why"),
    [
        ("http://h/", {}, "ws://"),
        (URL, {"ssl_context": ssl.create_default_context()}, "an ssl_context needs a wss:// URL"),
        (URL, {"timeout": 0}, "timeout must be more than 0, not 0"),
        (URL, {"heartbeat": -1}, "heartbeat must be"),
        (URL, {"heartbeat": float("nan")}, "heartbeat must be"),
        (URL, {"max_message_size": 0}, "max_message_size must be"),
    ],
)
def test_a_wrong_option_is_refused_when_it_is_given(url: str, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        connect(url, **options)


async def test_tls(autojump_clock: MockClock) -> None:
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("phoenix.test").configure_cert(server_context)
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def over_tls(network_stream: trio.abc.Stream) -> None:
        stream = trio.SSLStream(network_stream, server_context, server_side=True, https_compatible=True)
        with pytest.raises(trio.BrokenResourceError):  # the client does not trust it
            await stream.do_handshake()

    async with open_network() as network:

        async def open_secure() -> trio.abc.Stream:
            """Put the server's end of TLS before the network."""
            client, server = memory_stream_pair()
            stream = trio.SSLStream(server, server_context, server_side=True, https_compatible=True)
            network.serve(stream)
            return client

        async with connect("wss://phoenix.test/s/websocket", ssl_context=context, open_stream=open_secure) as socket:
            await socket.join("room:1")
        network.answers.append(over_tls)
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            async with connect("wss://phoenix.test/s/websocket", open_stream=network.open_stream):
                pytest.fail("trusted anybody")
