"""`close_after_gap`: all sockets of an endpoint are closed with 1012 after a gap, whatever their transport."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import (
    Channel,
    DrainOptions,
    Endpoint,
    Ok,
    RawSocket,
    Socket,
    WebSocketOptions,
    channel,
    get,
    mount,
    on,
    open_runtime,
)
from phxactor.channels import Payload
from phxactor.cluster import Gap, monitor_nodes
from phxactor.http import Request, Response
from phxactor.otp import Supervisor
from phxactor.testing import Client, ClientChannel, SimulatedNode, cluster, connect, settle
from phxactor.transport import CloseCode
from tests.conformance.client import Client as WebSocket
from tests.conformance.client import Closed
from tests.sockets.serving import complaints


class Room(Channel):
    """A room that can be busy, and pushes the gaps that it is told of."""

    async def join(self, topic: str, payload: Payload) -> None:
        monitor_nodes()

    @on("sleep")
    async def sleep(self, payload: float) -> Ok[None]:
        await trio.sleep(payload)
        return Ok()

    async def handle_info(self, message: object) -> None:
        if isinstance(message, Gap):
            self.push("gap", {"node": None if message.node is None else message.node.name, "by": message.carrier})


class UserSocket(Socket):
    channels = (channel("room:*", Room),)


ENDPOINT = Endpoint(
    sockets=[mount("/socket", UserSocket, longpoll=True)], close_after_gap=True, drain=DrainOptions(limit=5.0)
)
PATIENT = Endpoint(sockets=[mount("/socket", UserSocket)])


async def joined(
    endpoint: Endpoint = ENDPOINT, transport: Literal["websocket", "longpoll"] = "websocket"
) -> tuple[Client, ClientChannel]:
    client = await connect(UserSocket, endpoint=endpoint, transport=transport)
    return client, await client.join("room:1")


def lose(node: SimulatedNode, other: SimulatedNode | None) -> None:
    node.local.gap(node.carriers[0], None if other is None else other.local.id, 0.0)


async def test_CL27_all_sockets_are_closed_with_1012_a_second_after_a_gap(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with cluster(2, children=lambda: [ENDPOINT.child_spec(server=False)]) as (a, b):
        there, _ = await a.run(joined)
        first, _ = await b.run(joined)
        second, _ = await b.run(joined, ENDPOINT, "longpoll")
        without_channel = await b.run(partial(connect, UserSocket, endpoint=ENDPOINT))
        caplog.clear()
        lose(b, a)
        lose(b, None)
        await trio.sleep(0.9)
        assert all(client.connected for client in (first, second, without_channel))
        lose(b, a)  # it belongs to the first one
        late, _ = await b.run(joined)
        await trio.sleep(0.2)
        for client in (first, second, without_channel, late):
            await b.run(client.assert_closed, CloseCode.RESTART)
        assert there.connected
        (line,) = [one for one in complaints(caplog) if "closing all sockets" in one.message]
        assert line.getMessage() == "broadcasts of other nodes were lost: closing all sockets of endpoint: 4"
        again, room = await b.run(joined)
        await trio.sleep(10)
        assert again.connected
        await b.run(room.assert_reply, await b.run(partial(_push, room, 0.0)))
        lose(b, a)  # another one
        await trio.sleep(1.1)
        await b.run(again.assert_closed, CloseCode.RESTART)


async def _push(room: ClientChannel, seconds: float) -> str:
    return room.push("sleep", seconds)


async def test_CL25_what_a_cut_lost_closes_sockets_once_it_is_healed(autojump_clock: MockClock) -> None:
    children = [ENDPOINT.child_spec(server=False)]
    async with cluster(2, children=lambda: children) as nodes:
        a, b = nodes
        client, _ = await b.run(joined)
        nodes.network.cut("a", "b")
        await a.run(partial(_broadcast, "lost"))
        await trio.sleep(1)
        nodes.network.heal()
        assert client.connected
        await trio.sleep(10)
        await b.run(client.assert_closed, CloseCode.RESTART)


async def _broadcast(event: str) -> None:
    ENDPOINT.broadcast("room:1", event, {})


async def test_a_busy_channel_has_until_the_limit_of_drain(autojump_clock: MockClock) -> None:
    async with cluster(1, children=lambda: [ENDPOINT.child_spec(server=False)]) as (a,):
        quick, room = await a.run(joined)
        stuck, other = await a.run(joined)
        ref = await a.run(_push, room, 3.0)
        await a.run(_push, other, 9.0)
        lose(a, None)
        await trio.sleep(1.5)
        assert quick.connected
        await trio.sleep(2)
        await a.run(quick.assert_closed, CloseCode.RESTART)
        await a.run(room.assert_reply, ref)
        assert stuck.connected
        await trio.sleep(3)
        await a.run(stuck.assert_closed, CloseCode.RESTART)
        await trio.sleep(3)  # until it has slept


async def test_raw_sockets_and_framed_ones_are_closed_and_requests_of_http_go_on(autojump_clock: MockClock) -> None:
    async def slow(_: Request) -> Response:
        await trio.sleep(5)
        return Response.text("done")

    options = WebSocketOptions(check_origin=False)
    endpoint = Endpoint(
        sockets=[mount("/raw", RawSocket, websocket=options), mount("/socket", UserSocket, websocket=options)],
        routes=[get("/slow", slow)],
        close_after_gap=True,
    )

    async def attach() -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        (await endpoint.serve_stream(theirs)).unwrap()
        return ours

    async with cluster(1, children=lambda: [endpoint.child_spec(server=False)]) as (a,):
        paths = ("/raw/websocket", "/socket/websocket?vsn=2.0.0")
        clients = [await WebSocket.over(await a.run(attach), f"ws://app.test{path}") for path in paths]
        stream, idle = await a.run(attach), await a.run(attach)
        await stream.send_all(b"GET /slow HTTP/1.1\r\nhost: app.test\r\n\r\n")
        await settle()
        lose(a, None)
        for client in clients:
            assert (await client.until_closed())[1] == Closed(1012)
            await client.stream.aclose()
        assert bytes(await stream.receive_some()).endswith(b"done")
        await idle.send_all(b"GET /slow HTTP/1.1\r\nhost: app.test\r\n\r\n")
        assert bytes(await idle.receive_some()).endswith(b"done")
        for one in (stream, idle):
            await one.aclose()


async def test_CL27_a_channel_that_asks_is_told_of_gaps_and_no_socket_is_closed(autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [PATIENT.child_spec(server=False)]) as (a, b):
        client, room = await b.run(joined, PATIENT)
        lose(b, a)
        lose(b, None)
        await b.run(room.assert_push, "gap", {"node": "a", "by": "simulated"})
        await b.run(room.assert_push, "gap", {"node": None, "by": "simulated"})
        await trio.sleep(10)
        assert client.connected


async def test_without_a_cluster_nothing_runs_for_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        (await ENDPOINT.start_link(server=False)).unwrap()
        children = await Supervisor.which_children(ENDPOINT.name)
        (closer,) = [child for child in children if child.id == "gap closer"]
        assert closer.pid is None
        client, _ = await joined()
        await settle()
        assert client.connected


def test_the_option_is_true_or_false() -> None:
    wrong: Any = 1
    with pytest.raises(TypeError, match="close_after_gap must be True or False"):
        Endpoint(close_after_gap=wrong)
