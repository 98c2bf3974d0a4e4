"""Channels in tests: pushes, replies, broadcasts, ends, and what failures show."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import Error, Message, Shutdown, open_runtime, self_pid
from phxactor.otp import system
from phxactor.runtime import Crash
from phxactor.socket import EncodeError, Reply
from phxactor.testing import Client, ClientChannel, assert_refused, connect, exactly
from tests.testing.rooms import Shout, UserSocket


async def ann() -> Client:
    return await connect(UserSocket, {"user": "ann"})


async def lobby() -> ClientChannel:
    return await (await ann()).subscribe_and_join("room:lobby")


async def test_what_a_join_is_answered() -> None:
    async with open_runtime():
        room = await (await ann()).join("room:1")
        assert room.response == {"topic": "room:1", "user": "ann"}
        assert await room.assert_joined({"user": "ann"}) == room.response
        assert room.pid.alive
        with pytest.raises(AssertionError, match=r"another answer\nexpected 'bob', not 'ann' @ payload\['user'\]"):
            await room.assert_joined({"user": "bob"})


async def test_joins_that_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        client = await ann()
        assert await assert_refused(client.join("room:1", {"refuse": "full"})) == Error({"reason": "full"})
        assert await assert_refused(client.join("room:1", {"raise": "x"})) == Error({"reason": "join crashed"})
        assert await assert_refused(client.subscribe_and_join("nowhere")) == Error({"reason": "unmatched topic"})
        with pytest.raises(AssertionError, match=r"the join of 'room:1' was refused: .'reason': 'full'."):
            await client.join("room:1", {"refuse": "full"})
        with pytest.raises(AssertionError, match="it was let in: <ClientChannel 'room:1' of <Client"):
            await assert_refused(client.join("room:1"))


async def test_a_join_that_is_not_waited_for() -> None:
    async with open_runtime():
        room = (await ann()).begin_join("room:1")
        with pytest.raises(LookupError, match="'room:1' is not joined"):
            _ = room.pid
        await room.assert_joined({"topic": "room:1"})
        assert room.pid.alive


async def test_replies() -> None:
    async with open_runtime():
        room = await lobby()
        first, second = room.push("echo", {"n": 1}), room.push("echo", b"\0binary")
        assert await room.assert_reply(second, "ok", bytes) == b"\0binary"
        assert await room.assert_reply(first, "ok", {"n": int}) == {"n": 1}
        await room.refute_reply(first)  # each is found once
        assert await room.assert_reply(room.push("shout", {}), "error", {"errors": list}) == {
            "reason": "invalid payload",
            "errors": ["required field missing @ payload.body"],
        }
        ref = room.push("later", 1.0)
        await room.refute_reply(ref)
        reply = await room.ask("echo", [1, None])
        assert (reply.status, reply.payload, reply.topic) == ("ok", [1, None], "room:lobby")


async def test_pushes_and_broadcasts() -> None:
    async with open_runtime():
        room = await lobby()
        other = await (await connect(UserSocket, {"user": "bob"})).join("room:lobby")
        await room.assert_push("came", {"user": "bob"})
        await other.refute_push("came")
        await room.assert_broadcast("came", {"user": "ann"})  # which was for all others
        room.push("shout", {"body": "hi"})
        assert await room.assert_push("shout", Shout) == Shout("HI")
        assert await other.assert_push("shout", lambda payload: payload["body"] == "HI") == {"body": "HI", "times": 1}
        assert await room.assert_broadcast("shout", exactly({"body": "HI", "times": 1})) == {"body": "HI", "times": 1}
        await room.refute_broadcast("shout")
        await room.refute_push("shout", {"body": "HO"})
        with pytest.raises(RuntimeError, match="not subscribed to 'room:lobby': use subscribe_and_join, or subscribe"):
            await other.assert_broadcast("shout")


async def test_what_somebody_else_broadcasts_passes_through_the_channel() -> None:
    async with open_runtime():
        room = await lobby()
        other = await (await connect(UserSocket, {"user": "bob"})).join("room:lobby")
        room.broadcast_from("secret", {"for": "ann"})
        room.broadcast_from("news", {})
        assert await room.assert_push("secret") == {"for": "ann"}
        await other.refute_push("secret")
        await other.assert_push("news")
        await room.assert_push("news")
        await room.refute_broadcast("news")  # it was the test that said so


async def test_what_comes_later(autojump_clock: MockClock) -> None:
    async with open_runtime():
        room = await lobby()
        room.push("later", 3600.0)
        await room.refute_push("later")
        assert trio.current_time() == 0
        await room.refute_push("later", within=3599)
        await room.assert_push("later", {"after": 3600}, within=2)
        assert trio.current_time() == pytest.approx(3600)
        room.push("later", 5.0)
        with pytest.raises(AssertionError, match=r"no push 'later' on 'room:lobby' came within 4 s"):
            await room.assert_push("later", within=4)
        with pytest.raises(AssertionError, match=r"^unexpected push 'later' on 'room:lobby'\n"):
            await room.refute_push("later", within=1)


async def test_leaving() -> None:
    async with open_runtime():
        room = await lobby()
        await room.assert_reply(room.leave(), "ok")
        assert await room.assert_left() == Shutdown("left")
        with pytest.raises(AssertionError, match=r"'room:lobby' is not joined any more\nthe channel has ended"):
            await room.assert_joined()
        await room.client.join("room:lobby")


async def test_crashes_and_ends_that_are_none(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        client = await ann()
        room, other = await client.join("room:1"), await client.join("room:2")
        room.push("boom")
        reason = await room.assert_crashed()
        assert isinstance(reason, Crash)
        assert repr(reason) == "(RuntimeError) boom"
        with pytest.raises(AssertionError, match="no push 'phx_error' on 'room:2' came"):
            await other.assert_crashed()
        other.push("stop")
        assert await other.assert_left() == Shutdown("enough")
        with pytest.raises(AssertionError, match="no push 'phx_close'"):
            await other.assert_left()  # it was told once


async def test_a_topic_that_is_joined_again_is_another_channel() -> None:
    async with open_runtime():
        client = await ann()
        old, new = await client.join("room:1"), await client.join("room:1")
        assert await old.assert_left() == Shutdown("duplicate_join")
        assert new.pid is not old.pid
        await new.refute_push("phx_close")
        assert (await new.ask("echo", 1)).payload == 1


async def test_custom_channels() -> None:
    async with open_runtime():
        counter = await (await ann()).join("counter", {"from": 5})
        await counter.assert_joined({"count": 5})
        await counter.assert_reply(counter.push("add", 2), "ok", {"count": 7})
        await counter.assert_push("count", {"count": 7})
        state: Any = await system.get_state(counter.pid)
        assert state["count"] == 7
        await counter.assert_reply(counter.leave())
        assert await counter.assert_left() == Shutdown("left")
        again = await counter.client.join("counter")
        again.pid.exit("kill")
        assert await again.assert_crashed() == "killed"


async def test_payloads_are_what_the_wire_makes_of_them(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        room = await lobby()
        assert (await room.ask("echo", {"tuple": (1, 2)})).payload == {"tuple": [1, 2]}
        with pytest.raises(EncodeError, match="cannot write event 'echo' on topic 'room:lobby'"):
            room.push("echo", {1, 2})
        room.push("unwritable")
        assert "EncodeError" in repr(await room.assert_crashed())


async def test_what_no_decent_client_says() -> None:
    async with open_runtime():
        room = await lobby()
        await room.client.receive_all()
        room.client.send(Message("phoenix", "heartbeat", {}, "h", None))
        room.client.send(Message("room:other", "echo", {}, "7", None))
        room.client.send(Message("room:lobby", "echo", 1, 8, "no such join"))
        assert await room.client.receive_all() == [
            Reply("phoenix", "ok", {}, "h", None),
            Reply("room:other", "error", {"reason": "unmatched topic"}, "7", None),
        ]


async def test_hear_is_all_that_came_and_was_not_asserted() -> None:
    async with open_runtime():
        client = await ann()
        one, two = await client.join("room:1"), await client.join("room:2")
        ref = one.push("shout", {"body": "a"})
        two.push("shout", {"body": "b"})
        await one.assert_reply(ref)
        assert await one.receive_all() == [Message("room:1", "shout", {"body": "A", "times": 1})]
        assert await one.receive_all() == []
        assert [item.topic for item in await client.receive_all()] == ["room:2", "room:2"]


async def test_a_failure_shows_what_came_instead_in_order(autojump_clock: MockClock) -> None:
    async with open_runtime():
        room = await lobby()
        ref = room.push("shout", {"body": "hi"})
        await room.assert_reply(ref)
        room.push("later", 1.5)
        await trio.sleep(2)
        with pytest.raises(AssertionError) as failure:
            await room.assert_push("shout", {"body": "hi", "by": "ann"})
        assert str(failure.value) == (
            "no push 'shout' with {'body': 'hi', 'by': 'ann'} on 'room:lobby' came\n"
            "what came, in order:\n"
            "   1. reply to 'phx_join' of ref '1': ok {'topic': 'room:lobby', 'user': 'ann'} on 'room:lobby'"
            "    (asserted)\n"
            "   2. push 'shout' {'body': 'HI', 'times': 1} on 'room:lobby'\n"
            "      expected 'hi', not 'HI' @ payload['body']\n"
            "      there is no 'by' @ payload\n"
            "   3. reply to 'shout' of ref '2': ok {'heard': True} on 'room:lobby'    (asserted)\n"
            "   4. push 'later' {'after': 1.5} on 'room:lobby'    (1.5 s later)"
        )
        with pytest.raises(AssertionError) as failure:
            await room.refute_push("later")
        assert str(failure.value).splitlines()[0] == "unexpected push 'later' on 'room:lobby'"
        assert (
            str(failure.value).splitlines()[-1] == ">  4. push 'later' {'after': 1.5} on 'room:lobby'    (1.5 s later)"
        )


async def test_a_failure_says_why_nothing_comes_any_more(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        room = await lobby()
        room.push("boom")
        with pytest.raises(AssertionError) as failure:
            await room.assert_push("shout")
        assert str(failure.value).splitlines()[-1] == "the channel has ended: (RuntimeError) boom"
        with pytest.raises(AssertionError) as failure:
            await room.assert_broadcast("shout")
        assert str(failure.value) == (
            "no broadcast 'shout' on 'room:lobby' came\n"
            "what came, in order:\n"
            "   1. broadcast 'came' {'user': 'ann'} on 'room:lobby'\n"
            "the channel has ended: (RuntimeError) boom"
        )


async def test_a_failure_of_a_reply_shows_status_and_payload() -> None:
    async with open_runtime():
        room = await lobby()
        ref = room.push("shout", {"body": 5})
        with pytest.raises(AssertionError) as failure:
            await room.assert_reply(ref, "ok", {"heard": True})
        first, *_, status, payload = str(failure.value).splitlines()
        assert first == "no reply 'ok' with {'heard': True} to 'shout' of ref '2' came"
        assert status == "      the status is 'error', not 'ok'"
        assert payload == "      there is no 'heard' @ payload"
        assert self_pid().alive


async def test_a_channel_that_crashes_before_anybody_has_looked(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        client = await ann()
        room, counter = client.begin_join("room:1"), client.begin_join("counter")
        room.push("boom")
        counter.push("add", "no number")
        counter.leave()
        assert repr(await room.assert_crashed()) == "(RuntimeError) boom"
        assert await counter.assert_left() == Shutdown("left")
        assert client.transport.channel_of("room:1") is None
