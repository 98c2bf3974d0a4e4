"""Time-outs by which others are judged: on time when nothing waits, after a pause only once all has been read."""

from __future__ import annotations

import math

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, memory_stream_pair

from phxactor.runtime import events, open_runtime, self_pid, spawn
from phxactor.runtime._patience import AT_ONCE, CATCH_UP, LATE, MOST, quiet
from tests.patience import PATIENCE
from tests.runtime.actors import emitted

PAUSE = 4.0


async def test_they_fire_on_time_when_nothing_waits(autojump_clock: MockClock) -> None:
    fired: list[tuple[str, float]] = []

    def fire(name: str) -> None:
        fired.append((name, trio.current_time()))

    async with open_runtime() as runtime:
        patience = runtime.patience
        patience.add(3, fire, "late")
        patience.add(1, fire, "early")
        patience.discard(patience.add(2, fire, "never"))
        assert runtime.statistics().timers == len(runtime.pending_timers()) == 2
        await trio.sleep(10)
        patience.add(1, fire, "again")
        await trio.sleep(10)
        assert runtime.statistics().timers == 0
    assert fired == [("early", 1), ("late", 3), ("again", 11)]


@pytest.mark.parametrize("attempt", range(6))  # the order of tasks in one pass is random
async def test_after_a_pause_what_waits_is_read_first(attempt: int, autojump_clock: MockClock) -> None:
    """A client has sent in time; that takes five passes to read, and the time-out is over in the first of them."""
    heard = 0

    async def read(stream: trio.abc.ReceiveStream) -> None:
        nonlocal heard
        while await stream.receive_some(1):
            heard += 1

    async with open_runtime() as runtime, trio.open_nursery() as nursery:
        client, server = memory_stream_pair()
        nursery.start_soon(read, server)
        await trio.sleep(1)
        seen: list[int] = []
        runtime.patience.add(3, lambda _: seen.append(heard), None)
        server.receive_stream.put_data(b"alive")
        autojump_clock.jump(PAUSE)
        await trio.sleep(PAUSE)
        assert seen == [5]
        await client.send_eof()


@pytest.mark.parametrize(("late", "judged"), [(0, 3), (LATE / 2, 3 + LATE / 2), (1, 5), (60, 63 + MOST)])
async def test_after_a_pause_there_is_as_much_time_again_as_was_lost(
    late: float, judged: float, autojump_clock: MockClock
) -> None:
    async with open_runtime() as runtime:
        fired: list[float] = []
        began = trio.current_time()
        runtime.patience.add(3, lambda _: fired.append(trio.current_time() - began), None)
        await trio.lowlevel.checkpoint()
        autojump_clock.jump(3 + late)
        await trio.sleep(200)
    assert fired == [pytest.approx(judged)]


async def test_the_time_that_is_given_in_addition_makes_nobody_else_late(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        fired: list[float] = []
        for seconds in (3, 8, 20):
            runtime.patience.add(seconds, lambda _: fired.append(trio.current_time()), None)
        await trio.lowlevel.checkpoint()
        autojump_clock.jump(7)
        await trio.sleep(50)
    assert fired == [8, 11, 20]


async def test_one_that_is_cancelled_meanwhile_does_not_fire(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        patience = runtime.patience
        fired: list[int] = []
        timers = [patience.add(3, fired.append, number) for number in range(3)]
        await trio.lowlevel.checkpoint()
        autojump_clock.jump(PAUSE)
        await trio.sleep(0.5)
        for timer in timers[:2]:
            patience.discard(timer)
        await trio.sleep(10)
        assert fired == [2]
        assert runtime.statistics().timers == 0


async def test_a_program_that_is_never_done_judges_nevertheless() -> None:
    clock = MockClock()

    async def work() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async def program() -> None:
        async with open_runtime() as runtime, trio.open_nursery() as nursery:
            nursery.start_soon(work)
            fired: list[None] = []
            runtime.patience.add(3, fired.append, None)
            for seconds in (3, CATCH_UP - 0.1):
                clock.jump(seconds)
                for _ in range(20):
                    await trio.lowlevel.checkpoint()
                assert not fired
            clock.jump(0.1)
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            assert fired
            nursery.cancel_scope.cancel()

    with trio.fail_after(PATIENCE):
        await trio.to_thread.run_sync(lambda: trio.run(program, clock=clock))


async def test_many_that_are_due_at_once_fire_in_turns(autojump_clock: MockClock) -> None:
    passes = 0

    async def count() -> None:
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    async with open_runtime() as runtime, trio.open_nursery() as nursery:
        fired: list[int] = []
        for _ in range(10 * AT_ONCE):
            runtime.patience.add(3, lambda _: fired.append(passes), None)
        await trio.sleep(2.9)
        nursery.start_soon(count)
        autojump_clock.jump(0.1)
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        autojump_clock.jump(CATCH_UP)
        while len(fired) < 10 * AT_ONCE:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert max(fired.count(number) for number in fired) <= 2 * AT_ONCE  # who counts may run before or after


@pytest.mark.parametrize("seconds", [3, math.inf])
async def test_a_block_that_ends_in_time(seconds: float, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        with runtime.patience.move_on_after(seconds) as scope:
            await trio.sleep(2)
        assert not scope.cancelled_caught
        with pytest.raises(ValueError, match="wrong"), runtime.patience.move_on_after(seconds):  # noqa: PT012
            await trio.sleep(2)
            raise ValueError("wrong")
        assert runtime.statistics().timers == 0


async def test_a_block_that_takes_too_long(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        with runtime.patience.move_on_after(3) as scope:
            await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == 3


async def test_one_that_raises_is_told_of_and_the_others_go_on(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        fired: list[int] = []
        runtime.patience.add(1, int, "no number")
        runtime.patience.add(1, fired.append, 1)
        with emitted(events.timer_failed) as told:
            await trio.sleep(2)
        assert [type(fields["exception"]) for fields in told] == [ValueError]
        assert fired == [1]


async def test_it_runs_as_nobody(autojump_clock: MockClock) -> None:
    """A process that is the first to need it is not the one that it runs as, for it may end."""
    async with open_runtime() as runtime:
        seen: list[object] = []

        async def first() -> None:
            self_pid().runtime.patience.add(1, lambda _: seen.append(whoever()), None)

        def whoever() -> object:
            try:
                return self_pid()
            except RuntimeError:
                return None

        spawn(first)
        await trio.sleep(2)
        assert seen == [None]
        assert runtime.statistics().processes == 1


async def test_who_waits_for_quiet_waits_for_all_others_but_not_for_one_another() -> None:
    steps = 0

    async def work() -> None:
        nonlocal steps
        for _ in range(50):
            await trio.lowlevel.checkpoint()
            steps += 1

    async def wait() -> None:
        await quiet()
        assert steps == 50

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        nursery.start_soon(wait)
        nursery.start_soon(wait)
