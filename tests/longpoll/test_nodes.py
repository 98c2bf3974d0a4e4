"""Sessions over nodes: each request of a client may land on any node."""

from __future__ import annotations

from base64 import b64decode, b64encode
from http import HTTPStatus

import pytest
import trio
from trio.testing import MockClock

from phxactor import LongPollOptions, Ok
from phxactor.endpoint._longpoll import SALT
from phxactor.endpoint._sessions import REQUEST_WEIGHT, SPARE
from phxactor.token import verify
from tests.longpoll.nodes import (
    DELAY,
    NOTHING,
    SECRET,
    WINDOW,
    Later,
    LeftError,
    house,
    news,
    publish_by_hand,
    remote,
)
from tests.longpoll.polling import GONE, MALFORMED, OPENED, TAKEN, reply

# ------------------------------------------------------------------------------------------------- as if at home


async def test_polls_and_publishes_on_another_node(autojump_clock: MockClock) -> None:
    async with remote() as (_, here, there, client):
        assert await client.publish(["1", "2", "room:1", "echo", {"n": 1}]) == TAKEN
        assert await client.messages() == [reply("1", "2", "room:1", {"n": 1})]
        assert await client.poll() == NOTHING
        assert (len(here.sessions()), len(there.sessions())) == (1, 0)
        await trio.sleep(2 * DELAY)
        assert here.quiet()
        assert there.quiet()


async def test_a_window_lasts_as_long_as_at_home(autojump_clock: MockClock) -> None:
    async with remote() as (_, _, _, client):
        began = trio.current_time()
        assert await client.poll() == NOTHING
        assert trio.current_time() - began == pytest.approx(WINDOW, abs=0.1)


async def test_the_token_names_the_node_of_the_session(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened(at=it.servers[1])
        verified = verify(SECRET, SALT, client.token)
        assert isinstance(verified, Ok)
        assert isinstance(verified.value, str)
        assert verified.value.startswith(it.servers[1].node.identity.id.hex() + ".")


async def test_clients_of_version_1(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened(at=it.servers[0], vsn="1.0.0")
        client.at = it.servers[1]
        assert await client.publish({"topic": "room:1", "event": "phx_join", "payload": {}, "ref": 1}) == TAKEN
        response = {"response": {}, "status": "ok"}
        assert await client.messages() == [{"topic": "room:1", "event": "phx_reply", "payload": response, "ref": 1}]


async def test_bytes_and_text_come_as_they_were_sent(autojump_clock: MockClock) -> None:
    async with remote() as (_, _, _, client):
        push = b"\0\1\1\6\4" + b"12room:1echo" + bytes(range(256))
        assert await client.publish_lines(b64encode(push), ["1", "3", "room:1", "echo", "grüße 💧\n"]) == TAKEN
        first, second = await client.messages()
        assert b64decode(first).endswith(bytes(range(256)))
        assert second == reply("1", "3", "room:1", "grüße 💧\n")


@pytest.mark.parametrize("size", [1000, 250_000, 300_000, 900_000])
@pytest.mark.parametrize("max_message_bytes", [1024, 1024 * 1024])
async def test_large_bodies_and_large_answers(size: int, max_message_bytes: int, autojump_clock: MockClock) -> None:
    async with remote(max_message_bytes=max_message_bytes) as (_, here, there, client):
        text = "x" * size
        assert await client.publish(["1", "2", "room:1", "echo", text]) == TAKEN
        assert await client.messages() == [reply("1", "2", "room:1", text)]
        many = [["1", str(number), "room:1", "echo", "y" * (size // 90)] for number in range(90)]
        assert await client.publish_lines(*many) == TAKEN
        assert await client.messages() == [reply("1", one[1], "room:1", one[4]) for one in many]
        await trio.sleep(2 * DELAY)
        assert here.quiet()
        assert there.quiet()


async def test_only_so_much_is_on_its_way_between_two_nodes(autojump_clock: MockClock) -> None:
    async with house(options=LongPollOptions(check_origin=False, max_output_bytes=8_000_000)) as it:
        here, there = it.servers
        clients = [await it.opened(at=here) for _ in range(10)]
        for number, client in enumerate(clients):
            client.at = there
            await client.join(f"room:{number}")
            await here.news(*range(20), text="x" * 100_000, topic=f"room:{number}")
        async with trio.open_nursery() as nursery:
            answers = [Later(nursery, client.messages) for client in clients]
            most = 0
            while not all(one.done.is_set() for one in answers):
                await trio.sleep(DELAY / 3)
                most = max(most, it.coming(here, there))
        assert 1_000_000 < most < 2_000_000
        assert [[one[4][0] for one in await answer.get()] for answer in answers] == [[*range(20)]] * 10  # type: ignore[attr-defined]


async def test_a_body_that_is_wrong_is_refused_and_ends_the_session(autojump_clock: MockClock) -> None:
    async with remote() as (_, here, there, client):
        assert await client.publish(b"{") == MALFORMED
        await trio.sleep(2 * DELAY)
        assert here.sessions() == []
        assert await client.publish(["1", "2", "room:1", "echo", 1]) == GONE
        assert here.quiet()
        assert there.quiet()


async def test_a_newer_poll_ends_an_older_one_wherever_it_is(autojump_clock: MockClock) -> None:
    async with remote(3) as (it, here, _, client), trio.open_nursery() as nursery:
        for server in (*it.servers, *reversed(it.servers)):
            older = Later(nursery, client.poll)
            await trio.sleep(1)
            client.at = server
            newer = Later(nursery, client.poll)
            assert await older.get() == NOTHING
            client.at = it.other(server)
            await trio.sleep(1)
            third = Later(nursery, client.poll)
            assert await newer.get() == NOTHING
            await here.news(1)
            assert (await third.get())["messages"] == news(1)  # type: ignore[index]


async def test_an_abandoned_poll_swallows_nothing(autojump_clock: MockClock) -> None:
    async with remote(3) as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            for number, wait in enumerate((DELAY / 10, DELAY / 2, DELAY * 1.5, DELAY * 3, 1)):
                client.at = there
                abandoned = Later(nursery, client.poll)
                await trio.sleep(wait)
                client.leave()
                assert await abandoned.get() is LeftError
                await here.news(number)
                client.at = it.servers[2 - number % 3]
                assert await client.messages() == news(number)
        await trio.sleep(3 * DELAY)
        assert all(one.quiet() for one in it.servers)


async def test_messages_on_their_way_to_a_client_that_has_left_go_back(autojump_clock: MockClock) -> None:
    async with remote() as (_, here, there, client):
        async with trio.open_nursery() as nursery:
            abandoned = Later(nursery, client.poll)
            await trio.sleep(1)
            await here.news(1, 2)
            await trio.sleep(DELAY / 2)
            client.leave()
            assert await abandoned.get() is LeftError
        await here.news(3)
        assert await client.messages() == news(1, 2, 3)
        await trio.sleep(3 * DELAY)
        assert here.quiet()
        assert there.quiet()


async def test_a_publish_whose_client_leaves_is_dropped(autojump_clock: MockClock) -> None:
    async with remote(options=LongPollOptions(check_origin=False, max_input_bytes=100_000)) as (_, here, there, client):
        sleep = ["1", "2", "room:1", "sleep", 5]
        async with trio.open_nursery() as nursery:
            many = [["1", str(number), "room:1", "echo", "x" * 60_000] for number in range(100)]
            large = Later(nursery, lambda: client.publish_lines(sleep, *many))
            await trio.sleep(1)
            assert here.relay.statistics().visits == 1
            client.leave()
            assert await large.get() is LeftError
            await trio.sleep(2 * DELAY)
            assert here.quiet()
            assert there.quiet()
            (session,) = here.serving.sessions._known.values()  # noqa: SLF001
            assert session.waiting == 0


# --------------------------------------------------------------------------------------------------------- limits


async def test_a_session_of_another_mount_is_none(autojump_clock: MockClock) -> None:
    async with remote() as (_, _, there, client):
        token = client.token
        client.path = "/other/longpoll"
        assert await client.publish(["1", "2", "room:1", "echo", 1]) == GONE
        assert await client.poll() == OPENED
        assert client.token != token
        assert len(there.sessions()) == 1


async def test_a_session_without_room_refuses_a_body_unread(autojump_clock: MockClock) -> None:
    options = LongPollOptions(check_origin=False, max_body_bytes=2_000_000, max_message_size=2_000_000)
    async with remote(options=options) as (_, here, _, client):
        (session,) = here.serving.sessions._known.values()  # noqa: SLF001
        session.waiting = 2_000_000 + SPARE - REQUEST_WEIGHT - 1000
        assert await client.publish(["1", "2", "room:1", "echo", "x" * 500]) == TAKEN
        for size in (2000, 1_000_000):
            assert await client.publish(["1", "2", "room:1", "echo", "x" * size]) == {"status": 429}
        session.waiting = 0
        assert len(await client.messages()) == 1
        assert session.waiting == 0


async def test_a_body_over_the_limit_is_413(autojump_clock: MockClock) -> None:
    async with remote(options=LongPollOptions(check_origin=False, max_body_bytes=500_000)) as (_, _, _, client):
        assert (await client.request("POST", b"x" * 500_001)).status == 413


async def test_a_node_that_announces_too_much_is_refused(autojump_clock: MockClock) -> None:
    """A node of another configuration would let a larger body in."""
    async with remote(options=LongPollOptions(check_origin=False, max_body_bytes=500_000)) as (_, here, there, client):
        assert await there.node.run(publish_by_hand, there, client, 500_001, b"") == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        join = b'["1","2","room:1","echo",1]' + b" " * 10
        assert await there.node.run(publish_by_hand, there, client, 10, join) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        assert await client.publish(["1", "3", "room:1", "echo", 3]) == TAKEN
        assert await client.messages() == [reply("1", "3", "room:1", 3)]
        await trio.sleep(2 * DELAY)
        assert here.quiet()
