"""What the bodies of a session's requests may cost: as they come, as they wait, and as they are taken apart."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, LongPollOptions, Socket, mount, open_runtime
from phxactor.endpoint import DrainOptions
from phxactor.endpoint._sessions import REQUEST_WEIGHT, SPARE
from phxactor.runtime import KILL
from phxactor.transport import Publish
from phxactor.transport._publications import MAX_LINES, STEP, split
from tests.longpoll.polling import GONE, NDJSON, OPENED, TAKEN, Client, UserSocket, house, reply
from tests.sockets.serving import Server, eventually, serving

OPTIONS = LongPollOptions(check_origin=False, max_input_bytes=65536, max_body_bytes=200_000)
SLOW = ["1", "slow", "room:1", "sleep", 1]
LARGE = ["1", "large", "room:1", "echo", "x" * 60_000]


# ------------------------------------------------------------------------------------------- who waits, and leaves


async def test_what_a_sender_that_has_gone_had_sent_is_dropped_unless_it_was_taken(autojump_clock: MockClock) -> None:
    async with house(OPTIONS) as it:
        client = await it.opened()
        await client.join("room:1")
        assert await client.publish_lines(SLOW, LARGE) == TAKEN
        lines = [["1", str(number), "room:1", "echo", "x" * 60_000] for number in range(3)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.publish_lines, *lines)
            await trio.sleep(0.1)
            (asking,) = [pid for pid in it.runtime.processes.values() if pid.initial_call.endswith("ask")]
            asking.exit(KILL)
            nursery.cancel_scope.cancel()
        assert await client.publish(["1", "next", "room:1", "echo", 1]) == TAKEN
        await trio.sleep(2)
        assert [message[1] for message in await client.messages()] == ["slow", "large", "next"]


async def test_one_that_is_taken_by_half_is_given_up_by_half(autojump_clock: MockClock) -> None:
    async with house(OPTIONS) as it:
        client = await it.opened()
        await client.join("room:1")
        lines = [SLOW, LARGE, ["1", "last", "room:1", "echo", "x" * 60_000]]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.publish_lines, *lines)
            await trio.sleep(0.1)
            (asking,) = [pid for pid in it.runtime.processes.values() if pid.initial_call.endswith("ask")]
            asking.exit(KILL)
            nursery.cancel_scope.cancel()
        await trio.sleep(2)
        assert [message[1] for message in await client.messages()] == ["slow", "large"]


# ----------------------------------------------------------------------------------------- how much may wait at once


def declared(client: Client, size: int) -> dict[str, str]:
    return {"content-type": NDJSON, "content-length": str(size)}


async def test_more_than_one_session_may_have_waiting_is_refused_before_it_is_read(autojump_clock: MockClock) -> None:
    async with house(OPTIONS) as it:
        client = await it.opened()
        await client.join("room:1")
        assert await client.publish_lines(SLOW, LARGE) == TAKEN
        waiting = orjson.dumps(["1", "waits", "room:1", "echo", "x" * 60_000])
        answers: list[Any] = []

        async def publish(size: int) -> None:
            answer = await client.request("POST", waiting, headers=declared(client, size))
            answers.append((size, orjson.loads(answer.body)["status"]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish, 200_000)
            await trio.sleep(0.01)
            for _ in range((SPARE - REQUEST_WEIGHT) // (100_000 + REQUEST_WEIGHT)):
                nursery.start_soon(publish, 100_000)
            await trio.sleep(0.01)
            assert answers == []
            nursery.start_soon(publish, 200_000)
            await trio.sleep(0.01)
            assert answers == [(200_000, 429)]
        assert {status for _, status in answers[1:]} == {200}
        (session,) = it.endpoint.serving.sessions._known.values()  # noqa: SLF001
        assert session.waiting == 0


async def test_a_refusal_does_not_end_the_session(autojump_clock: MockClock) -> None:
    async with house(OPTIONS) as it:
        client = await it.opened()
        await client.join("room:1")
        (session,) = it.endpoint.serving.sessions._known.values()  # noqa: SLF001
        session.waiting = 200_000 + SPARE
        assert await client.publish(["1", "2", "room:1", "echo", 2]) == {"status": 429}
        session.waiting = 0
        assert await client.publish(["1", "3", "room:1", "echo", 3]) == TAKEN
        assert await client.messages() == [reply("1", "3", "room:1", 3)]


async def test_a_body_that_is_too_long_is_refused(autojump_clock: MockClock) -> None:
    async with house(OPTIONS) as it:
        client = await it.opened()
        assert (await client.request("POST", b"x" * 200_001)).status == 413


# --------------------------------------------------------------------------------------------------- taking apart


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("blank", [0, 1, 3 * STEP])
async def test_empty_lines_are_passed_in_small_steps(end: bytes, blank: int) -> None:
    line = b'["1",null,"room:1","echo",0]'
    body = end * blank + (line + end * (blank + 1)) * 3
    pieces = list(split(Publish(body, lines=True), 1000))
    assert sum(size for size, _, _ in pieces) == len(body)
    assert max(size for size, _, _ in pieces) <= STEP
    assert [data for _, _, data in pieces if data is not None] == [line] * 3


async def test_others_get_a_turn_while_a_large_body_is_taken_apart() -> None:
    options = LongPollOptions(check_origin=False)
    async with house(options) as it:
        client = await it.opened()
        turns = 0
        done = trio.Event()

        async def publish() -> None:
            assert await client.publish(b"\n" * 10_000_000, NDJSON) == TAKEN
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            while not done.is_set():
                await trio.lowlevel.checkpoint()
                turns += 1
        assert turns > 10_000_000 // STEP


async def test_a_line_that_is_too_long_is_not_looked_at_whole() -> None:
    with pytest.raises(ValueError, match="the limit is 1000"):
        list(split(Publish(b"x" * 10_000_000, lines=True), 1000))


async def test_no_more_than_a_hundred_lines_are_looked_at() -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_LINES}"):
        list(split(Publish(b"[]\n" * 1_000_000, lines=True), 1000))


# --------------------------------------------------------------------------------------------------------- mounts


class Admins(UserSocket):
    """Another socket."""


@pytest.mark.parametrize("other", [UserSocket, Admins], ids=["the same class", "another"])
async def test_a_session_answers_through_the_mount_that_opened_it_only(
    other: type[Socket], autojump_clock: MockClock
) -> None:
    options = LongPollOptions(check_origin=False)
    endpoint = Endpoint(
        sockets=[mount("/socket", UserSocket, longpoll=options), mount("/admin", other, longpoll=options)], port=0
    )
    async with open_runtime():
        (await endpoint.start_link()).unwrap()
        client = Client(endpoint)
        await client.open()
        await client.join("room:1")
        crossed = Client(endpoint, path="/admin/longpoll", token=client.token)
        assert await crossed.publish(["1", "2", "room:1", "echo", 2]) == GONE
        assert await crossed.poll() == OPENED  # as for whoever has none
        assert crossed.token != client.token
        assert await client.publish(["1", "3", "room:1", "echo", 3]) == TAKEN
        assert await client.messages() == [reply("1", "3", "room:1", 3)]


# -------------------------------------------------------------------------------------------------- over a socket


async def until_waits(server: Server, size: int) -> None:
    """Wait until the bodies that are read have so many bytes."""
    sessions = server.endpoint.serving.sessions._known  # noqa: SLF001
    await eventually(lambda: sum(session.waiting for session in sessions.values()) == size)


@pytest.mark.socket
async def test_room_is_given_back_when_a_sender_leaves() -> None:
    sockets = [mount("/socket", UserSocket, longpoll=OPTIONS)]
    async with serving(Endpoint(sockets=sockets, drain=DrainOptions(limit=0.1))) as server:
        client = Client(server.endpoint)
        await client.open()
        await client.join("room:1")
        assert await client.publish_lines(["1", "slow", "room:1", "sleep", 30], LARGE) == TAKEN
        body = orjson.dumps(LARGE)
        target = f"/socket/longpoll?vsn=2.0.0&token={client.token}"
        head = f"POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        whole = await trio.open_tcp_stream("127.0.0.1", server.port)
        await whole.send_all(head + body)
        half = await trio.open_tcp_stream("127.0.0.1", server.port)
        await half.send_all(head + body[:1000])
        await until_waits(server, 2 * (len(body) + REQUEST_WEIGHT))
        await trio.aclose_forcefully(whole)
        await until_waits(server, len(body) + REQUEST_WEIGHT)
        await trio.aclose_forcefully(half)
        await until_waits(server, 0)
