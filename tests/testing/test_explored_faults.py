"""Failures as choices: kills, late `Down`s and lines that break, in schedules and in `explore`."""

from __future__ import annotations

import pytest
import trio

from phxactor.otp import GenServer, Reply, Supervisor, call
from phxactor.runtime import Down, From, monitor, receive, self_pid, spawn
from phxactor.testing._faults_line import FaultyLine
from phxactor.testing.explore import Faults, explore
from phxactor.testing.schedule import ExitedError, Schedule


class Store(GenServer):
    """Counts its calls, and forgets them when it restarts."""

    async def init(self) -> None:
        self.count = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        self.count += 1
        return Reply(self.count)


async def counts_to_two() -> None:
    """Relies on a server's memory."""
    (await Supervisor.start_link([Store.child_spec(name="store")])).unwrap()
    assert (await call("store", "next"), await call("store", "next")) == (1, 2)


async def hears_in_order() -> None:
    """Relies on a `Down` that comes before the next process's message."""
    main = self_pid()

    async def worker() -> None:
        main.send("done")

    for _ in range(2):
        monitor(spawn(worker))
    await receive()
    assert isinstance(await receive(), Down)


async def reads_a_line() -> bytes:
    """Relies on a line that stands."""
    line = FaultyLine()
    await line.client.send_all(b"hello")
    return bytes(await line.server.receive_some())


@pytest.mark.parametrize("bound", [None, 2], ids=["reduced", "bounded"])
def test_a_kill_is_found_between_two_calls(bound: int | None) -> None:
    assert explore(counts_to_two, timeouts=0, preemptions=bound).plays > 0
    with pytest.raises((AssertionError, ExitedError)) as caught:
        explore(counts_to_two, timeouts=0, preemptions=bound, faults=Faults(kills=1))
    assert " is killed)" in caught.value.__notes__[0]
    order = eval(caught.value.__notes__[0].partition(", of ")[0])  # noqa: S307 - what it shows is to be pasted
    with pytest.raises(type(caught.value)):
        order.run(counts_to_two)


def test_numbers_explore_faults_too() -> None:
    failed = 0
    for number in range(60):
        try:
            Schedule(number, faults=Faults(kills=1)).run(counts_to_two)
        except (AssertionError, ExitedError):
            failed += 1
    assert failed > 0
    Schedule(0, faults=Faults(kills=1)).run(counts_to_two)


def test_the_processes_that_may_be_killed_are_chosen() -> None:
    def nobody(_: object) -> bool:
        return False

    assert explore(counts_to_two, timeouts=0, faults=Faults(kills=1, who=nobody)).plays == 2
    assert repr(Faults(kills=2)) == "Faults(kills=2)"


def test_a_down_that_comes_late_is_found() -> None:
    assert explore(hears_in_order, preemptions=0).plays == 1
    with pytest.raises(AssertionError) as caught:
        explore(hears_in_order, preemptions=1, faults=Faults(late_downs=1))
    assert "is down, and this is told late)" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="without a bound"):
        explore(hears_in_order, faults=Faults(late_downs=1))


def test_a_line_that_breaks_is_found() -> None:
    assert explore(reads_a_line, preemptions=1).plays > 0
    with pytest.raises(trio.BrokenResourceError) as caught:
        explore(reads_a_line, preemptions=1, faults=Faults(drops=1))
    assert "(a line breaks)" in caught.value.__notes__[0]
