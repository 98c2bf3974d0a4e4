"""What load balancers and orchestrators are told: whether to send clients here."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    SHUTDOWN,
    Down,
    DrainOptions,
    Endpoint,
    Request,
    Response,
    Socket,
    get,
    monitor,
    mount,
    open_runtime,
    receive,
    unlink,
)
from phxactor.http import PeerData
from phxactor.runtime import NoProcessError
from tests.conformance.client import Client
from tests.sockets.serving import serving

PEER = PeerData("192.0.2.1", 5)


@pytest.mark.socket
@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"OPTIONS /health HTTP/1.0\r\n\r\n", 200, b"ready\n"),  # HAProxy's `option httpchk`
        (b"GET /health HTTP/1.0\r\n\r\n", 200, b"ready\n"),
        (b"GET /health HTTP/1.1\r\nhost: 10.1.2.3:80\r\nuser-agent: kube-probe/1.31\r\n\r\n", 200, b"ready\n"),
        (b"GET /health?verbose HTTP/1.1\r\nhost: a\r\n\r\n", 200, b"ready\n"),
        (b"HEAD /health HTTP/1.1\r\nhost: a\r\n\r\n", 200, b""),
        (b"GET /health HTTP/1.1\r\n\r\n", 400, None),
        (b"POST /health HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 405, b""),
        (b"GET /health/ HTTP/1.1\r\nhost: a\r\n\r\n", 404, None),
    ],
)
async def test_the_path_of_health(request_: bytes, status: int, body: bytes | None) -> None:
    async with serving(Endpoint(health="/health")) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            await stream.send_all(request_)
            await stream.send_eof()
            data = b"".join([bytes(some) async for some in stream])
        head, _, found = data.partition(b"\r\n\r\n")
        assert int(head[9:12]) == status
        assert body is None or found == body
        assert status != 200 or b"cache-control: no-store" in head


async def test_there_is_none_by_default() -> None:
    endpoint = Endpoint()
    assert (await endpoint.answer(Request("GET", "/health", peer=PEER))).status == 404


async def test_it_is_the_running_endpoint_that_answers() -> None:
    endpoint = Endpoint(health="/health")
    asked = Request("GET", "/health", peer=PEER)
    async with open_runtime():
        with pytest.raises(NoProcessError):
            await endpoint.answer(asked)
        (await endpoint.start_link(server=False)).unwrap()
        assert (await endpoint.answer(asked)).status == 200
        endpoint.serving.draining = True
        draining = await endpoint.answer(asked)
        assert (draining.status, draining.body) == (503, b"draining\n")


async def page(_: Request) -> Response:
    return Response.text("page")


async def test_clients_are_served_while_load_balancers_take_notice(autojump_clock: MockClock) -> None:
    drain = DrainOptions(notice=7.0)
    endpoint = Endpoint(health="/health", sockets=[mount("/socket", Socket)], routes=[get("/page", page)], drain=drain)
    async with open_runtime():
        supervisor = (await endpoint.start_link(server=False)).unwrap()
        serving_ = endpoint.serving
        unlink(supervisor)  # else the test ends with it
        began = trio.current_time()
        supervisor.exit(SHUTDOWN)
        for at in (1.0, 5.0):
            await trio.sleep(at)
            health = await endpoint.answer(Request("GET", "/health", peer=PEER))
            assert (health.status, health.body) == (503, b"draining\n")
            assert (await endpoint.answer(Request("GET", "/page", peer=PEER))).status == 200
            assert not serving_.draining
            ours, theirs = trio.testing.memory_stream_pair()
            (await endpoint.serve_stream(theirs)).unwrap()
            async with await Client.over(ours, "ws://a/socket/websocket?vsn=2.0.0"):
                pass
        gone = monitor(supervisor)
        await receive(lambda message: type(message) is Down and message.ref is gone)
        assert 7.0 <= trio.current_time() - began < 9.0


@pytest.mark.parametrize("notice", [-1, float("nan"), "1", None, True])
def test_a_notice_that_is_none(notice: object) -> None:
    with pytest.raises((TypeError, ValueError), match="notice"):
        DrainOptions(notice=notice)  # type: ignore[arg-type]


@pytest.mark.parametrize("health", ["health", "/health?a", "/page", "/socket/websocket"])
def test_a_path_that_cannot_be(health: str) -> None:
    with pytest.raises(ValueError, match="health"):
        Endpoint(health=health, sockets=[mount("/socket", Socket)], routes=[get("/page", page)])
