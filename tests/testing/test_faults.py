"""Faults hit whom they are meant for, when they are meant to."""

from __future__ import annotations

from collections import deque

import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Endpoint, Ok, Socket, WebSocketOptions, channel, intercept, mount, on
from phxactor.channels import Payload
from phxactor.client import ConnectionLost
from phxactor.client import connect as connect_client
from phxactor.otp import GenServer, Supervisor, call, cast
from phxactor.runtime import KILLED, Exit, Pid, open_runtime, receive, self_pid, spawn
from phxactor.socket import SocketClose, SocketPush
from phxactor.testing import assert_refused, connect, settle
from phxactor.testing._faults_line import FaultyLine
from phxactor.testing.faults import Injected, crashing, dying_after, dying_at


class Room(Channel):
    """Echoes, and takes its leave."""

    ended: list[object] = []  # noqa: RUF012 - of all rooms

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("count")
    async def count(self, number: int) -> Ok[int]:
        return Ok(number)

    @intercept("news")
    async def news(self, payload: Payload) -> None:
        self.push("news", payload)

    async def handle_info(self, message: object) -> None:
        self.push("info", message)

    async def terminate(self, reason: object) -> None:
        self.ended.append(reason)


class Suite(Room):
    """A room that has all it has from another."""


class UserSocket(Socket):
    channels = (channel("room:*", Room), channel("suite", Suite))


class Diary(GenServer):
    """Writes down what it is told."""

    async def init(self, seen: list[object]) -> None:
        self.seen = seen

    async def handle_cast(self, request: object) -> None:
        self.seen.append(request)


def of_a_diary(pid: Pid) -> bool:
    return pid.initial_call == "Diary.init"


async def test_a_process_dies_with_its_nth_message_in_its_hands() -> None:
    seen: list[object] = []
    with dying_at(3, of_a_diary):
        async with open_runtime():
            diary = (await Diary.start(seen)).unwrap()
            for number in range(5):
                cast(diary, number)
            await settle()
            assert seen == [0, 1]
            assert diary.exit_reason == KILLED


async def test_it_may_be_told_in_another_way() -> None:
    seen: list[object] = []
    with dying_at(1, of_a_diary, reason="boom"):
        async with open_runtime():
            diary = (await Diary.start(seen)).unwrap()
            cast(diary, 1)
            await settle()
            assert (seen, diary.exit_reason) == ([], "boom")


async def test_each_process_has_a_count_of_its_own() -> None:
    seen: list[object] = []
    with dying_at(2, of_a_diary):
        async with open_runtime():
            supervisor = (await Supervisor.start_link([(Diary, seen)], max_restarts=9)).unwrap()
            for number in range(3):
                pid = Supervisor.statistics(supervisor).children[0].pid
                assert isinstance(pid, Pid)
                cast(pid, number)
                cast(pid, "never seen")
                await settle()
            assert seen == [0, 1, 2]


async def test_who_runs_already_and_waits_for_a_message_can_die_of_it() -> None:
    async with open_runtime():
        seen: list[object] = []
        diary = (await Diary.start(seen)).unwrap()
        await settle()
        with dying_at(2, lambda pid: pid is diary) as hit:
            cast(diary, 1)
            cast(diary, 2)
            await settle()
        assert (seen, hit, diary.exit_reason) == ([1], [diary], KILLED)


async def test_who_waits_for_an_answer_can_die_of_it() -> None:
    async with open_runtime():
        diary = (await Diary.start([])).unwrap()
        me = self_pid()

        async def ask() -> None:
            with pytest.raises(Exit):
                await call(diary, "what?")
            me.send("not killed")

        with dying_at(1, of_a_diary), dying_at(1, lambda pid: pid is asking) as hit:
            asking = spawn(ask)
            await settle()
        assert (hit, asking.exit_reason) == ([asking], KILLED)


async def test_when_the_block_is_over_nobody_dies() -> None:
    async with open_runtime():
        seen: list[object] = []
        diary = (await Diary.start(seen)).unwrap()
        with dying_at(2), dying_at(3) as hit:
            cast(diary, 1)
            await settle()
        for number in range(200):  # more than a list is good for
            cast(diary, number)
        await settle()
        assert (len(seen), hit, diary.alive) == (201, [], True)
        assert type(diary.mailbox) in (list, deque)


async def test_the_test_itself_is_not_meant() -> None:
    async with open_runtime():
        with dying_at(1):
            self_pid().send("hello")
            assert await receive() == "hello"


async def test_a_connection_dies_with_its_nth_message_in_its_hands() -> None:
    async with open_runtime():
        client = await connect(UserSocket)
        room = await client.join("room:1")
        with dying_at(3, lambda pid: pid is client.transport_pid) as hit:
            await room.assert_reply(room.push("echo", 1), "ok", 1)  # the message is the first, its answer the second
            room.push("echo", 2)
            await settle()
        assert hit == [client.transport_pid]
        assert await client.assert_closed() == KILLED
        assert await client.receive_all() == []
        assert not room.pid.alive


async def test_so_does_one_of_the_wire_which_takes_most_messages_without_its_port() -> None:
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))])
    async with open_runtime():
        (await endpoint.start_link(server=False)).unwrap()
        line = FaultyLine()
        transport = (await endpoint.serve_stream(line.server)).unwrap()
        async with connect_client("ws://app.test/socket/websocket", open_stream=line.open) as socket:
            room = await socket.join("room:1")
            assert await room.push("echo", {"n": 1}) == {"n": 1}
            with dying_at(2, lambda pid: pid is transport) as hit:
                assert await room.push("echo", {"n": 2}) == {"n": 2}
                with pytest.raises(ConnectionLost):
                    await room.push("echo", {"n": 3})
            assert hit == [transport]
            assert transport.exit_reason == KILLED


@pytest.mark.parametrize("nth", [0, -1])
async def test_there_is_no_message_before_the_first(nth: int) -> None:
    with pytest.raises(ValueError, match="the first"), dying_at(nth):
        pass
    with pytest.raises(ValueError, match="the first"), crashing(Room, "join", at=nth):
        pass


async def test_init_crashes_once_and_the_supervisor_tries_again() -> None:
    seen: list[object] = []
    async with open_runtime():
        supervisor = (await Supervisor.start_link([(Diary, seen)])).unwrap()
        first = Supervisor.statistics(supervisor).children[0].pid
        assert isinstance(first, Pid)
        with crashing(Diary, "init"):
            first.exit("boom")
            await settle()
        assert Supervisor.statistics(supervisor).restarts == 2


async def test_a_callback_that_is_not_there_cannot_crash() -> None:
    with pytest.raises(AttributeError), crashing(Diary, "handle_in"):
        pass


async def test_join_handlers_and_terminate_crash_where_they_are_told_to() -> None:
    async with open_runtime():
        client = await connect(UserSocket)
        with crashing(Room, "join", at=2):
            first = await client.join("room:1")
            assert (await assert_refused(client.join("room:2"))).reason == {"reason": "join crashed"}
        with crashing(Room, "echo", error=OSError("disk")):
            first.push("echo")
            await first.assert_crashed()
        assert isinstance(Room.ended[-1].exception, OSError)  # type: ignore[attr-defined]
        room = await client.join("room:3")
        with crashing(Room, "terminate"):
            room.leave()
            await room.assert_left()
        assert isinstance(room.pid.exit_reason.exception, Injected)  # type: ignore[attr-defined]


@pytest.mark.parametrize("topic", ["room:1", "suite"])
@pytest.mark.parametrize("callback", ["handle_in", "handle_info", "echo", "count", "news"])
async def test_whatever_a_channel_is_doing_it_crashes(topic: str, callback: str) -> None:
    async with open_runtime():
        room = await (await connect(UserSocket)).join(topic)
        with crashing(Room, callback) as hit:
            match callback:
                case "handle_info":
                    room.pid.send("hello")
                case "news":
                    room.broadcast_from("news", {})
                case "handle_in":
                    room.push("anything")
                case event:
                    room.push(event, 1)
            assert isinstance((await room.assert_crashed()).exception, Injected)  # type: ignore[attr-defined]
        assert [type(one) for one in hit] == [Suite if topic == "suite" else Room]


async def test_calls_that_do_not_crash_are_as_ever() -> None:
    async with open_runtime():
        room = await (await connect(UserSocket)).join("room:1")
        with crashing(Room, "count", at=2) as hit:
            await room.assert_reply(room.push("count", 1), "ok", 1)
            await room.assert_reply(room.push("count", "one"), "error", {"reason": "invalid payload"})
            assert hit == []
            room.push("count", 2)
            await room.assert_crashed()


async def test_a_server_that_runs_already_crashes_of_a_plain_message() -> None:
    async with open_runtime():
        diary = (await Diary.start([])).unwrap()
        await settle()
        with crashing(Diary, "handle_info") as hit:
            diary.send("hello")
            await settle()
        assert len(hit) == 1
        assert not diary.alive


async def test_a_kill_between_socket_close_and_the_exit_is_told_once() -> None:
    async with open_runtime():
        client = await connect(UserSocket)
        room = await client.join("room:1")
        before = len(Room.ended)
        with dying_after(SocketClose):
            ref = room.leave()
            await settle()
        assert room.pid.exit_reason == KILLED
        assert len(Room.ended) == before  # killed, so no terminate
        await room.assert_reply(ref, "ok")
        await room.assert_left()
        assert await client.receive_all() == []


async def test_a_kill_after_a_reply_is_told_too() -> None:
    async with open_runtime():
        room = await (await connect(UserSocket)).join("room:1")
        with dying_after(SocketPush, lambda pid: pid is room.pid):
            ref = room.push("echo")
            await room.assert_reply(ref, "ok")
            await room.assert_crashed()


# ------------------------------------------------------------------------------------------------- lines


async def test_bytes_take_their_time(autojump_clock: MockClock) -> None:
    line = FaultyLine()
    line.latency = 2.0
    await line.client.send_all(b"hello")
    assert await line.server.receive_some() == b"hello"
    assert trio.current_time() == 2.0


async def test_a_line_that_stalls_goes_on_where_it_was(autojump_clock: MockClock) -> None:
    line = FaultyLine()
    line.stall()
    await line.server.send_all(b"late")
    with trio.move_on_after(60) as waited:
        await line.client.receive_some()
    assert waited.cancelled_caught
    await line.server.send_all(b"r")
    line.go_on()
    assert await line.client.receive_some() == b"r"


async def test_a_line_that_breaks_is_broken_at_both_ends() -> None:
    line = FaultyLine()
    async with trio.open_nursery() as nursery:

        async def listen() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await line.server.receive_some()

        nursery.start_soon(listen)
        await settle()
        line.drop()
    with pytest.raises(trio.BrokenResourceError):
        await line.client.send_all(b"x")
    with pytest.raises(trio.BrokenResourceError):
        await line.client.receive_some()


async def test_a_client_comes_back_over_another_line(autojump_clock: MockClock) -> None:
    lines: list[FaultyLine] = []
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))])

    async def open_stream() -> trio.abc.Stream:
        lines.append(FaultyLine())
        await endpoint.serve_stream(lines[-1].server)
        return lines[-1].client

    async with open_runtime():
        (await endpoint.start_link(server=False)).unwrap()
        async with connect_client("ws://app.test/socket/websocket", open_stream=open_stream) as socket:
            room = await socket.join("room:1")
            lines[0].drop()
            await trio.sleep(10)
            assert await room.push("echo", {"n": 1}) == {"n": 1}
            assert len(lines) == 2
