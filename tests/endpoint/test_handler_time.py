"""The time that a handler of the program has: its limit, and what happens when it is over."""

from __future__ import annotations

import logging
import math
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, LongPollOptions, WebSocketOptions, get
from phxactor.http import Request, Response
from phxactor.runtime import cleanup, trap_exit
from tests.endpoint.waiting import HELLO, REQUESTS, Waiting, connect, endpoint, receive
from tests.sockets.serving import complaints, in_time, serving

pytestmark = pytest.mark.socket


ANSWERS: Final = {
    "route": (b"HTTP/1.1 503 Service Unavailable\r\n", b""),
    "connect": (b"HTTP/1.1 503 Service Unavailable\r\n", b""),
    "raw connect": (b"HTTP/1.1 503 Service Unavailable\r\n", b""),
    "long poll": (b"HTTP/1.1 200 \r\n", b'{"status":500}'),  # for anything else, phoenix.js does not try again
    "raw init": (b"HTTP/1.1 101 Switching Protocols\r\n", b"\x88\x02\x03\xf3"),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_a_handler_has_so_much_time(
    what: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Waiting()
    async with serving(endpoint(waiting, connect_timeout=5, timeout=5)) as server:
        before = server.processes()
        began = trio.current_time()
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS[what])
        answer = b""
        begins, ends = ANSWERS[what]
        while not answer or ends not in answer:
            answer += await receive(client)
        assert answer.startswith(begins)
        assert trio.current_time() - began == pytest.approx(5)
        assert waiting.ended == ["Cancelled"]
        await trio.sleep(0.1)
        await client.stream.aclose()
        await trio.sleep(10)
        assert server.processes() == before
    (line,) = complaints(caplog, logging.ERROR)
    assert "within 5 s" in line.getMessage()
    assert line.exc_info is None


async def test_the_defaults(autojump_clock: MockClock) -> None:
    for what, seconds in {"route": 60, "connect": 30, "long poll": 30, "raw init": 30}.items():
        waiting = Waiting()
        async with serving(endpoint(waiting)) as server:
            client = await connect(server, "memory")
            await client.stream.send_all(REQUESTS[what])
            began = trio.current_time()
            while not waiting.ended:  # noqa: ASYNC110 - nobody sets an event
                await trio.sleep(1)
            assert trio.current_time() - began == pytest.approx(seconds, abs=2)
            await trio.aclose_forcefully(client.stream)


async def test_an_endpoint_says_for_all_routes_and_a_route_for_itself(autojump_clock: MockClock) -> None:
    for options, seconds in (({"request_timeout": 7}, 7), ({"request_timeout": 7, "timeout": 9}, 9)):
        waiting = Waiting()
        async with serving(endpoint(waiting, **options)) as server:
            client = await connect(server, "memory")
            began = trio.current_time()
            await client.stream.send_all(REQUESTS["route"])
            assert b" 503 " in await receive(client)
            assert trio.current_time() - began == pytest.approx(seconds)
            await client.stream.aclose()


async def test_any_time_is_infinity(autojump_clock: MockClock) -> None:
    waiting = Waiting()
    async with serving(endpoint(waiting, timeout=math.inf)) as server:
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS["route"])
        await trio.sleep(80_000)
        waiting.enough.set()
        assert b"waited" in await receive(client)
        await client.stream.aclose()


@pytest.mark.parametrize("what", ["route", "connect", "raw init"])
async def test_one_that_shields_itself_is_answered_for_in_time(what: str, autojump_clock: MockClock) -> None:
    waiting = Waiting()

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    waiting.wait = shielded
    async with serving(endpoint(waiting, connect_timeout=5, timeout=5)) as server:
        before = server.processes()
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS[what])
        began = trio.current_time()
        answer = await receive(client)
        while what == "raw init" and ANSWERS[what][1] not in answer:
            answer += await receive(client)
        assert answer.startswith(ANSWERS[what][0])
        assert trio.current_time() - began == pytest.approx(5)
        assert waiting.ended == []
        await trio.sleep(200)
        assert waiting.ended == ["returned"]
        assert server.processes() == before
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.send_all(HELLO)
        assert await receive(client) == b""  # nothing comes behind the answer


async def test_a_handler_may_clean_up_and_cannot_trap_its_end(autojump_clock: MockClock) -> None:
    waiting = Waiting()
    cleaned = []

    async def careful() -> None:
        trap_exit()
        try:
            await trio.sleep_forever()
        finally:
            with cleanup(2):
                await trio.sleep(1)
                cleaned.append(trio.current_time())

    waiting.wait = careful
    async with serving(endpoint(waiting, timeout=5)) as server:
        began = trio.current_time()
        client = await connect(server, "memory")
        await client.stream.send_all(REQUESTS["route"])
        assert b" 503 " in await receive(client)
        await trio.sleep(2)
        assert cleaned == [pytest.approx(began + 6)]
        await client.stream.aclose()


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_no_time_at_all_is_refused(seconds: float) -> None:
    async def handler(request: Request) -> Response:
        raise NotImplementedError

    for make in (
        lambda: get("/", handler, timeout=seconds),
        lambda: Endpoint(request_timeout=seconds),
        lambda: WebSocketOptions(connect_timeout=seconds),
        lambda: LongPollOptions(connect_timeout=seconds),
    ):
        with pytest.raises(ValueError, match="more than 0 seconds"):
            make()
    with pytest.raises(TypeError, match="a number of seconds"):
        get("/", handler, timeout=True)


async def test_what_a_connect_raises_after_it_has_waited_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        await trio.sleep(0.001)
        raise ValueError("no")

    waiting = Waiting()
    waiting.wait = fail
    async with serving(endpoint(waiting)) as server:
        for what in ("route", "connect", "raw connect"):
            client = await connect(server, "plain")
            await client.stream.send_all(REQUESTS[what])
            assert (await in_time(receive(client))).startswith(b"HTTP/1.1 500 ")
            await client.leave("closes")
    assert len(complaints(caplog, logging.ERROR)) == 3
