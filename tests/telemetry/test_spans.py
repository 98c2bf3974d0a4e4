"""Spans and gauges: what is told of messages, calls, joins, broadcasts, restarts and requests, and when."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Channel,
    Endpoint,
    Error,
    Exit,
    GenServer,
    Ok,
    PubSub,
    Reply,
    Request,
    Response,
    Socket,
    call,
    cast,
    channel,
    get,
    intercept,
    on,
    open_runtime,
    self_pid,
)
from phxactor.channels._process import ChannelProcess
from phxactor.otp import ServerProcess, Supervisor
from phxactor.testing import HTTPClient, Refused, connect
from tests.telemetry.spans import listening


class Slow(GenServer):
    """Takes a second for what is asked, and crashes if it is told to."""

    async def handle_call(self, request: object, from_: object) -> Reply:
        await trio.sleep(1)
        return Reply(request)

    async def handle_cast(self, request: object) -> None:
        if request == "crash":
            raise ValueError

    async def handle_info(self, message: object) -> None:
        await trio.sleep(2)


class Room(Channel):
    """Refuses nobody but the topic `room:no`."""

    async def join(self, topic: str, payload: Any) -> Error | None:  # noqa: ANN401
        await trio.sleep(0.5)
        return Error({}) if topic == "room:no" else None

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        await trio.sleep(0.25)
        return Ok(payload)

    @on("shout")
    async def shout(self, payload: Any) -> None:  # noqa: ANN401
        self.broadcast("shout", payload)
        self.broadcast_from("heard", payload)

    @intercept("heard")
    async def heard(self, payload: Any) -> None:  # noqa: ANN401
        self.push("heard", payload)

    async def handle_in(self, event: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({})

    async def handle_info(self, message: object) -> None:
        raise ValueError


class UserSocket(Socket):
    channels = (channel("room:*", Room),)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Nothing is around a handler before a test, nor after it."""
    before = {one: dict(one.handlers) for one in (ServerProcess, ChannelProcess)}
    yield
    assert {one: dict(one.handlers) for one in (ServerProcess, ChannelProcess)} == before


async def test_what_a_server_handles_and_how_long(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Slow.start()).unwrap()
        with listening("server.message.start", "server.message.stop", "server.call.start", "server.call.stop") as heard:
            assert await call(pid, 7) == 7
            cast(pid, 1)
            pid.send("something")
            await trio.sleep(3)
        assert heard.names() == [
            "server.call.start", "server.message.start", "server.message.stop", "server.call.stop",
            "server.message.start", "server.message.stop", "server.message.start", "server.message.stop",
        ]  # fmt: skip
        stops = heard.of("server.message.stop")
        assert [(one["kind"], one["seconds"], one["outcome"]) for one in stops] == [
            ("call", 1, "ok"), ("cast", 0, "ok"), ("info", 2, "ok")
        ]  # fmt: skip
        assert all(one["server"] == "Slow" and one["pid"] is pid for one in stops)
        (called,) = heard.of("server.call.stop")
        assert called == {"pid": self_pid(), "server": "Slow.init", "seconds": 1, "outcome": "ok"}
        before = len(heard)
        assert await call(pid, 7) == 7
        assert len(heard) == before


async def test_a_call_that_fails_has_an_end_too(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Slow.start()).unwrap()
        with listening("server.call.stop", "server.message.stop") as heard:
            with pytest.raises(Exit):
                await call(pid, 7, timeout=0.5)
            with pytest.raises(Exit):
                await call("nobody", 7)
            await trio.sleep(1)
            cast(pid, "crash")
            await trio.sleep(1)
        assert [(one["seconds"], one["outcome"], one["server"]) for one in heard.of("server.call.stop")] == [
            (0.5, "timeout", "Slow.init"), (0, "failed", "")
        ]  # fmt: skip
        assert [one["outcome"] for one in heard.of("server.message.stop")] == ["ok", "failed"]


async def test_a_restart_has_a_beginning_and_an_end(autojump_clock: MockClock) -> None:
    class Late(Slow):
        async def init(self) -> None:
            await trio.sleep(1)

    async with open_runtime():
        top = (await Supervisor.start_link([Late.child_spec(name="late")])).unwrap()
        with listening("supervisor.restart.start", "supervisor.restart.stop") as heard:
            cast("late", "crash")
            await trio.sleep(3)
        assert heard.names() == ["supervisor.restart.start", "supervisor.restart.stop"]
        (stop,) = heard.of("supervisor.restart.stop")
        assert (stop["supervisor"], stop["spec"].id, stop["seconds"], stop["outcome"]) == (top, "Late", 1, "ok")


async def test_what_a_channel_handles_by_route_and_event(autojump_clock: MockClock) -> None:
    with listening("channel.join.start", "channel.join.stop", "channel.message.start", "channel.message.stop") as heard:
        async with open_runtime():
            client = await connect(UserSocket)
            room = await client.join("room:1", {"a": 1})
            await room.assert_joined()
            with pytest.raises(Refused):
                await client.join("room:no")
            await room.assert_reply(room.push("echo", {"n": 1}), "ok", within=1)
            await room.assert_reply(room.push("never heard of", {}), "ok")
            room.push("shout", {})
            await room.assert_push("shout")
            assert room.pid is not None
            room.pid.send("crash")
            await trio.sleep(1)
    joins = heard.of("channel.join.stop")
    assert [(one["channel"], one["topic"], one["route"], one["seconds"], one["outcome"]) for one in joins] == [
        ("Room", "room:1", "room:*", 0.5, "ok"), ("Room", "room:no", "room:*", 0.5, "refused")
    ]  # fmt: skip
    assert heard.of("channel.join.start")[0]["payload"] == {"a": 1}
    stops = heard.of("channel.message.stop")
    assert [(one["kind"], one["event"], one["declared"], one["seconds"], one["outcome"]) for one in stops] == [
        ("in", "echo", True, 0.25, "ok"), ("in", "never heard of", False, 0, "ok"), ("in", "shout", True, 0, "ok"),
        ("info", None, False, 0, "failed"),
    ]  # fmt: skip
    assert all(one["route"] == "room:*" and one["topic"] == "room:1" for one in stops)
    assert len(heard.of("channel.message.start")) == len(stops)


async def test_a_channel_that_runs_already_is_measured_from_its_next_message_on(autojump_clock: MockClock) -> None:
    async with open_runtime():
        room = await (await connect(UserSocket)).join("room:1")
        await room.assert_joined()
        with listening("channel.message.stop") as heard:
            await room.assert_reply(room.push("echo", {}), "ok", within=1)
        await room.assert_reply(room.push("echo", {}), "ok", within=1)
        assert len(heard) == 1


def fails(*_: object) -> None:
    """Hand nothing out."""
    raise ZeroDivisionError


async def test_a_broadcast_has_receivers(autojump_clock: MockClock) -> None:
    pubsub = PubSub("news")
    async with open_runtime():
        (await pubsub.start_link()).unwrap()
        with listening("pubsub.broadcast.start", "pubsub.broadcast.stop") as heard:
            pubsub.subscribe("weather")
            pubsub.broadcast("weather", "rain")
            pubsub.broadcast_from(self_pid(), "weather", "sun")
            pubsub.local_broadcast("weather", "snow")
            pubsub.local_broadcast_from((await Slow.start()).unwrap(), "weather", "fog")
            pubsub.broadcast("nothing", "rain")
            with pytest.raises(ZeroDivisionError):
                pubsub.broadcast("weather", "rain", fails)
        pubsub.broadcast("weather", "rain")
        stops = heard.of("pubsub.broadcast.stop")
        assert [(one["receivers"], one["outcome"]) for one in stops] == [
            (1, "ok"), (0, "ok"), (1, "ok"), (1, "ok"), (0, "ok"), (1, "failed")
        ]  # fmt: skip
        assert stops[0] == {
            "pubsub": "news", "topic": "weather", "event": None, "origin": "here", "crosses": False, "receivers": 1,
            "seconds": 0, "outcome": "ok",
        }  # fmt: skip
        assert heard.of("pubsub.broadcast.start")[0]["message"] == "rain"


@pytest.mark.socket
async def test_a_request_has_its_route() -> None:
    async def item(request: Request) -> Response:
        return Response.text(request.path_params["id"])

    endpoint = Endpoint(routes=[get("/items/{id}", item)], health="/health")
    with listening("http.request.start", "http.request") as heard:
        async with open_runtime():
            (await endpoint.start_link(port=0)).unwrap()
            assert endpoint.address is not None
            client = HTTPClient(endpoint)
            for path in ("/items/7?token=secret", "/nothing", "/health"):
                await client.get(path)
    assert heard.names() == ["http.request.start", "http.request"] * 2
    starts, stops = heard.of("http.request.start"), heard.of("http.request")
    assert [(one["route"], one["target"]) for one in starts] == [
        ("/items/{id}", "/items/7?token=[FILTERED]"), ("-", "/nothing")
    ]  # fmt: skip
    assert [(one["route"], one["status"]) for one in stops] == [("/items/{id}", 200), ("-", 404)]


async def test_gauges_are_measured_while_somebody_listens(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        await trio.sleep(20)
        assert len(gc.callbacks) == len([one for one in gc.callbacks if "CollectorPauses" not in repr(one)])
        with listening("runtime.measured") as heard:
            self_pid().send("waits")
            await trio.sleep(6)
            gc.collect()
            await trio.sleep(5)
        await trio.sleep(20)
        assert len(heard) == 2
        fields = heard[1][1]
        assert fields["runtime"] is runtime
        assert (fields["processes"], fields["messages"], fields["longest_mailbox"]) == (1, 1, 1)
        assert fields["lag"] == pytest.approx(0)
        assert fields["collections"] >= 1
        assert fields["collector_seconds"] > 0
        assert fields["longest_collection"] > 0
        assert fields["memory"] > 1_000_000
        assert not [one for one in gc.callbacks if "CollectorPauses" in repr(one)]


async def test_a_runtime_that_opens_while_somebody_listens_is_measured(autojump_clock: MockClock) -> None:
    with listening("runtime.measured") as heard:
        async with open_runtime():
            await trio.sleep(6)
    assert len(heard) == 1
