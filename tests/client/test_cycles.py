"""Whatever way a connection, a join or a push of the client ends, it leaves none of its frames to the collector.

Only what is the client's own counts: the memory streams of the test are cycles too. So is what trio makes of a nursery
that fails while one of its tasks waits.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from phxactor.client import Channel, ConnectionLost, ConnectRefused, JoinError, ReplyError, Socket
from tests.client.network import call, connected, open_network
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
        has_a_push_refused,
        has_a_push_unanswered,
        loses_a_push,
        has_a_join_refused,
        has_a_join_unanswered,
        fails,
        is_cancelled,
    ],
)
async def test_no_end_of_a_client_leaves_its_frames(act: Act, autojump_clock: MockClock) -> None:
    logging.disable()
    await act()
    with garbage() as found:
        await act()
    assert {name for name in found if name.startswith(("frame of", "phxactor"))} == set()
