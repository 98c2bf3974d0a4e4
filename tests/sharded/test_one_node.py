"""Sharded servers on one node, without a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from phxactor import Supervisor, call, cast, link, monitor, self_pid, send, trap_exit, unlink
from phxactor.otp import Called
from phxactor.runtime import (
    KILL,
    NOPROC,
    Down,
    Exit,
    Exited,
    NoProcessError,
    NotLocalError,
    Shutdown,
    demonitor,
    open_runtime,
    receive,
    spawn,
)
from phxactor.sharded import IDLED, Sharded, Token
from phxactor.testing import settle
from tests.sharded.rooms import ENDED, ROOMS, STARTED, Room


@asynccontextmanager
async def running(rooms: Sharded = ROOMS) -> AsyncIterator[None]:
    STARTED.clear()
    ENDED.clear()
    async with open_runtime():
        (await Supervisor.start_link([rooms])).unwrap()
        yield


async def test_the_first_message_starts_a_server_and_the_next_ones_find_it(autojump_clock: MockClock) -> None:
    async with running():
        assert await call(ROOMS["a"], ("add", 1)) == 1
        cast(ROOMS["a"], ("add", 2))
        send(ROOMS["a"], 3)
        ROOMS["a"].send(4)
        cast(ROOMS["b"], ("add", 5))
        assert await call(ROOMS["a"], "items") == [1, 2, 3, 4]
        assert await call(ROOMS["b"], "items") == [5]
        assert [key for key, _ in STARTED] == ["a", "b"] == ROOMS.local_keys()


async def test_an_address_is_one_object_that_says_what_it_is(autojump_clock: MockClock) -> None:
    async with running():
        address = ROOMS["a"]
        assert ROOMS["a"] is address
        assert repr(address) == "<rooms['a']>"
        with pytest.raises(NotLocalError):
            _ = address.alive


@pytest.mark.parametrize("key", ["", "x" * 1001, "a\nb", 7, None, b"a"])
async def test_a_key_is_text(key: str, autojump_clock: MockClock) -> None:
    async with running():
        with pytest.raises(TypeError, match="a key is a text"):
            ROOMS[key]


async def test_servers_that_were_not_started_say_so() -> None:
    async with open_runtime():
        with pytest.raises(NoProcessError, match="make it a child of the program"):
            ROOMS["a"]


async def test_a_call_ends_with_the_server_that_it_called(autojump_clock: MockClock) -> None:
    async with running():
        with pytest.raises(Exit) as caught:
            await call(ROOMS["a"], "crash")
        match caught.value.reason:
            case (reason, Called(server=server)):
                assert "boom" in str(reason)
                assert server is ROOMS["a"]
            case _:
                pytest.fail("no call")
        assert await call(ROOMS["a"], "items") == []


async def test_a_call_of_itself_is_told(autojump_clock: MockClock) -> None:
    async with running():
        with pytest.raises(Exit) as caught:
            await call(ROOMS["a"], ("call", ROOMS["a"], "items"))
        assert "calling_self" in repr(caught.value.reason)


async def test_a_call_may_be_answered_later_or_time_out(autojump_clock: MockClock) -> None:
    async with running():
        with pytest.raises(Exit, match="timeout"):
            await call(ROOMS["a"], "hold", timeout=1)

        async def answer() -> None:
            await trio.sleep(1)
            cast(ROOMS["a"], "answer")

        spawn(answer)
        assert await call(ROOMS["a"], "hold") == "held"
        await settle()
        assert self_pid().mailbox == []


async def test_a_monitor_hears_of_the_end_and_starts_nothing(autojump_clock: MockClock) -> None:
    async with running():
        ref = monitor(ROOMS["a"])
        assert await receive() == Down(ref, ROOMS["a"], NOPROC)
        assert STARTED == []
        await call(ROOMS["a"], ("add", 1))
        ref = monitor(ROOMS["a"])
        gone = monitor(ROOMS["a"])
        demonitor(gone)
        (await call(ROOMS["a"], "pid")).exit(KILL)
        assert await receive() == Down(ref, ROOMS["a"], "killed")
        with pytest.raises(TimeoutError):
            await receive(timeout=1)


async def test_a_link_goes_both_ways(autojump_clock: MockClock) -> None:
    async with running():
        trap_exit()
        link(ROOMS["a"])
        assert await receive() == Exited(ROOMS["a"], NOPROC)
        pid = await call(ROOMS["a"], "pid")
        link(ROOMS["a"])
        unlink(ROOMS["a"])
        link(ROOMS["a"])
        pid.exit("boom")
        assert await receive() == Exited(ROOMS["a"], "boom")
        pid = await call(ROOMS["a"], "pid")

        async def linked() -> None:
            link(ROOMS["a"])
            raise Exit("me too")

        spawn(linked)
        await settle()
        assert not pid.alive
        assert pid.exit_reason == "me too"


async def test_an_exit_signal_reaches_the_server(autojump_clock: MockClock) -> None:
    async with running():
        ROOMS["a"].exit("boom")
        assert STARTED == []
        pid = await call(ROOMS["a"], "pid")
        ROOMS["a"].exit("boom")
        await settle()
        assert pid.exit_reason == "boom"


async def test_each_start_has_a_larger_token(autojump_clock: MockClock) -> None:
    async with running():
        tokens: list[Token] = []
        for _ in range(3):
            tokens.append(await call(ROOMS["a"], "token"))
            ROOMS["a"].exit(KILL)
            await settle()
        assert tokens == sorted(set(tokens))


IDLE = Sharded("idle", Room, idle=10)


async def test_a_server_without_messages_ends(autojump_clock: MockClock) -> None:
    async with running(IDLE):
        await call(IDLE["a"], ("add", 1))
        await trio.sleep(9)
        await call(IDLE["a"], ("add", 2))
        await trio.sleep(9)
        assert IDLE.local_keys() == ["a"]
        ref = monitor(IDLE["a"])
        await trio.sleep(2)
        assert IDLE.local_keys() == []
        assert await receive() == Down(ref, IDLE["a"], IDLED)
        assert [("a", Shutdown("idle"))] == ENDED
        assert await call(IDLE["a"], "items") == []


async def test_NO30_messages_past_the_region_count_too(autojump_clock: MockClock) -> None:
    async with running(IDLE):
        pid = await call(IDLE["a"], "pid")
        for _ in range(5):
            await trio.sleep(9)
            pid.send("hello")
        assert len(await call(IDLE["a"], "items")) == 5


async def test_a_server_that_is_busy_or_owes_an_answer_goes_on(autojump_clock: MockClock) -> None:
    async with running(IDLE):
        cast(IDLE["a"], ("busy", True))
        await trio.sleep(50)
        assert IDLE.local_keys() == ["a"]
        cast(IDLE["a"], ("busy", False))
        spawn(_holds)
        await trio.sleep(50)
        assert IDLE.local_keys() == ["a"]
        cast(IDLE["a"], "answer")
        await trio.sleep(50)
        assert IDLE.local_keys() == []


async def _holds() -> None:
    assert await call(IDLE["a"], "hold", timeout=None) == "held"


async def test_NO29_a_message_that_crosses_the_end_starts_the_server_again(autojump_clock: MockClock) -> None:
    class Slow(Room):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(3)

    slow = Sharded("slow", Slow, idle=10)
    async with running(slow):
        await call(slow["a"], ("add", 1))
        await trio.sleep(11)
        assert slow.local_keys() == ["a"]  # it ends
        cast(slow["a"], ("add", 2))
        slow["a"].send(3)
        assert await call(slow["a"], "items") == [2, 3]
        assert len(STARTED) == 2


async def test_a_server_that_does_not_start_tells_who_waits(autojump_clock: MockClock) -> None:
    class Never(Room):
        async def init(self, key: str, token: Token) -> None:
            raise Exit("no")

    never = Sharded("never", Never)
    async with running(never):
        with pytest.raises(Exit) as caught:
            await call(never["a"], "items")
        assert caught.value.reason[0] == "no"  # type: ignore[index]


async def test_the_end_of_the_region_ends_all_and_its_restart_begins_anew(autojump_clock: MockClock) -> None:
    async with running():
        await call(ROOMS["a"], ("add", 1))
        pid = self_pid().runtime.names.whereis("rooms")
        assert pid is not None
        pid.exit(KILL)
        cast(ROOMS["b"], ("add", 1))
        with pytest.raises(Exit, match=r"noproc|killed"):
            await call(ROOMS["a"], "hold")
        await settle()
        assert await call(ROOMS["a"], "items") == []
        assert ROOMS.local_keys() == ["a"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"on_split": "none"}, ValueError),
        ({"idle": 0}, ValueError),
        ({"settle": -1}, ValueError),
        ({"hand_over": "5"}, TypeError),
        ({"max_waiting": 0}, ValueError),
    ],
)
def test_options_are_checked(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Sharded("rooms", Room, **options)  # type: ignore[arg-type]


def test_what_is_sharded_is_a_genserver() -> None:
    with pytest.raises(TypeError, match="a class of plain GenServers"):
        Sharded("rooms", int)  # type: ignore[arg-type]


async def test_what_waits_for_the_end_of_a_server_is_bounded(autojump_clock: MockClock) -> None:
    class Slow(Room):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(3)

    slow = Sharded("slow", Slow, idle=2, max_waiting=3)
    async with running(slow):
        cast(slow["a"], ("add", 0))
        await trio.sleep(2.5)  # it ends, as nothing came
        for item in range(1, 6):
            cast(slow["a"], ("add", item))
        with pytest.raises(Exit, match="busy"):
            await call(slow["a"], "items")
        await trio.sleep(3)
        assert await call(slow["a"], "items") == [1, 2, 3]
