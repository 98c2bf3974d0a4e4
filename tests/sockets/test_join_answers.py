"""Answers, closes and ends of joins that come from another process, for several joins, or late."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from phxactor import Error, Exit, Message, Ok, Pid, Shutdown, SocketClose, channel, self_pid
from phxactor.otp import IGNORE, Started
from phxactor.runtime import NOPROC, Down, From, receive, spawn
from phxactor.socket import BINARY, Socket
from phxactor.socket._join_table import Phase
from phxactor.socket._multiplexer import WAITING
from phxactor.testing import settle
from tests.sockets.puppets import (
    JOIN_TIMEOUT,
    TOPIC,
    Puppet,
    Stage,
    answered,
    asked,
    named,
    nothing_is_left,
    overflow,
    pool_dies,
    staged,
    tell,
)


async def test_a_channel_that_answers_through_another_process_is_known_once_it_is_named(
    autojump_clock: MockClock,
) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.puppet.from_.reply(Ok())
        stage.puppet.do(lambda: tell(stage.puppet))
        assert await stage.hear() == [("1", "ok")]
        stage.puppet.start()
        assert await stage.hear() == [("1", "phx_close")]
        await nothing_is_left(stage)


@pytest.mark.parametrize("outcome", [Error("failed"), IGNORE, Error("raises"), None], ids=str)
@pytest.mark.parametrize("answered_by", ["channel", "another"])
@pytest.mark.parametrize("told_with", ["pid", "socket"])
async def test_a_close_that_another_process_tells_comes_first_though_the_start_fails(
    told_with: str, answered_by: str, outcome: Started | None, autojump_clock: MockClock
) -> None:
    async with staged(2) as stage:
        await asked(stage)
        if answered_by == "channel":
            stage.puppet.do(lambda: stage.puppet.from_.reply(Ok()))
        else:
            stage.puppet.from_.reply(Ok())
        await settle()
        if told_with == "pid":
            tell(stage.puppet)
        else:
            stage.puppet.socket.close(Shutdown("left"))
        await settle()
        if outcome is None:
            await pool_dies(stage)
        else:
            stage.puppet.start(outcome)
        assert await stage.hear() == [("1", "ok"), ("1", "phx_close")]
        stage.puppet = None  # type: ignore[assignment]  # it has no pool that could name it
        await nothing_is_left(stage)


async def test_a_close_is_that_of_the_start_that_its_pool_is_at(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.it.say("8", "8", "puppet:2", "phx_join")  # it waits for the pool
        stage.puppet.from_.reply(Ok())
        tell(stage.puppet)
        await settle()
        stage.puppet.start(Error("failed"))
        await settle()
        second = Puppet.made[-1]
        assert second is not stage.puppet
        second.from_.reply(Ok())
        second.start(Error("failed"))
        assert await stage.hear() == [("1", "ok"), ("1", "phx_close"), ("8", "ok"), ("8", "phx_error")]


async def test_a_close_of_a_stranger_is_not_that_of_a_channel_whose_start_fails(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.puppet.from_.reply(Ok())
        stage.it.pid.send(SocketClose(spawn(receive), Shutdown("left")))
        stage.puppet.start(Error("failed"))
        assert await stage.hear() == [("1", "ok"), ("1", "phx_error")]


async def test_a_close_of_another_process_is_not_the_channels(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await answered(stage)
        stage.it.pid.send(SocketClose(self_pid(), Shutdown("left")))
        stage.puppet.start()
        assert await stage.hear() == [("1", "ok")]
        assert stage.phase() is Phase.JOINED


async def test_what_is_no_close_hurts_nobody(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.it.pid.send(SocketClose([], "left", object()))  # type: ignore[arg-type]
        stage.it.pid.send(Down([], [], "left"))  # type: ignore[arg-type]
        assert await stage.hear() == []
        assert stage.phase() is Phase.ASKED


async def test_joins_of_a_pool_that_dies_are_answered_at_once_and_the_next_one_too(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)  # this one is being started, and the next ones wait in the pool's mailbox
        stage.it.join("puppet:2", "2")
        stage.it.join("puppet:3", "3")
        assert await stage.hear() == []
        began = trio.current_time()
        await pool_dies(stage)
        crashed = "error: join crashed"
        assert await stage.hear() == [("1", crashed), ("2", crashed), ("3", crashed)]
        stage.it.join("puppet:4", "4")
        assert await stage.hear() == [("4", crashed)]
        assert trio.current_time() == began
        await nothing_is_left(stage)


async def test_a_pool_that_cannot_be_found_is_a_crash_of_the_join(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:

        def nowhere(*_: object) -> Pid:
            raise Exit(NOPROC)

        stage.it.mux._pool = nowhere  # noqa: SLF001
        stage.say("phx_join", "1")
        assert await stage.hear() == [("1", "error: join crashed")]
        await nothing_is_left(stage)


@pytest.mark.parametrize("phase", [asked, named, answered])
async def test_a_leave_waits_even_if_it_is_too_much(
    phase: Callable[[Stage], Awaitable[None]], autojump_clock: MockClock
) -> None:
    async with staged(2) as stage:
        await phase(stage)
        await overflow(stage)
        await stage.hear()
        for ref in ("8", "9"):
            stage.say("phx_leave", ref)
        full = "error: too many messages before the join was answered"
        assert await stage.hear() == [("9", full)]  # a second one makes no more room
        stage.puppet.do(lambda: stage.puppet.from_.reply(Ok()))
        stage.puppet.start()
        await stage.hear()
        last = stage.puppet.got[-1]
        assert isinstance(last, Message)
        assert (last.event, last.ref, len(stage.puppet.got)) == ("phx_leave", "8", WAITING + 1)


async def test_a_start_that_is_not_async_but_has_to_be_awaited_has_a_time_limit_too(autojump_clock: MockClock) -> None:
    """One client could hold up its pool for ever, and the joins of all others with it."""

    class Detour:
        @staticmethod
        def start_link(arguments: tuple[object, From, Socket]) -> Awaitable[Started]:
            return Puppet.start_link(arguments)

    async with staged(2, channel("detour", Detour)) as stage:
        stage.it.join("detour", "1")
        stage.it.join("puppet:1", "2")
        await trio.sleep(JOIN_TIMEOUT - 1)
        assert await stage.hear() == []
        assert len(Puppet.made) == 1
        await trio.sleep(2)
        assert await stage.hear() == [("1", "error: join timed out"), ("2", "error: join timed out")]
        assert len(Puppet.made) == 2  # the pool goes on


async def test_a_binary_message_waits_for_the_answer_as_a_text_does(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        data = b"\x00\x01\x01\x08\x04" + b"17puppet:1push" + b"payload"
        stage.it.mux.handle_in(stage.it.socket.serializer.decode(data, BINARY))
        stage.puppet.do(lambda: stage.puppet.from_.reply(Ok(b"joined")))
        assert await stage.it.hear() == [b"\x01\x01\x01\x08\x0211puppet:1okjoined"]
        stage.puppet.start()
        await stage.hear()
        assert stage.puppet.got == [Message(TOPIC, "push", b"payload", "7", "1")]
