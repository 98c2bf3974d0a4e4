"""What one client may ask of a socket: how fast, how often, how far behind; and what it costs when it asks for more."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any, get_args

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Channel,
    Endpoint,
    LongPollOptions,
    Ok,
    RawSocket,
    Socket,
    WebSocketOptions,
    channel,
    mount,
    on,
)
from phxactor.socket import LEVELS
from phxactor.transport._options import LogLevel
from tests.conformance.client import Client, Closed, Rejected
from tests.conformance.zoo import EchoSocket
from tests.sockets.serving import Server, complaints, eventually, in_time, passing, serving

pytestmark = pytest.mark.socket

OPEN = WebSocketOptions(check_origin=False)
JOINED = {"status": "ok", "response": {}}
LIMITED = {"status": "error", "response": {"reason": "rate limited"}}


class Cycle:
    """Refers to itself, so that only a collection finds it."""

    def __init__(self) -> None:
        self.me = self


class Room(Channel):
    """Counts, and leaves cycles behind."""

    handled = 0
    left: weakref.ref[Cycle]

    @on("count")
    async def count(self, payload: Any) -> Ok[int]:  # noqa: ANN401
        Room.handled += 1
        return Ok(Room.handled)

    @on("cast")
    async def quietly(self, payload: Any) -> None:  # noqa: ANN401
        Room.handled += 1

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("push_much")
    async def push_much(self, payload: Any) -> None:  # noqa: ANN401
        for number in range(payload["count"]):
            self.push("pushed", [number, "x" * payload["size"]])

    @on("litter")
    async def litter(self, payload: Any) -> Ok[None]:  # noqa: ANN401
        Room.left = weakref.ref(Cycle())
        return Ok()


class UserSocket(Socket):
    """Any room."""

    channels = (channel("room:*", Room),)


class Litter(RawSocket):
    """Leaves cycles behind."""

    async def handle_in(self, data: str | bytes) -> str:
        Room.left = weakref.ref(Cycle())
        return "done"


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    Room.handled = 0
    return Endpoint(sockets=[mount("/socket", UserSocket, websocket=attrs.evolve(OPEN, **options))])


async def join(client: Client, topic: str = "room:1", ref: str = "1") -> object:
    reply = await client.ask([ref, ref, topic, "phx_join", {}])
    assert isinstance(reply, list)
    return reply[4]


# ------------------------------------------------------------------------------------------ messages per second


async def test_too_many_messages_are_told_and_go_nowhere(
    still_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint(max_messages_per_second=20)) as server, await server.connect() as client:
        assert await join(client) == JOINED
        for number in range(60):
            await client.send(["1", str(number), "room:1", "count", {}])
        replies = [await client.json() for _ in range(60)]
        refused = [reply for reply in replies if reply[4] == LIMITED]  # type: ignore[index]
        assert len(replies) - len(refused) == Room.handled == 19  # and the join
        assert all(reply[:4] == ["1", reply[1], "room:1", "phx_reply"] for reply in refused)  # type: ignore[index]
        (line,) = complaints(caplog)
        assert line.name == "phxactor.socket.rate_limited"
        assert "too many messages" in line.message
        # Whoever waits is heard again.
        still_clock.jump(0.05)
        assert await client.ask(["1", "x", "room:1", "count", {}]) == [
            "1", "x", "room:1", "phx_reply", {"status": "ok", "response": 20}
        ]  # fmt: skip


async def test_what_waits_for_no_answer_gets_none_and_a_leave_is_always_taken(still_clock: MockClock) -> None:
    async with serving(endpoint(max_messages_per_second=5)) as server, await server.connect() as client:
        assert await join(client) == JOINED
        for _ in range(30):
            await client.send(["1", None, "room:1", "cast", {}])
        await client.send(["1", "leave", "room:1", "phx_leave", {}])
        answers = [await client.json(), await client.json()]
        assert ["1", "leave", "room:1", "phx_reply", JOINED] in answers
        assert ["1", "1", "room:1", "phx_close", {}] in answers
        assert await client.ask([None, "3", "phoenix", "heartbeat", {}]) == [
            None, "3", "phoenix", "phx_reply", LIMITED
        ]  # fmt: skip
        assert Room.handled == 4  # and the join


async def test_heartbeats_count_too_and_the_answer_says_so(still_clock: MockClock) -> None:
    async with serving(endpoint(max_messages_per_second=2)) as server, await server.connect() as client:
        for number in range(4):
            await client.send([None, str(number), "phoenix", "heartbeat", {}])
        statuses = [(await client.json())[4]["status"] for _ in range(4)]  # type: ignore[index]
        assert statuses == ["ok", "ok", "error", "error"]


async def test_messages_that_no_client_should_send_count_too(still_clock: MockClock) -> None:
    async with serving(endpoint(max_messages_per_second=3)) as server, await server.connect() as client:
        for number in range(5):
            await client.send([None, number, 7, "phx_join", {}])
        said = [(await client.json())[4]["response"] for _ in range(5)]  # type: ignore[index]
        assert said == [{"reason": "unmatched topic"}] * 3 + [{"reason": "rate limited"}] * 2


async def test_abuse_is_closed_with_1008(still_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(max_messages_per_second=10)) as server, await server.connect() as client:
        assert await join(client) == JOINED
        for number in range(200):
            await client.send(["1", str(number), "room:1", "count", {}])
        events, end = await client.until_closed()
        assert end == Closed(1008)
        assert 100 <= len(events) < 130
        assert len(complaints(caplog)) == 1
        await eventually(lambda: not server.endpoint.pubsub.statistics().topics)


async def test_joins_per_second(still_clock: MockClock) -> None:
    async with serving(endpoint(max_joins_per_second=3)) as server, await server.connect() as client:
        for number in range(6):
            await client.send([str(number), str(number), f"room:{number}", "phx_join", {}])
        replies = {reply[1]: reply[4] for reply in [await client.json() for _ in range(6)]}  # type: ignore[index]
        assert replies == {str(number): JOINED if number < 3 else LIMITED for number in range(6)}
        # Other messages are as many as one likes, and joining again is a join.
        for number in range(20):
            answer = await client.ask(["0", str(number), "room:0", "echo", number])
            assert answer == ["0", str(number), "room:0", "phx_reply", {"status": "ok", "response": number}]
        assert await join(client, "room:0", "again") == LIMITED
        assert await client.ask(["0", "9", "room:0", "echo", 9]) == [
            "0", "9", "room:0", "phx_reply", {"status": "ok", "response": 9}
        ]  # fmt: skip


async def test_a_flood_of_joins_is_closed_with_1008(still_clock: MockClock) -> None:
    async with serving(endpoint(max_joins_per_second=2)) as server, await server.connect() as client:
        for number in range(40):
            await client.send([str(number), str(number), f"room:{number}", "phx_join", {}])
        assert (await client.until_closed())[1] == Closed(1008)


async def test_a_raw_socket_is_read_no_faster(still_clock: MockClock) -> None:
    options = attrs.evolve(OPEN, max_messages_per_second=50, timeout=0.2)
    served = Endpoint(sockets=[mount("/echo", EchoSocket, websocket=options)])
    async with serving(served) as server, await server.connect("/echo/websocket") as client:
        for number in range(5):
            for _ in range(25):
                await client.send(str(number))
            async with passing(still_clock, 0.01):
                assert [await client.next() for _ in range(25)] == [str(number)] * 25
        # 50 are what one second is worth, and 25 were read before it was known how many there are.
        assert trio.current_time() > 0.9


async def test_a_long_poll_is_limited_too(still_clock: MockClock) -> None:
    options = LongPollOptions(check_origin=False, max_messages_per_second=3)
    served = Endpoint(sockets=[mount("/socket", UserSocket, longpoll=options)])
    async with serving(served) as server:
        token = (await poll(server, "GET"))["token"]
        lines = [["1", "0", "room:1", "phx_join", {}], *(["1", str(n), "room:1", "echo", n] for n in range(1, 6))]
        body = b"\n".join(orjson.dumps(line) for line in lines)
        assert (await poll(server, "POST", token, body))["status"] == 200
        messages: list[Any] = []
        while len(messages) < len(lines):
            messages += [orjson.loads(text) for text in (await poll(server, "GET", token))["messages"]]
        refused = sorted(message[1] for message in messages if message[4] == LIMITED)
        assert refused == ["3", "4", "5"]


async def poll(server: Server, method: str, token: str | None = None, body: bytes = b"") -> Any:  # noqa: ANN401
    path = "/socket/longpoll?vsn=2.0.0" + ("" if token is None else f"&token={token}")
    head = f"{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n"
    _, answer = await server.request(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return orjson.loads(answer.split(b"\r\n\r\n", 1)[1])


# ----------------------------------------------------------------------------------------------- slow consumers


async def test_a_slow_consumer_may_miss_broadcasts_but_no_reply(caplog: pytest.LogCaptureFixture) -> None:
    served = endpoint(slow_consumer="drop", max_output_bytes=400_000)
    async with serving(served) as server, await server.connect() as slow, await server.connect() as quick:
        for client in (slow, quick):
            assert await join(client) == JOINED
        sent = 0
        while not complaints(caplog):
            server.endpoint.broadcast("room:1", "news", [sent, "x" * 60_000])
            assert await quick.json() == [None, None, "room:1", "news", [sent, "x" * 60_000]]
            sent += 1
        for number in range(20):
            await slow.send(["1", f"r{number}", "room:1", "echo", number])
        for _ in range(50):
            server.endpoint.broadcast("room:1", "news", [sent, "x" * 60_000])
            assert await quick.json() == [None, None, "room:1", "news", [sent, "x" * 60_000]]
            sent += 1
        # It wakes up: the first broadcasts are there, then the replies, all of them; the rest is lost.
        heard: list[Any] = [await slow.json()]
        while heard[-1][1] != "r19":
            heard.append(await slow.json())
        replies = [message[4]["response"] for message in heard if message[3] == "phx_reply"]
        numbers = [message[4][0] for message in heard if message[3] == "news"]
        assert replies == list(range(20))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < sent - 40
        # From now on it hears everything again, and how much it has missed is told once.
        await eventually(lambda: not slow_bytes())
        server.endpoint.broadcast("room:1", "news", "again")
        assert await slow.json() == [None, None, "room:1", "news", "again"]
        first, second = complaints(caplog)
        assert "misses broadcasts" in first.message
        assert f"has missed {sent - len(numbers)} broadcasts" in second.message


def slow_bytes() -> int:
    from phxactor.net import Connection  # noqa: PLC0415

    return sum(one.size for one in gc.get_objects() if type(one) is Connection)


@pytest.mark.parametrize("compress", [False, True])
async def test_one_that_does_not_read_its_replies_is_closed_all_the_same(compress: bool) -> None:
    served = endpoint(slow_consumer="drop", max_output_bytes=300_000, compress=compress)
    async with serving(served) as server, await server.connect(compress=compress) as client:
        assert await join(client) == JOINED
        await client.send(["1", "2", "room:1", "push_much", {"count": 400, "size": 60_000}])
        await eventually(lambda: not server.endpoint.pubsub.statistics().topics or compress)
        if not compress:  # or else it fits
            assert (await client.until_closed())[1] == Closed(1013)


async def test_a_long_poll_may_miss_broadcasts_too(caplog: pytest.LogCaptureFixture) -> None:
    options = LongPollOptions(check_origin=False, slow_consumer="drop", max_output_bytes=10_000)
    async with serving(Endpoint(sockets=[mount("/socket", UserSocket, longpoll=options)])) as server:
        token = (await poll(server, "GET"))["token"]
        assert (await poll(server, "POST", token, orjson.dumps(["1", "1", "room:1", "phx_join", {}])))["status"] == 200
        await eventually(lambda: server.endpoint.pubsub.statistics().topics)
        for number in range(100):
            server.endpoint.broadcast("room:1", "news", [number, "x" * 1000])
        messages = [orjson.loads(text) for text in (await poll(server, "GET", token))["messages"]]
        assert [message[4][0] for message in messages if message[3] == "news"] == [0, 1, 2, 3, 4]
        server.endpoint.broadcast("room:1", "news", "again")
        assert len((await poll(server, "GET", token))["messages"]) == 1
    assert [line.name.rpartition(".")[2] for line in complaints(caplog)] == ["slow_consumer", "caught_up"]


# --------------------------------------------------------------------------------------------------- full sweeps


@pytest.mark.parametrize(("after", "messages"), [(0, 1), (1, 1), (3, 3)])
async def test_garbage_is_collected_after_so_many_messages(after: int, messages: int) -> None:
    async with serving(endpoint(fullsweep_after=after)) as server, await server.connect() as client:
        gc.disable()
        try:
            assert await join(client) == JOINED  # the first message
            await client.ask(["1", "2", "room:1", "litter", {}])
            for number in range(messages):
                await client.ask(["1", str(number), "room:1", "echo", {}])
            assert Room.left() is None
        finally:
            gc.enable()


async def test_without_the_option_it_is_python_who_collects() -> None:
    async with serving(endpoint()) as server, await server.connect() as client:
        gc.disable()
        try:
            assert await join(client) == JOINED
            await client.ask(["1", "2", "room:1", "litter", {}])
            for number in range(10):
                await client.ask(["1", str(number), "room:1", "echo", {}])
            assert Room.left() is not None
        finally:
            gc.enable()


async def test_a_raw_socket_collects_too() -> None:
    served = Endpoint(sockets=[mount("/raw", Litter, websocket=attrs.evolve(OPEN, fullsweep_after=2))])
    async with serving(served) as server, await server.connect("/raw/websocket") as client:
        gc.disable()
        try:
            for _ in range(2):
                await client.send("x")
                assert await client.next() == "done"
            await eventually(lambda: Room.left() is None)
        finally:
            gc.enable()


# ----------------------------------------------------------------------------------------------- the transport's log


@pytest.mark.parametrize("level", get_args(LogLevel))
async def test_each_request_on_a_transport_s_path_is_a_line(level: LogLevel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    served = Endpoint(
        sockets=[
            mount(
                "/socket",
                UserSocket,
                websocket=WebSocketOptions(transport_log=level, check_origin=["//example.com"]),
                longpoll=LongPollOptions(transport_log=level),
            )
        ]
    )
    async with serving(served) as server:
        async with await server.connect("/socket/websocket?vsn=2.0.0&token=secret"):
            pass
        with pytest.raises(Rejected):
            await server.connect("/socket/websocket?vsn=2.0.0", origin="http://example.org")
        await poll(server, "GET")
        await server.request(b"GET /elsewhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    ours = [record for record in caplog.records if record.name.startswith("phxactor")]
    lines = [record for record in ours if " /socket/" in record.message]
    assert [line.message.split(" in ")[0] for line in lines] == [
        "GET /socket/websocket 101",
        "GET /socket/websocket 403",
        "GET /socket/longpoll 200",
    ]
    assert all(line.levelno == LEVELS[level] and " ms for 127.0.0.1:" in line.message for line in lines)
    assert not any("secret" in record.message for record in ours)


async def test_nothing_is_logged_of_requests_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(endpoint()) as server, await server.connect():
        pass
    assert not any(" /socket/" in record.message for record in caplog.records if record.name.startswith("phxactor"))


# ------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("option", [{"slow_consumer": "drop"}, {"max_joins_per_second": 1}])
def test_what_is_for_channels_alone(option: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="sockets with channels"):
        mount("/echo", EchoSocket, websocket=attrs.evolve(OPEN, **option))


async def test_the_connection_of_one_client_says_nothing_of_another(still_clock: MockClock) -> None:
    async with serving(endpoint(max_messages_per_second=3)) as server:
        for _ in range(3):
            async with await server.connect() as client:
                for number in range(3):
                    assert await in_time(join(client, f"room:{number}", str(number))) == JOINED
