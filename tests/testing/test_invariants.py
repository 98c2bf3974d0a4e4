"""Invariants: what they let pass, and how they name who breaks them."""

from __future__ import annotations

import re

import pytest

from phxactor.channels import Channel
from phxactor.otp import GenServer, NoReply, Ok, Supervisor, call
from phxactor.otp import Reply as Answered
from phxactor.pubsub import PubSub
from phxactor.runtime import From, link, monitor, open_runtime, receive, register, send_after, spawn
from phxactor.socket import Message, Reply, Socket, channel
from phxactor.testing import connect, settle
from phxactor.testing._tracing import tracing
from phxactor.testing.invariants import (
    assert_answered,
    assert_ended_once,
    assert_replied_once,
    assert_restarts,
    nothing_leaked,
    untouched,
)


async def wait() -> None:
    await receive()


async def test_what_comes_and_goes_within_is_no_leak() -> None:
    async with open_runtime(), nothing_leaked():
        pid = spawn(wait)
        monitor(pid)
        send_after(pid, "end", 0)
        await receive()


@pytest.mark.parametrize(
    ("leak", "says"),
    [
        ("process", "process #PID<5 wait>"),
        ("monitor", "2 times monitor of #PID<2 main> on #PID<3 wait>"),
        ("link", "link of #PID<2 main> and #PID<3 wait>"),
        ("name", "name 'it' of #PID<3 it>"),
        ("timer", "timer for #PID<3 wait>"),
        ("subscription", "subscription of #PID<3 wait> to 'news'"),
    ],
)
async def test_what_is_left_is_named(leak: str, says: str) -> None:
    pubsub = PubSub()

    async def make() -> None:
        async with nothing_leaked(pubsub):
            match leak:
                case "process":
                    spawn(wait)
                case "monitor":
                    monitor(pid)
                    monitor(pid)
                case "link":
                    link(pid)
                case "name":
                    register("it", pid)
                case "timer":
                    send_after(pid, "late", 60)
                case "subscription":
                    pubsub.subscribe("news", pid=pid)

    async with open_runtime():
        pid = spawn(wait)
        await pubsub.start_link()
        with pytest.raises(AssertionError, match=re.escape(says) + "$"):
            await make()


async def test_who_must_be_untouched() -> None:
    async with open_runtime():
        one, other = spawn(wait), spawn(wait)
        async with untouched(one, other):
            pass
        with pytest.raises(AssertionError, match=r"there have ended\n    #PID<4 wait>: :boom$"):
            async with untouched(one, other):
                other.exit("boom")


class Desk(GenServer):
    """Answers as often as it is told to, at once or later."""

    async def handle_call(self, request: object, from_: From) -> Answered | NoReply:
        match request:
            case "never":
                return NoReply()
            case "twice":
                from_.reply("first")
            case "die":
                raise SystemError
        return Answered("yes")


async def asking(*requests: object) -> str | None:
    """Have callers ask; return what is wrong with the answers."""
    with tracing() as trace:
        async with open_runtime():
            desk = (await Desk.start()).unwrap()

            async def ask(request: object) -> None:
                await call(desk, request, timeout=1)

            for request in requests:
                spawn(ask, request)
            await settle()
            try:
                assert_answered(trace)
            except AssertionError as error:
                return str(error)
    return None


async def test_calls_are_answered_once() -> None:
    assert await asking("a", "b", "c") is None
    assert await asking("a", "die", "b") is None
    missing = await asking("a", "never")
    assert missing is not None
    assert missing.startswith("there was no answer: #PID<5 ")
    assert missing.endswith("sends #PID<3 Desk.init>: Call('never')")
    assert "there were 2 answers: " in str(await asking("twice"))


def joined(ref: str, status: str = "ok") -> Reply:
    return Reply("room:1", status, {}, ref, ref)


def told(event: str, ref: str) -> Message:
    return Message("room:1", event, {}, ref, ref)


def test_clients_are_told_once() -> None:
    assert_ended_once([])
    assert_ended_once([joined("1"), Reply("room:1", "ok", {}, "2", "1")], still_joined=["1"])
    assert_ended_once([joined("1"), told("phx_close", "1"), joined("2"), told("phx_error", "2"), joined("3", "error")])


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ([joined("1")], "the channel of the join '1' has ended, and its client got []"),
        ([joined("1"), told("phx_close", "1"), told("phx_error", "1")], "got ['phx_close', 'phx_error']"),
        (
            [joined("2"), told("phx_error", "2")],
            "the join '2' lives, and its client got ['phx_error']",
        ),
        (
            [joined("1", "error"), told("phx_error", "1")],
            "phx_error of 'room:1' for '1', which was not let in",
        ),
    ],
)
def test_clients_that_are_told_otherwise(heard: list[Message | Reply], says: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(says)):
        assert_ended_once(heard, still_joined=["2"])


def asked(ref: str) -> Message:
    return Message("room:1", "add", {}, ref, "1")


def answered(ref: str) -> Reply:
    return Reply("room:1", "ok", {}, ref, "1")


def test_messages_have_one_reply() -> None:
    assert_replied_once([joined("1"), answered("2")], [asked("1"), asked("2")])
    assert_replied_once([joined("1"), told("phx_error", "1")], [asked("2")])  # nobody was left to answer
    assert_replied_once([joined("1"), answered("2"), answered("2")], [asked("1")])


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ([joined("1")], "there was no reply to 'add' of ref '2' on 'room:1'"),
        ([joined("1"), told("phx_error", "3")], "there was no reply to 'add' of ref '2'"),
        ([joined("1"), answered("2"), answered("2")], "there were 2 replies to 'add' of ref '2' on 'room:1'"),
        ([joined("1"), answered("2"), answered("2"), told("phx_close", "1")], "there were 2 replies"),
    ],
)
def test_replies_that_are_lost_or_doubled(heard: list[Message | Reply], says: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(says)):
        assert_replied_once(heard, [asked("2")])


async def test_what_a_client_has_been_told_is_there_whether_asserted_or_not() -> None:
    class Room(Channel):
        async def handle_in(self, event: str, payload: object) -> Ok[None]:
            return Ok(None)

    class UserSocket(Socket):
        channels = (channel("room:*", Room),)

    async with open_runtime():
        client = await connect(UserSocket)
        room = await client.join("room:1")
        await room.assert_reply(room.push("add"))
        room.push("add")
        await settle()
        assert [message.event for message in client.sent] == ["phx_join", "add", "add"]
        assert_replied_once(client.received, client.sent)
        assert_ended_once(client.received, [room.join_ref])
        room.leave()
        await room.assert_left()
        assert_ended_once(client.received)


async def test_restarts_are_counted() -> None:
    class One(GenServer):
        pass

    class Two(GenServer):
        pass

    async with open_runtime():
        supervisor = (await Supervisor.start_link([One, Two])).unwrap()
        assert_restarts(supervisor, {})
        Supervisor.statistics(supervisor).children[0].pid.exit("boom")  # type: ignore[union-attr]
        await settle()
        assert_restarts(supervisor, {"One": 1})
        with pytest.raises(AssertionError, match=r"are {'One': 1, 'Two': 0}, and should be {'Two': 1}"):
            assert_restarts(supervisor, {"Two": 1})
