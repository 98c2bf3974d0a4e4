"""The client against the zoo, over TCP."""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import trio

from phxactor.client import (
    ChannelClosed,
    ChannelCrashed,
    ConnectionLost,
    ConnectRefused,
    Disconnected,
    JoinError,
    ReplyError,
    Status,
    connect,
)
from phxactor.socket import Message
from tests.conformance.server import serve_zoo
from tests.patience import PATIENCE

pytestmark = pytest.mark.socket


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_zoo(tmp_path_factory.mktemp("zoo")) as zoo:
        yield zoo.url.replace("http:", "ws:")


async def post(url: str, path: str) -> None:
    """Ask the zoo for something by HTTP."""
    async with await trio.open_tcp_stream("127.0.0.1", port_of(url)) as stream:
        await stream.send_all(f"POST {path} HTTP/1.1\r\nhost: zoo\r\nconnection: close\r\n\r\n".encode())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


async def test_join_push_receive_and_leave(url: str) -> None:
    with trio.fail_after(PATIENCE):
        async with connect(f"{url}/socket/websocket", params={"user_id": "7"}) as socket:
            room = await socket.join("room:lobby", {"name": "ada"})
            assert room.response == {"hello": "lobby"}
            assert await room.push("echo", {"n": 1}) == {"n": 1}
            assert (await room.push("info"))["user_id"] == "7"
            assert await room.push("async_reply", {"n": 2}) == {"n": 2}
            with pytest.raises(ReplyError) as caught:
                await room.push("reply_odd_status", {"n": 3})
            assert (caught.value.status, caught.value.payload) == ("maybe", {"n": 3})
            await room.cast("push", {"n": 4})
            await room.cast("broadcast", {"n": 5})
            assert [(await anext(room)).payload for _ in range(2)] == [{"n": 4}, {"n": 5}]
            await room.leave()
            assert [message async for message in room] == []
            with pytest.raises(JoinError) as refused:
                await socket.join("room:error")
            assert refused.value.payload == {"reason": "unauthorized"}


async def test_binary(url: str) -> None:
    with trio.fail_after(PATIENCE):
        async with connect(f"{url}/socket/websocket") as socket:
            room = await socket.join("room:binary")
            data = bytes(range(256)) * 300
            assert await room.push("binary_echo", data) == data
            assert await room.push("binary_reply") == b"\1\2\3"
            with pytest.raises(ReplyError) as caught:
                await room.push("binary_error_reply")
            assert caught.value.payload == b"\3\2\1"
            await room.cast("binary_push")
            await room.cast("binary_broadcast")
            messages = [await anext(room), await anext(room)]
            assert {message.event: message.payload for message in messages} == {
                "bin": bytes((0, 1, 2, 255)),
                "binb": bytes((9, 8, 7)),
            }
            assert (await socket.join("room:join_binary")).response == bytes((4, 5, 6))


async def test_two_clients_hear_each_other(url: str) -> None:
    with trio.fail_after(PATIENCE):
        async with connect(f"{url}/socket/websocket") as ada, connect(f"{url}/socket/websocket") as bob:
            here, there = await ada.join("room:two"), await bob.join("room:two")
            await here.cast("broadcast_from", {"from": "ada"})
            assert await anext(there) == Message("room:two", "broadcast_from", {"from": "ada"})


async def test_a_crash_is_joined_again_and_a_normal_end_is_not(url: str) -> None:
    with trio.fail_after(PATIENCE):
        async with connect(f"{url}/socket/websocket", rejoin_after=lambda _: 0.05) as socket:
            room = await socket.join("room:crash")
            await room.push("assign", {"value": 1})
            with pytest.raises(ChannelCrashed):
                await room.push("crash")
            assert await room.push("get") == {"value": None}
            assert await room.push("stop_reply") == {"bye": True}
            assert [message.event async for message in room] == ["phx_join"]
            with pytest.raises(ChannelClosed):
                await room.push("get")


async def test_a_disconnected_user_comes_back(url: str) -> None:
    statuses: list[Status] = []
    with trio.fail_after(PATIENCE):
        async with connect(f"{url}/socket/websocket", params={"user_id": "gone"}, on_status=statuses.append) as socket:
            room = await socket.join("room:back")
            await post(url, "/admin/disconnect?id=users_socket:gone")
            assert (await anext(room)).event == "phx_join"
            assert await room.push("echo", {"n": 1}) == {"n": 1}
    (lost,) = [status for status in statuses if isinstance(status, Disconnected)]
    assert isinstance(lost.error, ConnectionLost)
    assert lost.error.code == 1001


async def test_refusals(url: str) -> None:
    for path, params, status, text in (
        ("/socket/websocket", {"reject": "true"}, 403, ""),
        ("/strict/websocket", {"reject": "reason"}, 401, "refused: unauthorized"),
        ("/socket", {}, 404, ""),
    ):
        with pytest.raises(ConnectRefused) as caught:
            async with connect(f"{url}{path}", params=params):
                pytest.fail("was let in")
        assert caught.value.status == status
        assert text in caught.value.body.decode()


async def test_a_token_among_the_sub_protocols(url: str) -> None:
    params = {"keep_info": "true"}
    with trio.fail_after(PATIENCE):
        async with connect(f"{url}/strict/websocket", params=params, auth_token="s3cret?>~/+") as socket:
            room = await socket.join("room:token")
            told = await room.push("connect_info")
            assert told["connect_info"]["auth_token"] == "s3cret?>~/+"


async def test_nobody_there() -> None:
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(OSError, match=f"{port}"):
            async with connect(f"ws://127.0.0.1:{port}/socket/websocket"):
                pytest.fail("was let in")


async def test_a_server_that_restarts(tmp_path: Path) -> None:
    """The zoo stops in order and another takes its place: those who push notice a pause."""
    statuses: list[Status] = []
    ports: list[int] = []

    async def open_stream() -> trio.abc.Stream:
        return await trio.open_tcp_stream("127.0.0.1", ports[-1])

    with trio.fail_after(6 * PATIENCE), ExitStack() as first, ExitStack() as second:
        ports.append(port_of(first.enter_context(serve_zoo(tmp_path)).url))
        async with connect(
            "ws://zoo/socket/websocket", open_stream=open_stream, on_status=statuses.append, timeout=2 * PATIENCE
        ) as socket:
            room = await socket.join("room:1")
            async with trio.open_nursery() as nursery:
                await trio.to_thread.run_sync(first.close)
                nursery.start_soon(room.push, "echo", {"n": 1})
                other = await trio.to_thread.run_sync(second.enter_context, serve_zoo(tmp_path))
                ports.append(port_of(other.url))
            assert (await anext(room)).event == "phx_join"
        await trio.to_thread.run_sync(second.close)
    errors = [status.error for status in statuses if isinstance(status, Disconnected)]
    assert isinstance(errors[0], ConnectionLost)
    assert errors[0].code == 1012
    assert {type(error) for error in errors[1:]} <= {OSError, ConnectionRefusedError}


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


async def test_a_cable_that_is_cut(url: str) -> None:
    """Again and again, between the client and the zoo."""
    lines: list[trio.SocketStream] = []

    async def relay(near: trio.SocketStream) -> None:
        async with near, await trio.open_tcp_stream("127.0.0.1", port_of(url)) as far:
            lines[:] = near, far
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(copy, near, far)
                    nursery.start_soon(copy, far, near)

    async def copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await target.send_all(data)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, relay, [listener])
            port = listener.socket.getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/socket/websocket") as socket:
                room = await socket.join("room:cut")
                for number in range(5):
                    assert await room.push("echo", {"n": number}) == {"n": number}
                    for line in lines:
                        await trio.aclose_forcefully(line)
                    assert (await anext(room)).event == "phx_join"
                assert socket.statistics().connections == 6
                assert room.statistics().joins == 6
            nursery.cancel_scope.cancel()
