"""Custom channels: anything that starts with `(payload, from_, socket)` and answers the join, or does not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Channel,
    Error,
    From,
    GenServer,
    Message,
    Ok,
    Pid,
    Shutdown,
    Socket,
    Stop,
    channel,
    monitor,
    on,
    open_runtime,
)
from phxactor.channels import Payload
from phxactor.otp import ChildSpec, supervisor_events
from phxactor.runtime import receive, spawn_link
from phxactor.telemetry import Event
from phxactor.testing import Refused, assert_refused
from tests.channels.joining import client_of
from tests.sockets.serving import complaints
from tests.sockets.wires import error, only_the_connection_is_left, refusal, reply, wire

Arguments = tuple[Any, From, Socket]


class Room(Channel):
    """A channel as usual, beside the others."""

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)


class StartsLate(GenServer):
    """A custom channel whose `init` takes long."""

    async def init(self, arguments: Arguments) -> None:
        payload, from_, socket = arguments
        await trio.sleep(payload["init"])
        monitor(socket.transport_pid)
        from_.reply(Ok())

    async def handle_info(self, message: object) -> Stop:
        return Stop(Shutdown("closed"))


async def test_a_custom_channel_that_starts_too_late_is_ended_with_its_join(virtual_time: MockClock) -> None:
    async with open_runtime():
        client = await client_of(channel("late", StartsLate), channel("room:*", Room))
        late = client.begin_join("late", {"init": 1000})
        with pytest.raises(Refused) as refused:
            await late.assert_joined(within=client.join_timeout + 0.1)
        assert refused.value.error == Error({"reason": "join timed out"})
        await client.join("room:1")  # its supervisor is free again


async def test_a_custom_channel_that_starts_in_time(virtual_time: MockClock) -> None:
    async with open_runtime():
        client = await client_of(channel("late", StartsLate))
        await client.join("late", {"init": client.join_timeout - 1})


class Answers:
    """Custom channels that answer a join in all the ways that there are, by their topic."""

    @classmethod
    async def start_link(cls, arguments: Arguments) -> Any:  # noqa: ANN401 - whatever a start function may say
        _, from_, socket = arguments
        match socket.topic:
            case "plain":
                from_.reply({"plain": "value"})
            case "pushes first":
                from_.reply(Ok())
                socket.transport_pid.send(socket.serializer.encode(_message(socket, "pushed")))
                await trio.lowlevel.checkpoint()  # the answer of the pool comes later
            case "answers twice":
                from_.reply(Ok())
                from_.reply(Error({"reason": "no, after all"}))
            case "refuses and lives":
                from_.reply(Error({"reason": "refused"}))
            case "error":
                return Error("would not start")
            case "error after its answer":
                from_.reply(Ok({"told": True}))
                return Error("would not start")
            case "raises":
                raise RuntimeError("would not start")
            case "nonsense":
                return "nonsense"
            case "dies":
                from_.reply(Ok())
                pid = spawn_link(_nothing)
                await trio.sleep(0.1)
                return Ok(pid)
        return Ok(spawn_link(trio.sleep_forever))


async def _nothing() -> None:
    pass


def _message(socket: Socket, event: str) -> Message:
    return Message(str(socket.topic), event, {}, None, socket.join_ref)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("plain", [reply("1", "plain", {"status": "ok", "response": {"plain": "value"}})]),
        ("pushes first", [reply("1", "pushes first"), ["1", None, "pushes first", "pushed", {}]]),
        ("answers twice", [reply("1", "answers twice")]),
        ("refuses and lives", [reply("1", "refuses and lives", refusal("refused"))]),
        ("error", [reply("1", "error", refusal("join crashed"))]),
        ("raises", [reply("1", "raises", refusal("join crashed"))]),
        ("nonsense", [reply("1", "nonsense", refusal("join crashed"))]),
        (
            "error after its answer",
            [
                reply("1", "error after its answer", {"status": "ok", "response": {"told": True}}),
                error("1", "error after its answer"),
            ],
        ),
    ],
)
async def test_how_a_custom_channel_answers(autojump_clock: MockClock, topic: str, expected: list[object]) -> None:
    async with wire(channel("*", Answers)) as it:
        it.join(topic)
        assert await it.hear() == expected
        assert it.runtime.statistics().timers == 0


async def test_a_custom_channel_that_has_died_before_its_start_is_known(autojump_clock: MockClock) -> None:
    async with wire(channel("*", Answers)) as it:
        it.join("dies")
        await trio.sleep(1)
        assert await it.hear() == [reply("1", "dies"), error("1", "dies")]
        only_the_connection_is_left(it)


class BySpec:
    """A custom channel that says by `child_spec` how it is started, and would come back by itself."""

    @staticmethod
    def child_spec(arguments: Arguments) -> ChildSpec:
        return ChildSpec(id="by spec", start=(BySpec.start, (arguments[1],), {}), restart="permanent", shutdown=1.0)

    @staticmethod
    def start(from_: From) -> Ok[Pid]:
        async def body() -> None:
            from_.reply(Ok({"by": "spec"}))
            await receive()

        return Ok(spawn_link(body))


async def test_a_custom_channel_by_child_spec_never_restarts() -> None:
    async with open_runtime():
        room = await (await client_of(channel("spec", BySpec))).join("spec")
        await room.assert_joined({"by": "spec"})
        room.push("anything")
        await room.assert_crashed()
        assert room.client.transport.channel_of("spec") is None


class Patient(Channel):
    """A channel with a specification of its own; a class below it has that too."""

    @classmethod
    def child_spec(cls, arguments: Arguments) -> ChildSpec:  # type: ignore[override]
        return attrs.evolve(super().child_spec(arguments), id=f"patient {arguments[2].topic}", shutdown=60.0)


class MorePatient(Patient):
    """Has it from above."""


async def test_a_channel_is_started_by_its_own_child_spec() -> None:
    started: list[ChildSpec] = []

    def note(_: Event, fields: Mapping[str, Any]) -> None:
        started.append(fields["spec"])

    async with open_runtime():
        client = await client_of(channel("own", Patient), channel("above", MorePatient), channel("usual", Room))
        supervisor_events.child_started.attach(note)
        try:
            for topic in ("own", "above", "usual"):
                await client.join(topic)
        finally:
            supervisor_events.child_started.detach(note)
    assert [(spec.id, spec.grace()) for spec in started] == [
        ("patient own", 60.0),
        ("patient above", 60.0),
        ("Room", 5.0),
    ]


class WrongSpec:
    """Custom channels whose `child_spec` is no good."""

    @staticmethod
    def child_spec(arguments: Arguments) -> ChildSpec:
        if arguments[2].topic == "raises":
            raise RuntimeError("no specification")
        return "nonsense"  # type: ignore[return-value]


@pytest.mark.parametrize("topic", ["raises", "nonsense"])
async def test_a_child_spec_that_fails_is_a_crash_of_the_join_alone(
    topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_runtime():
        client = await client_of(channel("room:*", Room), channel("*", WrongSpec))
        room = await client.join("room:1")
        assert await assert_refused(client.join(topic)) == Error({"reason": "join crashed"})
        await room.assert_reply(room.push("echo", 1), "ok", 1)
    assert any(topic in line.message for line in complaints(caplog, logging.ERROR))


@pytest.mark.parametrize("handler", [None, 5, "Room", object(), len])
def test_what_cannot_be_a_channel_is_refused_when_the_socket_is_made(handler: object) -> None:
    with pytest.raises(TypeError, match=r"'room:\*'.*start_link.*child_spec"):
        type("UserSocket", (Socket,), {"channels": [channel("room:*", handler)]})
