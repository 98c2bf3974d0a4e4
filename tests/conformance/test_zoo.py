"""What ZOO.md says of the sockets beside `/socket`, where a recorded transcript would not show it."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import orjson
import pytest
import trio

from tests.conformance import zoo
from tests.conformance.client import Client, Closed, Pong, Rejected
from tests.sockets.serving import Server, eventually, serving

pytestmark = pytest.mark.socket

MIB = 1024 * 1024


@asynccontextmanager
async def zoo_with(path: str, **options: object) -> AsyncIterator[tuple[Server, Client]]:
    """Serve the zoo and connect."""
    async with serving(zoo.endpoint) as server, await server.connect(path, **options) as client:
        yield server, client


# ----------------------------------------------------------------------------------------------------- /echo


@pytest.mark.parametrize("compress", [False, True])
async def test_echo_of_every_kind(compress: bool) -> None:
    async with zoo_with("/echo/websocket", compress=compress) as (_, client):
        for message in ("", "text", "€" * 1000, b"", bytes(range(256)), "x" * MIB, os.urandom(MIB)):
            await client.send(message)
            assert await client.next() == message
        await client.send_fragments(["a", "b", "", "c"], ping_between=b"p")
        assert [await client.next() for _ in range(5)] == [*[Pong(b"p")] * 3, "abc", Pong(b"p")]
        await client.send_fragments([b"\0", b"\xff"])
        assert await client.next() == b"\0\xff"


async def but_pongs(client: Client) -> object:
    """Receive what is no pong: a server that works long for a client asks in this way whether it is there."""
    while isinstance(event := await client.next(), Pong):
        pass
    return event


@pytest.mark.parametrize("compress", [False, True])
async def test_echo_of_32_mib_and_not_a_byte_more(compress: bool) -> None:
    piece = b"x" * MIB if compress else os.urandom(MIB)
    async with zoo_with("/echo/websocket", compress=compress) as (_, client):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, piece * 32)
            assert await but_pongs(client) == piece * 32
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_fragments, [piece] * 32)
            assert await but_pongs(client) == piece * 32

        async def too_much() -> None:
            with suppress(trio.BrokenResourceError):
                await client.send_fragments([piece] * 32 + [b"x"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(too_much)
            assert (await client.until_closed())[1].code == 1009
            nursery.cancel_scope.cancel()


async def test_echo_answers_in_order_and_to_the_last() -> None:
    async with zoo_with("/echo/websocket") as (_, client):
        messages = [str(number) for number in range(500)]
        for message in messages:
            await client.send(message)
        await client.ping(b"behind")
        await client.close(3001)
        assert await client.until_closed() == ([*messages, Pong(b"behind")], Closed(3001))


async def test_echo_asks_for_no_version_and_lets_everybody_in() -> None:
    async with serving(zoo.endpoint) as server:
        for path in ("/echo/websocket?vsn=9", "/echo/websocket"):
            async with await server.connect(path, origin="http://evil.com") as client:
                await client.send("x")
                assert await client.next() == "x"


# --------------------------------------------------------------------------------------------------- /strict


def bearer(token: str) -> str:
    """Hide a token among the sub-protocols, as phoenix.js does."""
    return "base64url.bearer.phx." + base64.b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("offered", "chosen", "token"),
    [
        (["phoenix", bearer("secret")], "phoenix", "secret"),
        (["phoenix", bearer("žluťoučký")], "phoenix", "žluťoučký"),
        ([bearer("secret"), "ref.v1"], "ref.v1", "secret"),
        (["ref.v1", "other"], "ref.v1", None),
        (["other", "ref.v1"], "ref.v1", None),
        (["phoenix"], "phoenix", None),
        (None, None, None),
    ],
)
async def test_strict_tokens_among_sub_protocols(
    offered: Sequence[str] | None, chosen: str | None, token: str | None
) -> None:
    path = "/strict/websocket?vsn=2.0.0&keep_info=true"
    async with zoo_with(path, origin="http://example.com", subprotocols=offered) as (_, client):
        assert client.subprotocol == chosen
        await client.ask(["1", "1", "room:strict", "phx_join", {}])
        answer = await client.ask(["1", "2", "room:strict", "connect_info", {}])
        assert isinstance(answer, list)
        info = answer[4]["response"]["connect_info"]
        assert info == {"auth_token": token}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://example.com:8080", 101),
        ("https://example.com", 101),
        ("https://EXAMPLE.com", 101),
        ("http://b.a.example.org", 101),
        ("http://example.org", 101),
        ("http://a.example.com", 403),
        ("http://notexample.org", 403),
        ("http://example.com.evil.com", 403),
        ("null", 403),
    ],
)
async def test_strict_origins(origin: str, status: int) -> None:
    path = "/strict/websocket?vsn=2.0.0"
    async with serving(zoo.endpoint) as server:
        if status == 101:
            async with await server.connect(path, origin=origin) as client:
                await client.ping(b"in")
                assert await client.next() == Pong(b"in")
        else:
            with pytest.raises(Rejected) as rejected:
                await server.connect(path, origin=origin)
            assert rejected.value.status == status


async def test_strict_refusals_say_why() -> None:
    async with serving(zoo.endpoint) as server:
        with pytest.raises(Rejected) as rejected:
            await server.connect("/strict/websocket?vsn=2.0.0&reject=reason", origin="http://example.com")
        assert (rejected.value.status, rejected.value.body) == (401, b"refused: unauthorized")


# ---------------------------------------------------------------------------------------------- the other ones


async def test_many_lets_a_client_join_more_than_a_hundred() -> None:
    async with serving(zoo.endpoint) as server:
        for path, joined in (("/many", 300), ("/socket", 100)):
            async with await server.connect(f"{path}/websocket?vsn=2.0.0") as client:
                for number in range(300):
                    await client.send([number, number, f"bench:{number}", "phx_join", {}])
                statuses = []
                for _ in range(300):
                    answer = await client.json()
                    assert isinstance(answer, list)
                    statuses.append(answer[4]["status"])
                assert statuses.count("ok") == joined


async def test_bench_channels() -> None:
    async with zoo_with("/socket/websocket?vsn=2.0.0") as (_, client):
        await client.ask(["1", "1", "bench:1", "phx_join", {}])
        assert await client.ask(["1", "2", "bench:1", "echo", {"n": 1}]) == [
            "1", "2", "bench:1", "phx_reply", {"status": "ok", "response": {"n": 1}}
        ]  # fmt: skip
        await client.send(["1", "3", "bench:1", "noreply", {}])
        assert await client.ask(["1", "4", "bench:1", "shout", {"n": 1}]) == [
            None, None, "bench:1", "shout", {"n": 1}
        ]  # fmt: skip


async def test_connect_info_is_what_connect_was_given() -> None:
    path = "/socket/websocket?vsn=2.0.0&keep_info=true&user_id=7&a[b]=c"
    headers = {"X-One": "1", "X-Two": "2", "Y-Three": "3"}
    async with zoo_with(path, user_agent="tests", headers=headers) as (server, client):
        await client.ask(["1", "1", "room:info", "phx_join", {}])
        answer = await client.ask(["1", "2", "room:info", "connect_info", {}])
        assert isinstance(answer, list)
        response = answer[4]["response"]
        assert isinstance(client.stream, trio.SocketStream)
        assert response["params"] == {"vsn": "2.0.0", "keep_info": "true", "user_id": "7", "a": {"b": "c"}}
        info = response["connect_info"]
        assert info["peer_data"] == {"address": "127.0.0.1", "port": client.stream.socket.getsockname()[1]}
        assert info["user_agent"] == "tests"
        assert sorted(map(tuple, info["x_headers"])) == [("x-one", "1"), ("x-two", "2")]
        assert info["uri"]["path"] == "/socket/websocket"
        assert (info["uri"]["host"], info["uri"]["port"]) == ("127.0.0.1", server.port)
        await client.ask(["2", "3", "room:info2", "phx_join", {}])


async def test_stats_weigh_the_process() -> None:
    async with serving(zoo.endpoint) as server:
        processes = server.processes()
        status, answer = await server.request(b"GET /admin/stats HTTP/1.1\r\nhost: a\r\n\r\n")
        weights = orjson.loads(answer.partition(b"\r\n\r\n")[2])
        assert status == 200
        assert weights["os_pid"] == os.getpid()
        assert weights["process_count"] == processes + 1  # that of the request itself
        assert weights["rss_bytes"] > MIB


async def test_a_disconnect_ends_every_connection_of_an_id_and_no_other() -> None:
    async with serving(zoo.endpoint) as server:
        paths = [f"/{at}/websocket?vsn=2.0.0&user_id={user}" for at in ("socket", "many") for user in ("x/y", "z")]
        clients = [await server.connect(path) for path in paths]
        await eventually(lambda: server.endpoint.pubsub.statistics().subscribers == 4)
        data = b"POST /admin/disconnect?id=users_socket:x%2Fy HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
        assert (await server.request(data))[0] == 200
        for number, client in enumerate(clients):
            if number % 2:
                await client.ping(b"still there")
                assert await client.next() == Pong(b"still there")
            else:
                assert (await client.until_closed())[1] == Closed(1001)
            await client.__aexit__(None, None, None)
