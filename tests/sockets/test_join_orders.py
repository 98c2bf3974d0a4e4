"""A channel's answer, its close, its end, and the answer of the pool that starts it: in any order they can come in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import Error, Ok, Pid, Shutdown, SocketClose, channel
from phxactor.otp import IGNORE, Ignore
from phxactor.runtime import From, spawn
from phxactor.socket import Socket
from tests.sockets.wires import close, error, only_the_connection_is_left, refusal, reply, wire

BY_CHANNEL: Final = {"answers", "refuses", "closes", "tells", "ends"}
"""What the channel does; `tells` is to close by a message of its own making. The rest is what its start comes to."""


def orders() -> Iterator[tuple[str, ...]]:
    """List all orders of what can happen; a channel does nothing after its end."""
    for start in ("starts", "fails", "ignores"):
        for chosen in (
            ("answers",),
            ("answers", "closes"),
            ("answers", "tells"),
            ("refuses",),
            ("refuses", "closes"),
            ("closes",),
            (),
        ):
            for order in permutations((*chosen, "ends", start)):
                last = [step for step in order if step in BY_CHANNEL]
                if last[-1] == "ends":
                    yield order


def expected(order: tuple[str, ...]) -> list[object]:
    """Say what the client hears."""
    failed = next((step for step in order if step in ("fails", "ignores")), None)
    over = order.index("starts" if failed is None else failed)
    known_end = max(order.index("ends"), over) if failed is None else over
    if "refuses" in order[:known_end]:
        return [reply("1", "room", refusal("no"))]
    if "answers" not in order[:known_end]:
        return [reply("1", "room", refusal("join crashed"))]
    told = "tells" in order[:known_end]
    closed = told or "closes" in order[:known_end]
    return [reply("1", "room"), close("1", "room") if closed else error("1", "room")]


class Scripted:
    """A custom channel that does one step each second."""

    order: tuple[str, ...] = ()

    @classmethod
    async def start_link(cls, arguments: tuple[object, From, Socket]) -> Ok[Pid] | Error | Ignore:
        _, from_, socket = arguments
        began = trio.current_time()

        async def body() -> None:
            for second, step in enumerate(cls.order, 1):
                if step in BY_CHANNEL:
                    await trio.sleep_until(began + second)
                match step:
                    case "answers":
                        from_.reply(Ok())
                    case "refuses":
                        from_.reply(Error({"reason": "no"}))
                    case "closes":
                        socket.close(Shutdown("left"))
                    case "tells":
                        socket.transport_pid.send(SocketClose(pid, Shutdown("left")))

        pid = spawn(body)
        start = next(step for step in cls.order if step not in BY_CHANNEL)
        await trio.sleep_until(began + cls.order.index(start) + 1)
        if start == "starts":
            return Ok(pid)
        return Error("failed") if start == "fails" else IGNORE


@pytest.mark.parametrize("order", list(orders()), ids=" ".join)
async def test_the_client_is_answered_and_hears_of_the_end_once(
    order: tuple[str, ...], autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scripted, "order", order)
    async with wire(channel("*", Scripted)) as it:
        it.join("room")
        await trio.sleep(20)
        assert await it.hear() == expected(order)
        only_the_connection_is_left(it)
        # The topic is free.
        it.say("1", "2", "room", "phx_leave")
        assert await it.hear() == [reply("2", "room", join_ref="1")]


async def test_a_close_of_the_old_channel_is_not_that_of_the_new_one(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scripted, "order", ("starts", "answers", "closes", "ends"))
    async with wire(channel("*", Scripted)) as it:
        it.join("room", "1")
        await trio.sleep(2.5)
        assert await it.hear() == [reply("1", "room")]
        monkeypatch.setattr(Scripted, "order", ("answers", "starts", "tells", "ends"))
        it.join("room", "2")
        await trio.sleep(20)
        assert await it.hear() == [reply("2", "room"), close("1", "room"), close("2", "room")]
        only_the_connection_is_left(it)
