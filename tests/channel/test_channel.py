"""What a channel can do in its callbacks, and what its socket tells it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Broadcast,
    Channel,
    Error,
    NoReply,
    Ok,
    Pid,
    Shutdown,
    Socket,
    SocketRef,
    Status,
    Stop,
    channel,
    intercept,
    on,
    reply,
    self_pid,
    spawn,
)
from phxactor.channel import HandleResult, Payload
from phxactor.otp import Reply, Timeout, call
from phxactor.runtime import From, Reason
from phxactor.socket import EncodeError
from tests.sockets.multiplexing import Wire, close, error, wire

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

    async def handle_call(self, request: object, from_: From) -> Reply:
        return Reply((request, self.topic))

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


async def joined(it: Wire, payload: object = None) -> Pid:
    """Join, and return the channel."""
    it.say("1", "1", "room:1", "phx_join", payload)
    await it.hear()
    return next(pid for pid in it.runtime.processes.values() if pid.initial_call == "Room")


async def ask(it: Wire, event: str, payload: object = None) -> Any:  # noqa: ANN401
    """Send an event; return the payload of the only answer."""
    it.say("1", "2", "room:1", event, payload)
    (answer,) = await it.hear()
    assert isinstance(answer, list)
    assert answer[:4] == ["1", "2", "room:1", "phx_reply"]
    return answer[4]


async def test_nothing_can_be_said_before_the_join_is_accepted(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it, {"early": True})
        assert len(answers) == 3
        assert "cannot push before the join is accepted: send yourself a message in join" in str(answers[0])
        assert "cannot broadcast before" in str(answers[1])


async def test_any_status(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        assert await ask(it, "status", {"status": "odd", "response": [1]}) == {"status": "odd", "response": [1]}
        assert await ask(it, "status", {"status": "odd", "response": None}) == {"status": "odd", "response": {}}


async def test_answers_later_by_socket_ref(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        it.say("1", "2", "room:1", "ref", "a")
        it.say("1", "3", "room:1", "ref", "b")
        assert await it.hear() == []
        await trio.sleep(1.1)
        heard = await it.hear()
        assert sorted(heard, key=str) == [
            ["1", ref, "room:1", "phx_reply", {"status": "ok", "response": response}]
            for ref, response in (("2", "a"), ("3", "b"))
        ]


async def test_a_message_can_be_answered_more_than_once(autojump_clock: MockClock) -> None:
    # As in Phoenix: which of them counts is the client's concern.
    async with wire(ROOMS) as it:
        await joined(it)
        it.say("1", "2", "room:1", "ref_twice")
        statuses = [one[4]["status"] for one in await it.hear() if isinstance(one, list)]
        assert statuses == ["error", "second", "ok"]


async def test_what_is_no_answer_is_refused_where_it_is_given(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        assert "Ok(...), Error(...) or Status(...), not 'neither'" in (await ask(it, "ref_wrong"))["response"]


async def test_a_message_without_a_ref_cannot_be_answered_later(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        it.say("1", None, "room:1", "ref")
        assert await it.hear() == [error("1", "room:1")]
    assert "this message has no ref: nobody waits for an answer" in caplog.text


async def test_what_cannot_be_written_is_raised_where_it_is_pushed(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        failures = (await ask(it, "unwritable"))["response"]
        assert len(failures) == 3
        assert all("cannot write event 'x' on topic 'room:1'" in failure for failure in failures)


async def test_every_field_of_the_socket(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        pid = await joined(it, {"assigns": {"mine": 1}})
        it.say("1", "7", "room:1", "fields")
        await it.hear()
        (seen,) = answers
        assert isinstance(seen, dict)
        assert seen.pop("me") is seen.pop("channel_pid") is pid
        assert seen.pop("own") == seen["topic"] == "room:1"
        assert dict(seen.pop("assigns")) == {"from_route": True, "mine": 1}
        assert seen == {
            "id": None,
            "channel": Room,
            "endpoint": it.socket.endpoint,
            "handler": type(it.socket),
            "joined": True,
            "join_ref": "1",
            "ref": "7",
            "pubsub_server": it.pubsub,
            "topic": "room:1",
            "transport": "websocket",
            "transport_pid": it.pid,
            "serializer": it.socket.serializer,
        }
        connection = it.socket
        assert (connection.topic, connection.channel, connection.channel_pid) == (None, None, None)
        assert (connection.joined, connection.join_ref, connection.ref) == (False, None, None)
        assert dict(connection.assigns) == {}


async def test_every_way_to_assign(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        assert (await ask(it, "assign"))["response"] == {"from_route": True, "a": 1, "b": 2, "c": 3, "d": 4}


async def test_a_channel_may_subscribe_to_more_than_its_topic(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        await ask(it, "subscribe", "other")
        it.socket.endpoint.broadcast("other", "last", [1])  # of its own topic it would be intercepted
        assert await it.hear() == [["1", None, "room:1", "heard", ["other", "last", [1]]]]


async def test_messages_of_processes(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        pid = await joined(it)
        pid.send(("push", "news", {"n": 1}))
        pid.send("unknown")
        assert await it.hear() == [["1", None, "room:1", "news", {"n": 1}]]
        assert await call(pid, "who") == ("who", "room:1")


async def test_a_time_out_between_messages(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        it.say("1", "2", "room:1", "then_time_out", 5)
        await trio.sleep(4.9)
        assert await it.hear() == []
        await trio.sleep(0.2)
        assert await it.hear() == [["1", None, "room:1", "timed_out", {}]]


async def test_any_callback_may_stop_the_channel(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        (await joined(it)).send("stop")
        assert await it.hear() == [close("1", "room:1")]
        assert answers == ["normal"]
        (await joined(it)).send("stop badly")
        assert await it.hear() == [error("1", "room:1")]
        assert answers == ["badly"]
        await joined(it)
        it.socket.endpoint.broadcast("room:1", "last", "words")
        assert await it.hear() == [["1", None, "room:1", "last", "words"], close("1", "room:1")]
        assert answers == [Shutdown("last")]


async def test_handle_out_has_nobody_to_reply_to(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with wire(ROOMS) as it:
        await joined(it)
        it.socket.endpoint.broadcast("room:1", "wrong", {})
        assert await it.hear() == [error("1", "room:1")]
    assert "handle_out of 'wrong' returns NoReply(...), Stop(...) or None" in caplog.text


async def test_a_channel_leaves_the_socket_of_its_connection_alone(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.socket.assign(shared=[])
        await joined(it, {"assigns": {"shared": "mine"}})
        assert dict(it.socket.assigns) == {"shared": []}
        it.join("room:2", "2")
        await it.hear()
        it.say("2", "3", "room:2", "fields")
        await it.hear()
        assert answers[-1]["assigns"]["shared"] == []  # type: ignore[index]


def test_classes_of_sockets_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="log is one of debug, info, warning, error, or False, not 'loud'"):
        type("Loud", (Socket,), {}, log="loud")
    for partitions in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="partitions is a whole number from 1"):
            type("Parted", (Socket,), {}, partitions=partitions)
    with pytest.raises(ValueError, match=r"topic pattern 'a\*b'"):
        channel("a*b", Room)
    with pytest.raises(ValueError, match="'room:\\*' stands twice"):
        type("Twice", (Socket,), {"channels": [ROOMS, ROOMS]})

    async def connect(self: Socket) -> None: ...

    with pytest.raises(TypeError, match=r"Deaf\.connect takes \(self, params\) or \(self, params, connect_info\)"):
        type("Deaf", (Socket,), {"connect": connect})
