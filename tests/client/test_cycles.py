"""Whatever way a connection, a join or a push of the client ends, it leaves none of its frames to the collector.

Only what is the client's own counts: the memory streams of the test are cycles too, and wsproto's parser is one.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from phxactor import Exit
from phxactor.client import Channel, ConnectionLost, ConnectRefused, JoinError, ReplyError, Socket
from tests.client.network import Script, call, connected, open_network
from tests.cycles import Act, garbage

pytestmark = pytest.mark.allow_leaks("it counts objects itself")


async def leaves() -> None:
    async with connected() as (socket, _, _):
        await (await socket.join("room:1")).leave()


async def is_hung_up_on() -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        await peer.hang_up()
        await network.peer()
        await anext(room)


async def is_refused() -> None:
    async with open_network() as network:
        network.answers.append(403)
        with suppress(ConnectRefused):
            async with call(network):
                pass


async def is_refused_for_good() -> None:
    async with open_network() as network:
        with suppress(ConnectRefused):
            async with call(network, reconnect_after=lambda _: 1.0):
                network.answers.append(403)
                await (await network.peer()).hang_up()
                await trio.sleep_forever()


async def is_refused_for_a_while() -> None:
    async with connected() as (_, peer, network):
        network.answers += [503, hangs_up, is_silent, None]
        await peer.hang_up()
        await network.peer()


async def has_no_answer() -> None:
    async with open_network() as network:
        network.answers.append(is_silent)
        with suppress(TimeoutError):
            async with call(network, timeout=5):
                pass


async def is_silent(_: trio.abc.Stream) -> None:
    await trio.sleep(60)


async def calls_another_protocol() -> None:
    async def greet(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"SSH-2.0-OpenSSH\r\n\r\n")
        await stream.aclose()

    await call_in_vain(greet)


async def hangs_up(stream: trio.abc.Stream) -> None:
    await stream.aclose()


async def calls_what_hangs_up() -> None:
    await call_in_vain(hangs_up)


async def call_in_vain(script: Script) -> None:
    async with open_network() as network:
        network.answers.append(script)
        with suppress(ConnectionLost):
            async with call(network):
                pass


async def hears_no_heartbeat() -> None:
    async with connected(heartbeat=5) as (socket, peer, network):
        room = await socket.join("room:1")
        peer.polite.discard("heartbeat")
        await network.peer()
        await anext(room)


async def is_closed_by_the_server() -> None:
    async with connected() as (_, peer, network):
        await peer.websocket.aclose(1011)
        await network.peer()


async def gets(data: str | bytes) -> None:
    """Get what is no frame, as bytes, or no message, as text."""
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        if isinstance(data, bytes):
            await peer.stream.send_all(data)
        else:
            await peer.websocket.send_message(data)
        await network.peer()
        await anext(room)


async def push(room: Channel) -> None:
    with suppress(ReplyError, ConnectionLost, TimeoutError):
        await room.push("ask", {}, timeout=5)


async def join(socket: Socket) -> None:
    with suppress(JoinError, TimeoutError):
        await socket.join("room:1", timeout=5)


async def has_a_push_refused() -> None:
    async with connected() as (socket, peer, _), trio.open_nursery() as nursery:
        nursery.start_soon(push, await socket.join("room:1"))
        await peer.reply(await peer.next(), {}, "error")


async def has_a_push_unanswered() -> None:
    async with connected() as (socket, _, _):
        await push(await socket.join("room:1"))


async def loses_a_push() -> None:
    async with connected() as (socket, peer, network), trio.open_nursery() as nursery:
        nursery.start_soon(push, await socket.join("room:1"))
        await peer.next()
        await peer.hang_up()
        await network.peer()


async def has_a_join_refused() -> None:
    async with connected() as (socket, peer, _), trio.open_nursery() as nursery:
        peer.polite.discard("phx_join")
        nursery.start_soon(join, socket)
        await peer.reply(await peer.next(), {}, "error")


async def has_a_join_unanswered() -> None:
    async with connected() as (socket, peer, _):
        peer.polite.discard("phx_join")
        await join(socket)


async def fails() -> None:
    with suppress(ValueError):
        async with connected() as (socket, _, _):
            await socket.join("room:1")
            raise ValueError


async def exits() -> None:
    with suppress(Exit):
        async with connected() as (socket, _, _):
            await socket.join("room:1")
            raise Exit("boom")


async def is_cancelled() -> None:
    with trio.move_on_after(3):
        async with connected() as (socket, _, _):
            await socket.join("room:1")
            await trio.sleep_forever()


@pytest.mark.parametrize(
    "act",
    [
        leaves,
        is_hung_up_on,
        is_refused,
        is_refused_for_good,
        is_refused_for_a_while,
        has_no_answer,
        calls_another_protocol,
        calls_what_hangs_up,
        hears_no_heartbeat,
        is_closed_by_the_server,
        pytest.param(partial(gets, b"\xff\xff\xff"), id="gets_no_frame"),
        pytest.param(partial(gets, "nonsense"), id="gets_no_message"),
        has_a_push_refused,
        has_a_push_unanswered,
        loses_a_push,
        has_a_join_refused,
        has_a_join_unanswered,
        fails,
        exits,
        is_cancelled,
    ],
)
async def test_no_end_of_a_client_leaves_its_frames(act: Act, autojump_clock: MockClock) -> None:
    logging.disable()
    await act()
    with garbage() as found:
        await act()
    assert {name for name in found if name.startswith(("frame of", "phxactor"))} == set()
