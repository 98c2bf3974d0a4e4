from __future__ import annotations

from itertools import count

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.client import Connected, Connecting, ConnectionLost, ConnectRefused, Disconnected, Joined, Status
from phxactor.socket import Message
from tests.client.network import Network, call, connected, open_network


class Tries(list[int]):
    """A back-off of one second that writes down the numbers it is asked with."""

    def __call__(self, number: int) -> float:
        self.append(number)
        return 1.0


async def hang_up(stream: trio.abc.Stream) -> None:
    """Let the client knock, and shut the door."""
    await stream.receive_some()
    await stream.aclose()


async def test_a_dropped_connection_is_replaced_and_topics_are_joined_again(autojump_clock: MockClock) -> None:
    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (socket, peer, network):
        peer.responses["room:1"] = {"n": 1}
        room = await socket.join("room:1", {"name": "ada"})
        assert room.response == {"n": 1}
        await peer.hang_up()

        network.polite.discard("phx_join")
        again = await network.peer()
        join = await again.next()
        assert (join.topic, join.event, join.payload) == ("room:1", "phx_join", {"name": "ada"})
        assert join.ref == join.join_ref != peer.said("phx_join")[0].join_ref
        await again.reply(join, {"n": 2})
        assert await anext(room) == Message("room:1", "phx_join", {"n": 2}, join.ref, join.join_ref)
        assert room.response == {"n": 2}
        assert socket.statistics().connections == 2

    lost = statuses[3]
    assert isinstance(lost, Disconnected)
    assert isinstance(lost.error, ConnectionLost)
    assert (lost.error.code, lost.retry_after) == (1006, 0.01)
    one_life = [Connecting(), Connected(), Joined("room:1")]
    assert [*statuses[:3], *statuses[4:]] == [*one_life, *one_life]


async def test_all_topics_are_joined_again_over_the_new_connection(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        rooms = [await socket.join(f"room:{n}") for n in range(5)]
        await peer.hang_up()
        again = await network.peer()
        for room in rooms:
            assert (await anext(room)).event == "phx_join"
        assert sorted(join.topic for join in again.said("phx_join")) == [room.topic for room in rooms]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4000])
async def test_it_comes_back_after_every_close_code_and_tells_it(autojump_clock: MockClock, code: int) -> None:
    lost: list[Status] = []
    async with connected(on_status=lost.append) as (_, peer, network):
        await peer.websocket.aclose(code, "because")
        await network.peer()
    errors = [status.error for status in lost if isinstance(status, Disconnected)]
    assert [(type(error), error.args) for error in errors] == [(ConnectionLost, (code, "because"))]


async def test_the_back_off_is_that_of_phoenix_js(autojump_clock: MockClock) -> None:
    async with connected(auth_token=None) as (socket, peer, network):
        await socket.join("room:1")
        dropped = trio.current_time()
        network.answers += [
            ConnectionRefusedError(),
            503,
            hang_up,
            429,
            OSError(),
            502,
            OSError(),
            OSError(),
            OSError(),
        ]
        await peer.hang_up()
        await network.peer()
        waits = [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2, 5]
        assert network.calls[1:] == pytest.approx([dropped + sum(waits[: n + 1]) for n in range(10)])


async def test_back_off_begins_anew_after_a_connection_that_has_carried_something(autojump_clock: MockClock) -> None:
    tries = Tries()
    async with connected(reconnect_after=tries) as (socket, peer, network):
        room = await socket.join("room:1")
        network.answers += [OSError(), OSError()]
        await peer.hang_up()
        again = await network.peer()
        await anext(room)
        await again.hang_up()
        await network.peer()
    assert tries == [1, 2, 3, 1]


async def test_a_server_that_hangs_up_after_each_handshake_is_called_more_and_more_seldom(
    autojump_clock: MockClock,
) -> None:
    async with connected() as (_, first, network):
        peer = first
        for _ in range(10):
            await peer.hang_up()
            peer = await network.peer()
        assert trio.current_time() > 4


async def test_a_connection_with_no_topics_counts_as_good_after_a_heartbeat(autojump_clock: MockClock) -> None:
    tries = Tries()
    async with connected(reconnect_after=tries) as (_, first, network):
        peer = first
        for _ in range(3):
            await trio.sleep(31)
            await peer.hang_up()
            peer = await network.peer()
    assert tries == [1, 1, 1]


# Fresh values for each connection.


async def test_params_and_token_are_made_anew_for_each_connection(autojump_clock: MockClock) -> None:
    numbers = count(1)

    async def token() -> str:
        await trio.sleep(1)
        return f"token{next(numbers)}"

    async with connected(params=lambda: {"n": next(numbers)}, auth_token=token) as (_, peer, network):
        assert "?n=1&" in peer.path
        await peer.hang_up()
        again = await network.peer()
        assert "?n=3&" in again.path
        assert again.subprotocols[1] != peer.subprotocols[1]


async def test_the_payload_of_a_join_is_made_anew_too(autojump_clock: MockClock) -> None:
    numbers = count(1)
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1", lambda: {"n": next(numbers)})
        await peer.hang_up()
        again = await network.peer()
        await anext(room)
        assert [one.said("phx_join")[0].payload for one in (peer, again)] == [{"n": 1}, {"n": 2}]


async def test_a_function_that_fails_later_is_called_again_after_a_while(autojump_clock: MockClock) -> None:
    statuses: list[Status] = []
    tokens = iter(["1", None, None, "2"])

    def params() -> dict[str, str]:
        if (token := next(tokens)) is None:
            raise LookupError("no token")
        return {"t": token}

    async with connected(params=params, on_status=statuses.append) as (_, peer, network):
        await peer.hang_up()
        assert "t=2" in (await network.peer()).path
    errors = [type(status.error) for status in statuses if isinstance(status, Disconnected)]
    assert errors == [ConnectionLost, LookupError, LookupError]


@pytest.mark.parametrize("event", [Connecting, Connected, Disconnected, Joined])
async def test_an_error_in_on_status_comes_out_of_the_block(autojump_clock: MockClock, event: type) -> None:
    seen: list[type] = []

    def on_status(status: Status) -> None:
        seen.append(type(status))
        if type(status) is event and seen.count(Connecting) == (1 if event is Disconnected else 2):
            raise LookupError("no window to show it in")

    async def use(network: Network) -> None:
        async with call(network, on_status=on_status) as socket:
            await socket.join("room:1")
            await (await network.peer()).hang_up()
            await trio.sleep_forever()

    async with open_network() as network:
        with pytest.raises(LookupError, match="no window"):
            await use(network)


# Refusals.


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_later_refusal_for_good_comes_out_of_the_block(autojump_clock: MockClock, status: int) -> None:
    async def drop_and_wait(network: Network) -> None:
        async with call(network):
            peer = await network.peer()
            network.answers.append(status)
            await peer.hang_up()
            await trio.sleep_forever()

    async with open_network() as network:
        with pytest.raises(ConnectRefused) as caught:
            await drop_and_wait(network)
        assert caught.value.status == status
        assert len(network.calls) == 2


async def test_a_refusal_comes_alone_out_of_a_block_with_a_nursery(autojump_clock: MockClock) -> None:
    async def with_a_nursery(network: Network) -> None:
        async with call(network), trio.open_nursery() as nursery:
            peer = await network.peer()
            network.answers.append(403)
            nursery.start_soon(trio.sleep_forever)
            await peer.hang_up()
            await trio.sleep_forever()

    async with open_network() as network:
        with pytest.raises(ConnectRefused):
            await with_a_nursery(network)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 302])
async def test_any_other_refusal_is_one_more_try(autojump_clock: MockClock, status: int) -> None:
    async with connected() as (_, peer, network):
        network.answers += [status, status]
        await peer.hang_up()
        await network.peer()
        assert len(network.calls) == 4


async def test_the_program_may_decide_about_refusals(autojump_clock: MockClock) -> None:
    seen = []

    def gives_up(refused: ConnectRefused) -> bool:
        seen.append(refused.status)
        return False

    async with connected(gives_up=gives_up) as (_, peer, network):
        network.answers += [403, 403]
        await peer.hang_up()
        await network.peer()
    assert seen == [403, 403]


# What happens to those who use the socket meanwhile.


async def test_a_push_waits_for_the_next_connection(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        network.answers += [OSError()] * 6
        await peer.hang_up()
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.cast, "shout", {"n": 1})
            again = await network.peer()
            assert (await again.next()).event == "shout"
            nursery.start_soon(room.push, "echo")
            await again.reply(await again.next())


async def test_a_push_that_waits_too_long_says_that_it_was_not_sent_and_why(autojump_clock: MockClock) -> None:
    async with connected(reconnect_after=lambda _: 100) as (socket, peer, _):
        room = await socket.join("room:1")
        await peer.websocket.aclose(1012, "restart")
        await wait_all_tasks_blocked()
        why = r"'echo' on 'room:1' was not sent within 10 s: it was not joined .*1012: restart"
        with pytest.raises(TimeoutError, match=why):
            await room.push("echo")
        with pytest.raises(TimeoutError, match="'shout' on 'room:1' was not sent within 3 s"):
            await room.cast("shout", timeout=3)
        assert trio.current_time() == pytest.approx(13, abs=1)
        assert room.statistics().awaited == 0


async def test_a_push_that_was_sent_fails_when_the_connection_does(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_lost, room.push("echo"))
            nursery.start_soon(expect_lost, room.push("echo"))
            await peer.next()
            await peer.next()
            await peer.hang_up()
        again = await network.peer()
        await anext(room)
        await wait_all_tasks_blocked()
        assert again.said("echo") == []
        assert room.statistics().awaited == 0


async def expect_lost(push: object) -> None:
    with pytest.raises(ConnectionLost) as caught:
        await push  # type: ignore[misc] # an awaitable
    assert caught.value.code == 1006


async def test_a_join_that_loses_its_connection_goes_on_over_the_next(autojump_clock: MockClock) -> None:
    async with open_network() as network, call(network) as socket:
        peer = await network.peer()
        peer.polite.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.join, "room:1")
            await peer.next()
            await peer.hang_up()
        assert (await network.peer()).said("phx_join")


async def test_a_connection_that_is_lost_while_a_payload_is_made(autojump_clock: MockClock) -> None:
    async def payload() -> dict[str, int]:
        await trio.sleep(3)
        return {"n": 1}

    async with connected() as (socket, peer, network):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.join, "room:1", payload)
            await trio.sleep(1)
            await peer.hang_up()
        assert peer.said("phx_join") == []
        assert len((await network.peer()).said("phx_join")) == 1


async def test_a_join_while_there_is_no_connection_waits_and_may_wait_in_vain(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        network.answers += [OSError()] * 5
        await peer.hang_up()
        await wait_all_tasks_blocked()
        await socket.join("room:1")
        network.answers += [OSError()] * 100
        await (await network.peer()).hang_up()
        await wait_all_tasks_blocked()
        with pytest.raises(TimeoutError, match="joining 'room:2' had to wait for a connection for 10 s"):
            await socket.join("room:2")
        assert socket.statistics().topics == 1


# A server that breaks the protocol.


@pytest.mark.parametrize(
    ("junk", "why"),
    [("no JSON", "the server sent text is not JSON"), (b"\x07", "a binary message of an unknown kind")],
)
async def test_what_is_no_message_ends_the_connection(autojump_clock: MockClock, junk: str | bytes, why: str) -> None:
    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (_, peer, network):
        await peer.websocket.send_message(junk)
        await network.peer()
    lost = statuses[2]
    assert isinstance(lost, Disconnected)
    assert lost.error.args[0] == 1002
    assert why in str(lost.error)


@pytest.mark.parametrize("frame", [b"\xc1\x00", b"\x81\x02\xff\xff", b"\x83\x00", b"\x81\x80abcd"])
async def test_a_wrong_frame_ends_the_connection(autojump_clock: MockClock, frame: bytes) -> None:
    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (socket, peer, network):
        room = await socket.join("room:1")
        await peer.stream.send_all(frame)
        await network.peer()
        await anext(room)
    lost = statuses[3]
    assert isinstance(lost, Disconnected)
    assert lost.error.args[0] in {1002, 1007}


async def test_a_message_that_is_too_large_ends_the_connection(autojump_clock: MockClock) -> None:
    statuses: list[Status] = []
    async with connected(on_status=statuses.append, max_message_size=1000) as (_, peer, network):
        await peer.send("room:1", "x", "y" * 1000)
        await network.peer()
    lost = statuses[2]
    assert isinstance(lost, Disconnected)
    assert lost.error.args[0] == 1009
