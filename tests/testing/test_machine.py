"""State machines whose rules are processes' code."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition, run_state_machine_as_test

from phxactor.otp import GenServer, Reply, call, cast
from phxactor.runtime import Exit, From, Pid, link, receive, self_pid, spawn
from phxactor.testing import settle
from phxactor.testing.machine import ProcessMachine, initialize, invariant, rule
from phxactor.testing.schedule import DeadlockError, ExitedError

Error = TypeVar("Error", bound=BaseException)
FEW = settings(
    max_examples=30,
    stateful_step_count=6,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],  # to explain takes longer than to find
)


class Shelf(GenServer):
    """Keeps books; says how many there are."""

    forgets_after: ClassVar[int | None] = None

    async def init(self) -> None:
        self.books: list[str] = []

    async def handle_cast(self, request: object) -> None:
        if len(self.books) != self.forgets_after:
            self.books.append(str(request))

    async def handle_call(self, request: object, from_: From) -> Reply:
        return Reply(len(self.books))


class Forgetful(Shelf):
    forgets_after = 1


class Shelves(ProcessMachine):
    shelf: type[Shelf] = Shelf
    servers = Bundle[Pid]("servers")

    async def start(self) -> None:
        self.counts: dict[Pid, int] = {}
        self.began = trio.current_time()

    @initialize(target=servers)
    async def begin_with_one(self) -> Pid:
        pid: Pid = await self.open_one()
        return pid

    @rule(target=servers)
    async def open_one(self) -> Pid:
        pid = (await self.shelf.start_link()).unwrap()
        self.counts[pid] = 0
        return pid

    @rule(server=servers, title=st.text(max_size=3))
    async def put(self, server: Pid, title: str) -> None:
        cast(server, title)
        await settle()
        self.counts[server] += 1

    @rule()
    async def wait(self) -> None:
        await trio.sleep(3600)
        self.began += 3600

    @precondition(lambda self: self.counts)
    @rule()
    def a_rule_need_not_be_asynchronous(self) -> None:
        assert self_pid() is self.runtime.main

    @invariant()
    async def no_book_is_lost(self) -> None:
        for server, count in self.counts.items():
            assert await call(server, "how many") == count

    @invariant()
    def time_passes_only_where_somebody_waits(self) -> None:
        assert trio.current_time() == self.began


TestShelves = Shelves.TestCase
TestShelves.settings = FEW


class ForgetfulShelves(Shelves):
    shelf = Forgetful


def failure_of(machine: type[ProcessMachine], error: type[Error]) -> Error:
    with pytest.raises(error) as caught:
        run_state_machine_as_test(machine, settings=FEW)
    return caught.value


def test_a_bug_is_found_and_shrunk_and_shown_with_its_trace() -> None:
    failure = failure_of(ForgetfulShelves, AssertionError)
    trace, *program_lines = failure.__notes__
    program = "\n".join(program_lines)
    assert program.count("state.put(") == 2
    assert program.count("state.open_one(") == 0
    assert trace.startswith("Schedule(), of ")
    assert "#PID<3 Forgetful.init>: Cast('')" in trace


class Waiting(ProcessMachine):
    @rule()
    async def wait_in_vain(self) -> None:
        await receive()


def test_a_rule_that_waits_for_ever_fails() -> None:
    assert "every task waits" in str(failure_of(Waiting, DeadlockError))


class Leaving(ProcessMachine):
    @rule()
    async def leave(self) -> None:
        raise Exit("done")


class Linked(ProcessMachine):
    @rule()
    async def die_with_another(self) -> None:
        async def crash() -> None:
            raise ValueError("boom")

        link(spawn(crash))
        await trio.sleep(1)


class Told(ProcessMachine):
    @rule()
    async def be_told(self) -> None:
        self_pid().exit("shutdown")


@pytest.mark.parametrize(("machine", "says"), [(Leaving, ":done"), (Linked, "(ValueError) boom")])
def test_an_exit_is_a_failure_like_any_other(machine: type[ProcessMachine], says: str) -> None:
    failure = failure_of(machine, ExitedError)
    assert str(failure) == says
    assert failure.__notes__[0].startswith("Schedule(")


def test_a_first_process_that_has_been_told_to_end_is_a_failure() -> None:
    failure_of(Told, AssertionError)


class Racing(ProcessMachine):
    """Two that run at once, and may do so in any order."""

    @rule()
    async def race(self) -> None:
        arrived: list[int] = []

        async def run(number: int) -> None:
            await trio.lowlevel.checkpoint()
            arrived.append(number)

        spawn(run, 1)
        spawn(run, 2)
        await settle()
        assert arrived == [1, 2]


def test_the_order_of_steps_is_hypothesis_s() -> None:
    trace = failure_of(Racing, AssertionError).__notes__[0]
    assert "must wait for the others)" in trace
    assert trace.count("must wait for the others)") == 1


class Ending(ProcessMachine):
    seen: ClassVar[list[str]] = []

    async def start(self) -> None:
        self.seen.append("start")

    async def stop(self) -> None:
        self.seen.append("stop")

    @rule()
    async def nothing(self) -> None:
        self.seen.append("rule")


def test_a_play_begins_with_start_and_ends_with_stop() -> None:
    run_state_machine_as_test(Ending, settings=settings(FEW, max_examples=1, stateful_step_count=2))
    assert Ending.seen == ["start", "rule", "stop"]


class Untidy(ProcessMachine):
    async def stop(self) -> None:
        assert not self.runtime.others()

    @rule()
    async def leave_one_behind(self) -> None:
        spawn(trio.sleep_forever)


def test_what_stop_finds_is_a_failure_too() -> None:
    failure = failure_of(Untidy, AssertionError)
    assert "".join(failure.__notes__[1:]).count("leave_one_behind") == 1
