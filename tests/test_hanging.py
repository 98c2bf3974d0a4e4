"""What hangs fails with its stacks, wherever it waits, and the next test runs as if nothing had been."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.abc import Instrument

from tests.hanging import Hung, Watch, processor_seconds, watched

AT_ONCE = partial(Watch, look=600, idle=0, ending=0.05)
"""The first signal finds that the test hangs, and the test sends it to itself."""
CHILD = """
import time
while time.process_time() < 0.2:
    pass
print(flush=True)
input()
"""


def failure_of(hang: Callable[[], object], watch: Watch | None = None) -> str:
    """Return how what hangs fails."""
    with pytest.raises(pytest.fail.Exception) as raised, watched(watch or AT_ONCE()):
        hang()
    return str(raised.value)


def look() -> None:
    signal.raise_signal(signal.SIGALRM)


class LookWhenAllWait(Instrument):
    def before_io_wait(self, timeout: float) -> None:
        if timeout > 1:
            look()


def failure_in_trio(hang: Callable[[], Awaitable[None]]) -> str:
    """Return how what hangs in trio fails; see that the next run of trio starts."""
    told = failure_of(lambda: trio.run(hang, instruments=[LookWhenAllWait()]))
    trio.run(trio.sleep, 0)
    return told


async def waits() -> None:
    await trio.sleep_forever()


async def many_wait() -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(waits)


def test_the_stacks_of_all_tasks_are_shown_those_at_one_place_together() -> None:
    told = failure_in_trio(many_wait)
    assert told.startswith("nothing has used the processor for ")
    assert "waits and 45 more:\n" in told
    assert told.count("await trio.sleep_forever()") == 1
    assert "many_wait:\n" in told
    assert "thread MainThread:\n" in told


def test_a_test_that_has_been_cancelled_may_clean_up() -> None:
    seen = []

    async def cleans() -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append("cleaned")

    failure_in_trio(cleans)
    assert seen == ["cleaned"]


def test_what_is_shielded_ends_too() -> None:
    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    assert "shielded:\n" in failure_in_trio(shielded)


def test_a_thread_that_waits_is_shown_and_what_waits_for_it_ends() -> None:
    stop = threading.Event()

    def waits_in_a_thread() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        stop.wait()

    def hang() -> None:
        thread.start()
        thread.join()

    thread = threading.Thread(target=waits_in_a_thread, name="waits")
    told = failure_of(hang)
    stop.set()
    thread.join()
    assert "thread waits:\n" in told
    assert "in waits_in_a_thread" in told


def test_a_task_that_blocks_the_others_ends() -> None:
    async def blocks() -> None:
        look()

    assert "in blocks" in failure_in_trio(blocks)


def test_no_except_holds_it() -> None:
    def stubborn() -> None:
        try:
            look()
        except Exception:  # noqa: BLE001 - it is what programs do
            pytest.fail("held")

    assert "in stubborn" in failure_of(stubborn)


def test_what_nothing_else_ends_ends_the_program() -> None:
    ended = []

    def end(found: str) -> None:
        ended.append(found)
        raise KeyboardInterrupt

    def stubborn() -> None:
        for _ in range(2):
            with pytest.raises(Hung):
                look()
        look()

    told = failure_of(stubborn, AT_ONCE(end_program=end))
    assert ended == [told]


def test_what_works_for_too_long_hangs_too() -> None:
    def works() -> None:
        for _ in range(3):
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
            look()

    with watched(Watch(look=600, idle=600)) as _:
        works()
    assert failure_of(works, Watch(look=600, idle=600, whole=0.1)).startswith("it is not over after ")


def test_what_a_program_uses_that_a_test_has_started_counts() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        before = processor_seconds()
        child.stdout.readline()
        assert processor_seconds() - before > 0.1
        child.stdin.write(b"\n")


def test_a_test_that_does_not_hang_is_left_alone_and_an_error_stays_what_it_was() -> None:
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with watched(Watch(look=600)):
        look()
    with pytest.raises(ZeroDivisionError), watched(Watch()):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGALRM) == handler
    assert signal.getitimer(signal.ITIMER_REAL)[1] == timer[1] > 0
