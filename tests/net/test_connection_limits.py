"""How many connections there may be; and what becomes of a client who is one too many, or a thousand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import Channel, Endpoint, LongPollOptions, Socket, channel, mount
from phxactor.endpoint import Serving
from phxactor.http import LOCAL, PeerData
from phxactor.net import ConnectionLimits, Flusher, StreamConnection, TooManyError
from phxactor.net import _limits as connection_limits
from phxactor.net._limits import LINGER
from phxactor.runtime import open_runtime
from phxactor.transport._longpoll import EXPIRY
from tests.certificates import SERVER
from tests.conformance.client import Closed, Rejected
from tests.sockets.serving import Server, complaints, eventually, in_time, serving

WINDOW = 10.0
ANY = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def peer(address: str) -> PeerData:
    return PeerData(address, 50000)


# ------------------------------------------------------------------------------------------------- the counting


def test_a_place_is_given_back() -> None:
    limits = ConnectionLimits(2, None)
    with limits.place(peer("192.0.2.1")), limits.place(peer("192.0.2.1")):
        with pytest.raises(TooManyError, match="max_connections is 2") as caught, limits.place(peer("192.0.2.2")):
            pass
        assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE
    with pytest.raises(ZeroDivisionError), limits.place(peer("192.0.2.1")), limits.place(peer("192.0.2.1")):
        raise ZeroDivisionError
    with limits.place(peer("192.0.2.1")), limits.place(peer("192.0.2.1")):
        pass


@pytest.mark.parametrize(
    ("first", "second", "is_the_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_clients(first: str, second: str, is_the_same: bool) -> None:
    limits = ConnectionLimits(None, 1)
    address = limits.enter(peer(first))
    if is_the_same:
        with pytest.raises(TooManyError, match="1 connections from ") as caught:
            limits.enter(peer(second))
        assert caught.value.status is HTTPStatus.TOO_MANY_REQUESTS
    else:
        limits.leave(limits.enter(peer(second)))
    limits.leave(address)
    limits.enter(peer(second))


def test_a_unix_socket_is_no_address() -> None:
    limits = ConnectionLimits(4, 1)
    for _ in range(4):
        limits.enter(LOCAL)
    with pytest.raises(TooManyError, match="max_connections is 4"):
        limits.enter(LOCAL)


@pytest.mark.parametrize("option", ["max_connections", "max_connections_per_address"])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)])
def test_what_cannot_be_fails_when_given(option: str, value: Any, error: type[Exception]) -> None:  # noqa: ANN401
    with pytest.raises(error, match=f"{option} must be a whole number of at least 1, or None for no limit, not"):
        Endpoint(**{option: value})


def test_without_limits_nobody_counts() -> None:
    assert Serving(Endpoint()).limits is None


# -------------------------------------------------------------------------------------------------- on the wire


def counted(server: Server) -> int:
    """Return the connections that are counted now."""
    limits = server.endpoint.serving.limits
    assert limits is not None
    return limits.count


class Room(Channel):
    """Lets everybody in."""


class UserSocket(Socket):
    """With rooms."""

    channels = (channel("room", Room),)


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    return Endpoint(sockets=[mount("/socket", UserSocket, longpoll=LongPollOptions(window=WINDOW))], **options)


@pytest.mark.socket
@pytest.mark.parametrize(("option", "status"), [("max_connections", 503), ("max_connections_per_address", 429)])
async def test_one_too_many_is_told_so_and_logged(option: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(**{option: 2})) as server:
        first, second = await server.connect(), await server.connect()
        assert (await server.request(ANY))[0] == status
        with pytest.raises(Rejected, match=str(status)):
            await server.connect()
        assert len(complaints(caplog)) == 2
        assert all(line.name == "phxactor.endpoint.connection_refused" for line in complaints(caplog))
        assert complaints(caplog)[0].message.startswith("refused 127.0.0.1:")
        # Those who are there notice nothing, and a place that is free is taken.
        assert await first.ask([None, "1", "phoenix", "heartbeat", {}])
        before = server.processes()
        await first.close()
        assert (await first.until_closed())[1] == Closed(1000)
        await eventually(lambda: server.processes() < before)
        third = await server.connect()
        for client in (first, second, third):
            await client.__aexit__(None, None, None)


@pytest.mark.socket
async def test_one_that_is_aborted_gives_its_place_back() -> None:
    async with serving(endpoint(max_connections=1)) as server:
        for _ in range(5):
            client = await server.connect()
            await client.abort()
            await eventually(
                lambda: server.endpoint.serving.limits is not None and not server.endpoint.serving.limits.count
            )
        assert (await server.request(ANY))[0] == 404


@pytest.mark.socket
async def test_a_long_poll_session_is_a_connection(still_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    ask = b"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    async with serving(endpoint(max_connections=3)) as server:
        statuses = []
        for _ in range(4):
            _, answer = await server.request(ask)
            statuses.append(orjson.loads(answer.split(b"\r\n\r\n", 1)[1])["status"])
            await eventually(
                lambda: server.endpoint.serving.limits is not None and server.endpoint.serving.limits.count <= 2
            )
        # Two sessions, and the request for a third that has none.
        assert statuses == [410, 410, 503, 503]
        still_clock.jump(WINDOW * EXPIRY)
        await eventually(lambda: not server.endpoint.serving.sessions)
        assert orjson.loads((await server.request(ask))[1].split(b"\r\n\r\n", 1)[1])["status"] == 410


@pytest.mark.socket
async def test_under_tls_one_too_many_is_closed_before_hands_are_shaken(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(max_connections=1, tls=SERVER)) as server:
        first = await trio.open_tcp_stream("127.0.0.1", server.port)
        await eventually(lambda: counted(server) > 0)
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as second:
            assert await in_time(second.receive_some()) == b""
        await first.aclose()
    assert len(complaints(caplog)) == 1


# ------------------------------------------------------------------------------------------------------- floods


async def test_only_so_many_have_the_time_to_read_why(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "LINGERING", 3)
    limits, flusher = ConnectionLimits(1, None), Flusher()
    clients = []
    async with open_runtime(), trio.open_nursery() as nursery:
        began = trio.current_time()
        ended = []

        async def refuse(stream: trio.abc.Stream) -> None:
            await limits.refuse(StreamConnection(stream, flusher), HTTPStatus.SERVICE_UNAVAILABLE)
            ended.append(trio.current_time() - began)

        for _ in range(5):
            client, server = memory_stream_pair()
            clients.append(client)
            nursery.start_soon(refuse, server)
    assert sorted(ended) == [0, 0, LINGER, LINGER, LINGER]
    for client in clients:
        data = bytes(await client.receive_some())
        assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


@pytest.mark.socket
async def test_a_flood_of_connections_leaves_the_first_ones_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(max_connections=5)) as server:
        clients = [await server.connect() for _ in range(5)]
        before = server.processes()
        flood = [await trio.open_tcp_stream("127.0.0.1", server.port) for _ in range(300)]
        for number, client in enumerate(clients):
            reply = await client.ask([None, str(number), "phoenix", "heartbeat", {}])
            assert reply == [None, str(number), "phoenix", "phx_reply", {"status": "ok", "response": {}}]
        await eventually(lambda: len(complaints(caplog)) == 300)
        for stream in flood:
            await stream.aclose()
        await eventually(lambda: server.processes() == before)
        for client in clients:
            await client.__aexit__(None, None, None)
