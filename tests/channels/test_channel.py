"""What a channel can do in its callbacks, and what its socket tells it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Broadcast,
    Channel,
    Error,
    Message,
    NoReply,
    Ok,
    Shutdown,
    Socket,
    SocketRef,
    Status,
    Stop,
    channel,
    intercept,
    on,
    open_runtime,
    reply,
    self_pid,
    spawn,
)
from phxactor.channels import HandleResult, Payload
from phxactor.otp import Reply as Answer
from phxactor.otp import Timeout, call
from phxactor.runtime import From, Reason
from phxactor.socket import EncodeError, Reply
from phxactor.testing import ClientChannel, exactly
from tests.channels.joining import client_of

answers: list[object] = []
"""What callbacks have noted."""


class Room(Channel):
    """Does what a test asks for."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload] | None:
        answers.clear()
        if payload.get("early"):
            for early in (self.push, self.broadcast, self.broadcast_from):
                try:
                    early("early", {})
                except RuntimeError as failure:
                    answers.append(str(failure))
        self.assign(payload.get("assigns", {}))
        return None

    @on("status")
    async def status(self, payload: Payload) -> Status:
        return Status(payload["status"], payload["response"])

    @on("ref")
    async def ref(self, payload: Payload) -> None:
        spawn(_answer, self.socket_ref(), Ok(payload))

    @on("ref_twice")
    async def ref_twice(self, payload: Payload) -> Ok[str]:
        ref = self.socket_ref()
        reply(ref, Error("first"))
        reply(ref, Status("second", None))
        return Ok("third")

    @on("ref_wrong")
    async def ref_wrong(self, payload: Payload) -> Ok[str]:
        try:
            reply(self.socket_ref(), "neither")  # type: ignore[arg-type]
        except TypeError as failure:
            return Ok(str(failure))
        return Ok("")

    @on("unwritable")
    async def unwritable(self, payload: Payload) -> Ok[list[str]]:
        failures = []
        for payload_ in (object(), {"deep": [{1, 2}]}, 2**70):
            try:
                self.push("x", payload_)
            except EncodeError as failure:
                failures.append(str(failure))
        return Ok(failures)

    @on("fields")
    async def fields(self, payload: Payload) -> None:
        answers.append({name: getattr(self.socket, name) for name in FIELDS} | {"me": self_pid(), "own": self.topic})

    @on("assign")
    async def assign_all(self, payload: Payload) -> Ok[Payload]:
        self.assign("a", 1).assign({"b": 2}).assign(lambda assigns: {"c": assigns.a + assigns.b}).assign(d=4)
        return Ok(dict(self.assigns))

    @on("subscribe")
    async def subscribe(self, payload: Payload) -> Ok[None]:
        self.socket.pubsub_server.subscribe(payload)
        return Ok()

    @on("then_time_out")
    async def then_time_out(self, payload: Payload) -> NoReply:
        return NoReply(Timeout(payload))

    @intercept("last")
    async def last(self, payload: Payload) -> Stop:
        self.push("last", payload)
        return Stop(Shutdown("last"))

    @intercept("wrong")
    async def wrong(self, payload: Payload) -> HandleResult:
        return Ok("handle_out has nobody to reply to")

    async def handle_info(self, message: object) -> Stop | None:
        match message:
            case "stop":
                return Stop()
            case "stop badly":
                return Stop("badly")
            case Broadcast():
                self.push("heard", [message.topic, message.event, message.payload])
            case "timeout":
                self.push("timed_out", {})
            case ("push", str(event), payload):
                self.push(event, payload)
        return None

    async def handle_call(self, request: object, from_: From) -> Answer:
        return Answer((request, self.topic))

    async def terminate(self, reason: Reason) -> None:
        answers.append(reason)


FIELDS = (
    "id", "assigns", "channel", "channel_pid", "endpoint", "handler", "joined", "join_ref", "ref", "pubsub_server",
    "topic", "transport", "transport_pid", "serializer",
)  # fmt: skip
"""Those that the documentation of Phoenix.Socket lists."""
ROOMS = channel("room:*", Room, assigns={"from_route": True})


async def _answer(ref: SocketRef, answer: Ok[Payload]) -> None:
    await trio.sleep(1)
    reply(ref, answer)


async def joined(payload: object = None) -> ClientChannel:
    """Join a room."""
    return await (await client_of(ROOMS)).subscribe_and_join("room:1", payload)


async def test_nothing_can_be_said_before_the_join_is_accepted() -> None:
    async with open_runtime():
        await joined({"early": True})
        assert len(answers) == 3
        assert "cannot push before the join is accepted; in join, send a message" in str(answers[0])
        assert "cannot broadcast before" in str(answers[1])


async def test_any_status() -> None:
    async with open_runtime():
        room = await joined()
        await room.assert_reply(room.push("status", {"status": "odd", "response": [1]}), "odd", [1])
        await room.assert_reply(room.push("status", {"status": "odd", "response": None}), "odd", exactly({}))


async def test_answers_later_by_socket_ref(virtual_time: MockClock) -> None:
    async with open_runtime():
        room = await joined()
        a, b = room.push("ref", "a"), room.push("ref", "b")
        await room.refute_reply(a)
        await room.assert_reply(a, "ok", "a", within=1.1)
        await room.assert_reply(b, "ok", "b")


async def test_a_message_can_be_answered_more_than_once() -> None:
    # As in Phoenix: which of them counts is the client's concern.
    async with open_runtime():
        room = await joined()
        room.push("ref_twice")
        assert [one.status for one in await room.receive_all() if isinstance(one, Reply)] == ["error", "second", "ok"]


async def test_what_is_no_answer_is_refused_where_it_is_given() -> None:
    async with open_runtime():
        room = await joined()
        assert "Ok(...), Error(...) or Status(...); got 'neither'" in str((await room.ask("ref_wrong")).payload)


async def test_a_message_without_a_ref_cannot_be_answered_later(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        room = await joined()
        room.client.send(Message("room:1", "ref", {}, None, room.join_ref))
        await room.assert_crashed()
    assert "this message has no ref, so the client waits for no answer" in caplog.text


async def test_what_cannot_be_written_is_raised_where_it_is_pushed() -> None:
    async with open_runtime():
        room = await joined()
        failures = await room.assert_reply(room.push("unwritable"), "ok", list[str])
        assert len(failures) == 3
        assert all("cannot write event 'x' on topic 'room:1'" in failure for failure in failures)


async def test_every_field_of_the_socket() -> None:
    async with open_runtime():
        room = await joined({"assigns": {"mine": 1}})
        ref = room.push("fields")
        await room.refute_reply(ref)
        (seen,) = answers
        assert isinstance(seen, dict)
        assert seen.pop("me") is seen.pop("channel_pid") is room.pid
        assert seen.pop("own") == seen["topic"] == "room:1"
        assert dict(seen.pop("assigns")) == {"from_route": True, "mine": 1}
        connection = room.client.socket
        assert seen == {
            "id": None,
            "channel": Room,
            "endpoint": room.client.endpoint,
            "handler": type(connection),
            "joined": True,
            "join_ref": room.join_ref,
            "ref": ref,
            "pubsub_server": room.client.endpoint.pubsub,
            "topic": "room:1",
            "transport": "websocket",
            "transport_pid": room.client.transport_pid,
            "serializer": connection.serializer,
        }
        assert (connection.topic, connection.channel, connection.channel_pid) == (None, None, None)
        assert (connection.joined, connection.join_ref, connection.ref) == (False, None, None)
        assert dict(connection.assigns) == {}


async def test_every_way_to_assign() -> None:
    async with open_runtime():
        room = await joined()
        await room.assert_reply(room.push("assign"), "ok", {"from_route": True, "a": 1, "b": 2, "c": 3, "d": 4})


async def test_a_channel_may_subscribe_to_more_than_its_topic() -> None:
    async with open_runtime():
        room = await joined()
        await room.assert_reply(room.push("subscribe", "other"))
        room.client.endpoint.broadcast("other", "last", [1])  # of its own topic it would be intercepted
        await room.assert_push("heard", ["other", "last", [1]])


async def test_messages_of_processes() -> None:
    async with open_runtime():
        room = await joined()
        room.pid.send(("push", "news", {"n": 1}))
        room.pid.send("unknown")
        await room.assert_push("news", {"n": 1})
        assert await room.receive_all() == []
        assert await call(room.pid, "who") == ("who", "room:1")


async def test_a_time_out_between_messages(virtual_time: MockClock) -> None:
    async with open_runtime():
        room = await joined()
        room.push("then_time_out", 5)
        await room.refute_push("timed_out", within=4.9)
        await room.assert_push("timed_out", within=0.2)


async def test_any_callback_may_stop_the_channel() -> None:
    async with open_runtime():
        room = await joined()
        room.pid.send("stop")
        assert await room.assert_left() == "normal"
        assert answers == ["normal"]
        room = await joined()
        room.pid.send("stop badly")
        assert await room.assert_crashed() == "badly"
        assert answers == ["badly"]
        room = await joined()
        room.broadcast_from("last", "words")
        await room.assert_push("last", "words")
        assert await room.assert_left() == Shutdown("last")
        assert answers == [Shutdown("last")]


async def test_handle_out_has_nobody_to_reply_to(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        room = await joined()
        room.broadcast_from("wrong", {})
        await room.assert_crashed()
    assert "handle_out of 'wrong' must return NoReply(...), Stop(...) or None" in caplog.text


async def test_a_channel_leaves_the_socket_of_its_connection_alone() -> None:
    async with open_runtime():
        client = await client_of(ROOMS)
        client.socket.assign(shared=[])
        await client.join("room:1", {"assigns": {"shared": "mine"}})
        assert dict(client.socket.assigns) == {"shared": []}
        other = await client.join("room:2")
        await other.refute_reply(other.push("fields"))
        assert answers[-1]["assigns"]["shared"] == []  # type: ignore[index]


def test_classes_of_sockets_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="log is one of debug, info, warning, error, or False, not 'loud'"):
        type("Loud", (Socket,), {}, log="loud")
    for partitions in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="partitions must be a whole number of at least 1"):
            type("Parted", (Socket,), {}, partitions=partitions)
    with pytest.raises(ValueError, match=r"topic pattern 'a\*b'"):
        channel("a*b", Room)
    with pytest.raises(ValueError, match="'room:\\*' is there twice"):
        type("Twice", (Socket,), {"channels": [ROOMS, ROOMS]})

    async def connect(self: Socket) -> None: ...

    with pytest.raises(TypeError, match=r"Deaf\.connect takes \(self, params\) or \(self, params, connect_info\)"):
        type("Deaf", (Socket,), {"connect": connect})
