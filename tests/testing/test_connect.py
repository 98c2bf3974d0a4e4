"""Connecting: what `connect` is told, who is not let in, where it happens, and how a connection ends."""

from __future__ import annotations

import gc
from weakref import ReferenceType, ref

import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, Error, LongPollOptions, Shutdown, Socket, WebSocketOptions, mount, open_runtime, self_pid
from phxactor.http import PeerData
from phxactor.runtime import NORMAL, NotAProcessError, Runtime
from phxactor.testing import Client, admitted, assert_refused, connect, settle
from phxactor.transport import CloseCode
from tests.testing.rooms import UserSocket


class Elsewhere(Socket):
    """Is mounted nowhere."""


async def test_connect_is_told_what_a_real_client_would_have_sent() -> None:
    async with open_runtime():
        client = await connect(
            UserSocket,
            {"user": "ann", "n": 1, "tags": ["a", "b"], "more": {"deep": True}},
            headers={"X-Trace": "7", "User-Agent": "test"},
            auth_token="token",
            peer=PeerData("10.0.0.1", 5000),
        )
        assert client.socket.id == "users:ann"
        assert client.socket.assigns.params == {
            "user": "ann", "n": "1", "tags": ["a", "b"], "more": {"deep": "true"}, "vsn": "2.0.0"
        }  # fmt: skip
        info = client.socket.assigns.info
        assert info["x_headers"] == [("x-trace", "7")]
        assert info["user_agent"] == "test"
        assert info["auth_token"] == "token"
        assert info["peer_data"] == {"address": "10.0.0.1", "port": 5000}
        assert info["uri"]["path"] == "/socket/websocket"


async def test_connect_info_of_the_test_goes_before() -> None:
    async with open_runtime():
        session = {"user_id": 5}
        client = await connect(UserSocket, {"user": "ann"}, connect_info={"session": session, "user_agent": "mine"})
        assert client.socket.assigns.info["session"] is session
        assert client.socket.assigns.info["user_agent"] == "mine"
        assert client.socket.assigns.info["auth_token"] is None


async def test_a_refusal_is_what_connect_returned() -> None:
    async with open_runtime() as runtime:
        await connect(UserSocket, {"user": "ann"})
        before = runtime.statistics()
        assert await assert_refused(connect(UserSocket)) == Error("who are you?")
        await settle()
        assert runtime.statistics() == before


async def test_a_connect_that_raises_lets_nobody_in_and_is_the_cause() -> None:
    async with open_runtime():
        with pytest.raises(AssertionError, match="UserSocket does not let the client in: connect raised: ") as refused:
            await connect(UserSocket, {"user": "raise"})
        assert repr(refused.value.__cause__) == "RuntimeError('in connect')"
        assert await assert_refused(connect(UserSocket, {"user": "raise"})) == Error("connect raised")


async def test_who_is_let_in_was_not_refused() -> None:
    async with open_runtime():
        with pytest.raises(AssertionError, match="it was let in: <Client of UserSocket, #PID"):
            await assert_refused(connect(UserSocket, {"user": "ann"}))


async def test_a_client_that_is_let_in_without_being_asked() -> None:
    async with open_runtime():
        client = await admitted(UserSocket, id="users:9", assigns={"user": "eve"})
        assert client.socket.id == "users:9"
        assert client.socket.assigns == {"user": "eve"}
        assert (await client.join("room:1")).response["user"] == "eve"
        other = await connect(UserSocket, {"user": "ann"})
        assert other.endpoint is client.endpoint
        client.endpoint.broadcast("users:9", "disconnect", {})
        await client.assert_closed(CloseCode.GOING_AWAY)
        assert (await admitted(UserSocket)).socket.id is None


def _endpoint() -> Endpoint:
    return Endpoint(
        sockets=[
            mount(
                "/user",
                UserSocket,
                websocket=WebSocketOptions(check_origin=["//good.test"], connect_info=["user_agent"], max_channels=1),
                longpoll=LongPollOptions(path="/lp"),
            )
        ]
    )


async def test_an_endpoint_of_the_program_with_its_options() -> None:
    async with open_runtime():
        endpoint = _endpoint()
        client = await connect(UserSocket, {"user": "ann"}, endpoint=endpoint, headers={"Origin": "http://good.test"})
        assert client.endpoint is endpoint
        assert endpoint.address is None  # it has no port
        assert client.socket.assigns.info == {"user_agent": None}
        refused = await assert_refused(connect(UserSocket, endpoint=endpoint, headers={"origin": "http://bad.test"}))
        assert type(refused) is Error
        assert "the origin 'http://bad.test' is not allowed" in str(refused.reason)
        await client.join("room:1")
        assert await assert_refused(client.join("room:2")) == Error({"reason": "too many channels joined"})
        with pytest.raises(ValueError, match="without the option auth_token"):
            await connect(UserSocket, {"user": "ann"}, endpoint=endpoint, auth_token="token")
        with pytest.raises(LookupError, match="Elsewhere is not mounted for websocket at this endpoint"):
            await connect(Elsewhere, endpoint=endpoint)


async def test_an_endpoint_that_has_been_started_is_not_started_again() -> None:
    endpoint = _endpoint()
    for _ in range(2):  # in one runtime after the other
        async with open_runtime() as runtime:
            (await endpoint.start_link(server=False)).unwrap()
            before = runtime.statistics().processes
            await connect(UserSocket, {"user": "ann"}, endpoint=endpoint)
            assert runtime.statistics().processes == before + 1
    async with open_runtime():
        client = await connect(UserSocket, {"user": "ann"}, endpoint=endpoint)
        await client.join("room:1")


async def test_by_long_polling() -> None:
    async with open_runtime():
        client = await connect(UserSocket, {"user": "ann"}, transport="longpoll")
        assert client.socket.transport == "longpoll"
        assert client.socket.assigns.info["uri"]["path"] == "/socket/longpoll"
        assert await assert_refused(client.join("fast")) == Error({"reason": "unmatched topic"})


async def test_clients_of_one_class_meet_also_those_that_connect_at_once() -> None:
    clients: list[Client] = []

    async def come(name: str) -> None:
        clients.append(await connect(UserSocket, {"user": name}))

    async with open_runtime():
        async with trio.open_nursery() as nursery:
            for name in ("ann", "bob", "cid"):
                nursery.start_soon(come, name)
        assert len({id(client.endpoint) for client in clients}) == 1
        rooms = [await client.join("room:1") for client in clients]
        rooms[2].push("shout", {"body": "hi"})
        for room in rooms:
            await room.assert_push("shout", {"body": "HI"})


async def test_only_a_process_connects() -> None:
    with pytest.raises(NotAProcessError, match="open_runtime"):
        await connect(UserSocket)


async def test_a_client_that_goes_away_takes_its_channels_along() -> None:
    async with open_runtime() as runtime:
        client = await connect(UserSocket, {"user": "ann"})
        before = runtime.statistics()
        rooms = [await client.join("room:1"), await client.join("counter")]
        await client.close()
        assert not client.connected
        assert await client.assert_closed(CloseCode.NORMAL) == NORMAL
        assert [room.pid.exit_reason for room in rooms] == [Shutdown("closed")] * 2
        assert runtime.statistics().processes == before.processes - 1
        assert client.endpoint.pubsub.statistics().subscriptions == 0
        with pytest.raises(AssertionError, match=r"the connection has ended: :normal"):
            await rooms[0].assert_push("shout", within=60)


async def test_a_disconnect_by_the_id() -> None:
    async with open_runtime():
        ann, bob = await connect(UserSocket, {"user": "ann"}), await connect(UserSocket, {"user": "bob"})
        ann.endpoint.broadcast("users:ann", "disconnect", {})
        assert await ann.assert_closed(CloseCode.GOING_AWAY) == Shutdown("disconnected")
        with pytest.raises(AssertionError, match=r"<Client of UserSocket, #PID<.*> is connected"):
            await bob.assert_closed()
        with pytest.raises(AssertionError, match=r"was closed with <CloseCode\.GOING_AWAY: 1001>, not 1012"):
            await ann.assert_closed(1012)


async def test_the_test_may_listen_to_the_topic_that_disconnects() -> None:
    async with open_runtime():
        client = await connect(UserSocket, {"user": "ann"})
        client.subscribe("users:ann")
        client.subscribe("others")
        client.endpoint.broadcast("others", "disconnect", {})
        await settle()
        assert client.connected
        client.endpoint.broadcast("users:ann", "disconnect", {})
        await client.assert_closed(CloseCode.GOING_AWAY)
        assert [arrival.item.topic for arrival in client.broadcasts.all] == ["others", "users:ann"]


async def test_an_endpoint_that_stops_drains_its_clients(autojump_clock: MockClock) -> None:
    async with open_runtime():
        endpoint = _endpoint()
        supervisor = (await endpoint.start_link(server=False)).unwrap()
        client = await connect(UserSocket, {"user": "ann"}, endpoint=endpoint)
        room = await client.join("room:1")
        ref = room.push("echo", 1)
        supervisor.exit("shutdown")
        await client.assert_closed(CloseCode.RESTART, within=5)
        await room.assert_reply(ref, "ok", 1)
        assert self_pid().alive


@pytest.mark.allow_leaks("a watch keeps all runtimes until the test is over")
async def test_nothing_is_kept_of_a_runtime_that_is_over() -> None:
    async def visit() -> ReferenceType[Runtime]:
        async with open_runtime() as runtime:
            await (await connect(UserSocket, {"user": "ann"})).join("room:1")
            return ref(runtime)

    over = await visit()
    gc.collect()
    assert over() is None


async def test_what_is_asked_for_wrongly_says_what_would_be_right() -> None:
    with pytest.raises(NotAProcessError, match="name the fixture phx_runtime in the test"):
        await connect(UserSocket, {"user": "ann"})
    async with open_runtime():
        with pytest.raises(ValueError, match=r"by one of \('websocket', 'longpoll'\), not by 'web'"):
            await connect(UserSocket, {"user": "ann"}, transport="web")  # type: ignore[arg-type]
        room = await (await connect(UserSocket, {"user": "ann"})).join("room:1")
        with pytest.raises(TypeError, match=r"by the ref that `push` has returned, not by {'body': 'hi'}"):
            await room.assert_reply({"body": "hi"})  # type: ignore[call-overload]


async def test_an_end_that_is_not_the_one_says_why_and_what_came_before() -> None:
    async with open_runtime():
        client = await connect(UserSocket, {"user": "ann"})
        await client.join("room:1")
        with pytest.raises(AssertionError, match=r"is connected\nwhat came, in order:\n   1. reply to 'phx_join'"):
            await client.assert_closed()
        client.transport_pid.exit("boom")
        with pytest.raises(AssertionError, match=r"not 1000: :boom\nwhat came, in order:\n   1. reply to 'phx_join'"):
            await client.assert_closed(1000)
