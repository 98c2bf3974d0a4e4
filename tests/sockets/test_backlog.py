"""What counts as waiting: all that has been decoded and not been handled, and nothing else."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Message, Ok, Pid, Socket, channel, intercept, on, receive, spawn_link
from phxactor.channels import Payload
from phxactor.runtime import From
from phxactor.socket._backlog import SMALL_WEIGHT, weigh
from tests.sockets.wires import wire

LARGE = "x" * 10_000
WEIGHT = weigh(b'["1",null,"room:1","hold","' + LARGE.encode() + b'"]')


class Room(Channel):
    """Takes its time: a second for each message."""

    async def join(self, topic: str, payload: Payload) -> None:
        if topic == "room:slow":
            await trio.sleep(1)

    @on("hold")
    async def hold(self, payload: Payload) -> None:
        await trio.sleep(1)

    @intercept("news")
    async def news(self, payload: Payload) -> None:
        await trio.sleep(1)

    async def terminate(self, reason: object) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)


class Keeper:
    """A custom channel that keeps all that it gets, and is busy when it is told to be."""

    @staticmethod
    def start_link(arguments: tuple[Any, From, Socket]) -> Ok[Pid]:
        _, from_, _ = arguments

        async def run() -> None:
            from_.reply(Ok())
            kept = []
            while True:
                message: Any = await receive()
                kept.append(message)
                if isinstance(message, Message) and message.event == "hold":
                    await trio.sleep(1)

        return Ok(spawn_link(run))


ROUTES = channel("room:*", Room), channel("keep:*", Keeper)


async def test_a_message_counts_until_it_has_been_handled(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES) as it:
        it.join("room:1")
        await it.hear()
        for _ in range(3):
            assert it.say_much("1", None, "room:1", "hold", LARGE)
        for left in (3, 2, 1):
            await trio.sleep(0.1)
            waiting = left - 1  # one is with the handler
            assert it.mux.backlog.held() == left * WEIGHT + waiting * SMALL_WEIGHT
            await trio.sleep(0.9)
        await trio.sleep(0.1)
        assert it.mux.backlog.large == 0  # not even the last one, though the channel has had no other since


async def test_messages_with_odd_fields_count_too(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES) as it:
        it.join("room:1")
        it.join("keep:1")
        await it.hear()
        hold = b'["1",{},"room:1","hold","' + LARGE.encode() + b'"]'
        event = b'["1","2","keep:1",7,"' + LARGE.encode() + b'"]'
        nowhere = b'["1","3",7,"hold","' + LARGE.encode() + b'"]'
        it.say_odd(hold)
        it.say("1", "1", "keep:1", "hold")
        it.say_odd(event)
        it.say_odd(nowhere)
        await trio.sleep(0.1)
        assert it.mux.backlog.large == weigh(hold) + weigh(event)
        assert it.mux.backlog.held() == weigh(hold) + weigh(event) + SMALL_WEIGHT  # one waits
        await trio.sleep(1)
        assert it.mux.backlog.held() == 0


async def test_small_messages_count_too(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES, max_input_bytes=5 * SMALL_WEIGHT) as it:
        it.join("room:1")
        await it.hear()
        for _ in range(6):
            it.say("1", None, "room:1", "hold")
        assert it.mux.backlog.exceeds()
        await trio.sleep(1.5)
        assert not it.mux.backlog.exceeds()
        assert it.mux.backlog.held() == 4 * SMALL_WEIGHT


async def test_joins_count_with_all_that_waits_for_them(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES) as it:
        assert it.say_much("1", "1", "room:slow", "phx_join", LARGE)
        it.say("1", "2", "room:slow", "hold")
        assert it.say_much("1", "3", "room:slow", "hold", LARGE)
        await it.hear()
        assert it.mux.backlog.held() == pytest.approx(2 * WEIGHT + 3 * SMALL_WEIGHT, abs=100)
        await trio.sleep(3.5)
        assert it.mux.backlog.held() == 0


async def test_what_the_program_sends_to_a_channel_is_not_the_client_s(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES, max_input_bytes=10 * SMALL_WEIGHT) as it:
        it.join("room:1")
        await it.hear()
        for number in range(100):
            it.socket.endpoint.broadcast("room:1", "news", number)
        it.say("1", None, "room:1", "hold")
        await trio.sleep(0.1)
        assert len(it.mux.channel_of("room:1").mailbox) == 100  # type: ignore[union-attr]
        assert it.mux.backlog.held() == SMALL_WEIGHT
        assert not it.mux.backlog.exceeds()


async def test_what_a_channel_keeps_counts_until_it_waits_for_more(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES, max_input_bytes=2 * WEIGHT) as it:
        it.join("keep:1")
        await it.hear()
        for _ in range(20):
            assert it.say_much("1", None, "keep:1", "keep", LARGE)
            await it.hear()
        assert it.say_much("1", None, "keep:1", "hold", LARGE)
        await it.hear()
        assert it.say_much("1", None, "keep:1", "hold", LARGE)
        assert not it.say_much("1", None, "keep:1", "hold", LARGE)
        assert not it.mux.backlog.has_eased(it.mux.backlog.held())
        await trio.sleep(2.1)
        assert it.mux.backlog.has_eased(it.mux.backlog.held())
        assert it.say_much("1", None, "keep:1", "hold", LARGE)


async def test_one_that_is_larger_than_all_that_may_wait_is_taken_alone(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES, max_input_bytes=1) as it:
        it.join("room:1")
        await it.hear()
        assert it.say_much("1", None, "room:1", "hold", LARGE)
        assert not it.say_much("1", None, "room:1", "hold", LARGE)
        await trio.sleep(0.5)
        assert not it.mux.backlog.has_eased(it.mux.backlog.held())
        await trio.sleep(0.6)
        assert it.mux.backlog.has_eased(it.mux.backlog.held())
        assert it.say_much("1", None, "room:1", "hold", LARGE)


async def test_what_waits_for_a_channel_that_has_closed_counts(autojump_clock: MockClock) -> None:
    async with wire(*ROUTES) as it:
        it.join("room:1")
        await it.hear()
        it.say("1", "2", "room:1", "phx_leave")
        for _ in range(4):
            it.say("1", None, "room:1", "hold")
        assert it.say_much("1", None, "room:1", "hold", LARGE)
        await it.hear()
        assert len(it.mux) == 0
        assert it.mux.backlog.held() == WEIGHT + 5 * SMALL_WEIGHT
        it.join("room:1", "3")
        await it.hear()
        assert it.mux.backlog.held() == WEIGHT + 5 * SMALL_WEIGHT
        await trio.sleep(1.1)
        assert it.mux.backlog.held() == 0


async def test_when_the_connection_ends_only_what_waits_for_a_channel_is_left(autojump_clock: MockClock) -> None:
    gc.disable()
    try:
        async with wire(*ROUTES) as it:
            it.join("room:1")
            await it.hear()
            it.join("room:slow", "2")
            assert it.say_much("1", None, "room:1", "hold", LARGE)
            assert it.say_much("2", None, "room:slow", "hold", LARGE)
            references = [reference for reference, _ in it.mux.backlog._weighed.values()]  # noqa: SLF001
            await trio.sleep(0.1)
            await it.hang_up()
            assert [reference() is None for reference in references] == [False, True]
            await trio.sleep(1)
            assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()
