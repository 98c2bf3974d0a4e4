"""What cannot be played says so, and what to do instead: peers outside of the loop, and programs that change."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from itertools import count

import pytest
import trio
from trio.lowlevel import checkpoint

from phxactor.otp import GenServer, Reply, call
from phxactor.runtime import monitor, receive, spawn
from phxactor.testing.explore import ChangedError, explore
from phxactor.testing.schedule import DeadlockError, OutsideError, Schedule
from tests.testing.test_schedule import is_down, race

pytest_plugins = ["pytester"]

for name in ("_report", "explore", "strategies"):
    import_module(f"phxactor.testing.{name}")  # else each run in this process would have its own
ADVICE = "A schedule plays one loop, and nothing outside of it"


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A peer that takes connections, and says nothing."""
    with socket.socket() as peer:
        peer.bind(("127.0.0.1", 0))
        peer.listen()
        yield peer


@pytest.mark.parametrize("play", [Schedule().run, explore])
def test_a_peer_behind_a_socket(play: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
    async def main() -> None:
        async with await trio.open_tcp_stream(*peer.getsockname()) as stream:
            await stream.receive_some(1)

    with listening() as peer, pytest.raises(OutsideError, match="waits for a socket or a pipe") as caught:
        play(main)
    assert ADVICE in str(caught.value)
    assert re.search(
        r"#PID<2 main> waits for a socket.*, at test_honest_errors.py:\d+: await stream", str(caught.value)
    )


def test_a_program_of_its_own() -> None:
    async def main() -> None:
        process = await trio.lowlevel.open_process([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            await process.wait()
        finally:
            process.kill()
            assert process.stdin is not None
            with trio.CancelScope(shield=True):
                await process.stdin.aclose()
                await process.wait()

    with pytest.raises(OutsideError, match="waits for a socket or a pipe"):
        Schedule().run(main)


def test_a_thread_of_its_own() -> None:
    over = threading.Event()
    worker = threading.Thread(target=over.wait, name="worker")

    async def main() -> None:
        worker.start()
        await receive()

    with pytest.raises(OutsideError, match="the program waits for the thread worker") as caught:
        Schedule().run(main)
    over.set()
    worker.join()
    assert "use `trio.to_thread.run_sync`" in str(caught.value)


def test_without_any_of_them_it_is_a_deadlock() -> None:
    async def main() -> None:
        await trio.to_thread.run_sync(str)
        await receive()

    with pytest.raises(DeadlockError, match="#PID<2 main> waits for a message"):
        Schedule().run(main)


class Rows(GenServer):
    """A table in a database that is asked in threads, as is usual: reading and writing are two calls."""

    async def init(self) -> None:
        self.row = 0

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply(await trio.to_thread.run_sync(self.query, request))

    def query(self, request: object) -> int:
        """Run in a thread."""
        if isinstance(request, int):
            self.row = request
        return self.row


def test_a_lost_update_of_a_database_in_threads_is_found() -> None:
    async def main() -> None:
        rows = (await Rows.start_link()).unwrap()

        async def add() -> None:
            for _ in range(len(late)):
                await checkpoint()
            late.append(1)
            await call(rows, 1 + await call(rows, "read"))

        late: list[int] = []
        for watch in [monitor(spawn(add)) for _ in range(2)]:
            await receive(partial(is_down, watch))
        assert await call(rows, "read") == 2

    with pytest.raises(AssertionError, match="1 == 2") as caught:
        explore(main, preemptions=1)
    order = caught.value.__notes__[0].partition(", of ")[0]
    with pytest.raises(AssertionError, match="1 == 2"):
        eval(order).run(main)  # noqa: S307


# -------------------------------------------------------------------------------------------- not the same twice


def changing() -> Callable[[], Awaitable[None]]:
    """Return a program that has one process more each time."""
    numbers = count(2)

    async def main() -> None:
        await race(next(numbers))

    return main


def test_explore_says_where_two_plays_part() -> None:
    with pytest.raises(ChangedError, match=r"twice: choice 0 had \d possibilities, and in another play \d") as caught:
        explore(changing(), preemptions=1)
    assert "Does it use random numbers, the wall clock" in str(caught.value)
    with pytest.raises(ChangedError, match=r"twice: at choice 0 there were main.1.*, and now there are main.1"):
        explore(changing())


@pytest.mark.parametrize(
    ("order", "where"),
    [
        ({0: 7}, r"choice 0 was to be 7, and had the possibilities 0 to \d only"),
        ({99: 1}, r"there was no choice 99, which was to be 1: there were \d+ choices, from 0 on"),
    ],
)
def test_an_order_that_the_program_does_not_have(order: dict[int, int], where: str) -> None:
    with pytest.raises(ChangedError, match=where) as caught:
        Schedule(order).run(race)
    assert str(caught.value).startswith(f"Schedule({order}) is no order of this program")


def test_a_failure_in_another_order_than_the_one_that_was_asked_for_says_so() -> None:
    async def main() -> None:
        raise ValueError("always")

    with pytest.raises(ValueError, match="always") as caught:
        Schedule({4: 1}).run(main)
    assert "(this is not the order that was asked for: there was no choice 4" in caught.value.__notes__[1]


def test_hypothesis_s_words_are_replaced(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
from functools import partial
from itertools import count
from hypothesis import given, settings
from phxactor.testing.strategies import schedule
from tests.testing.test_schedule import is_down, race

numbers = count(2)

@given(schedule())
@settings(deadline=None, database=None, derandomize=True)
def test_it(order):
    order.run(race)
    if next(numbers) == 9:
        raise ValueError("once")
"""
    )
    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *ChangedError: the program is not the same when the same order is played again (ValueError: once). *"]
    )
    result.stdout.no_fnmatch_line("*datatree.py*")
