"""Exploring: all orders, the reduction against brute force, the failing order that is the plainest, honest reports."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from trio.lowlevel import checkpoint

from phxactor.runtime import Exit, monitor, receive, self_pid, spawn
from phxactor.testing.explore import ChangedError, Explored, explore
from phxactor.testing.schedule import DeadlockError, Schedule
from tests.testing import table_programs
from tests.testing.brute_force import forced, reduced
from tests.testing.planted import BUGS
from tests.testing.small_programs import PROGRAMS, cancelling_a_timer, two_senders

Program = Callable[[], Awaitable[object]]


# ------------------------------------------------------------------------- the dependency table (EX26 to EX29)


@pytest.mark.parametrize(
    "program", [one for one in (*PROGRAMS, *table_programs.PROGRAMS) if one is not cancelling_a_timer]
)
def test_the_reduction_sees_what_brute_force_sees(program: Program) -> None:
    few, all_of_them = reduced(program), forced(program)
    assert few.outcomes == all_of_them.outcomes
    assert few.classes == all_of_them.classes
    assert few.plays == len(few.classes) <= all_of_them.plays


def test_with_time_as_a_choice_it_sees_the_same_outcomes() -> None:
    few, all_of_them = reduced(cancelling_a_timer, 2.0), forced(cancelling_a_timer, 2.0)
    assert few.outcomes == all_of_them.outcomes == {"'tick'", "'nothing'"}
    assert few.plays < all_of_them.plays


def test_the_orders_of_messages_to_one_receiver_are_as_many_as_there_must_be() -> None:
    async def three_each() -> None:
        main = self_pid()

        async def sender() -> None:
            for number in range(3):
                main.send(number)
                await checkpoint()

        for _ in range(2):
            spawn(sender)
        for _ in range(6):
            await receive()

    result = explore(three_each, timeouts=0)
    assert result.plays == 20  # six over three
    assert result.complete
    assert str(result).startswith("all 20 orders pass: every other order only swaps steps that do not depend on one")


# -------------------------------------------------------------------------------------------------- failures


async def late_reply() -> None:
    """Gives up after a second, and takes the late answer for that of the next question."""
    main = self_pid()

    async def oracle() -> None:
        while True:
            main.send(f"answer to {await receive()}")

    pid = spawn(oracle)

    async def ask(question: str) -> str | None:
        pid.send(question)
        try:
            answer: str = await receive(timeout=1)
        except TimeoutError:
            return None
        return answer

    first, second = await ask("a"), await ask("b")
    assert first in (None, "answer to a")
    assert second in (None, "answer to b")


async def check_then_act() -> None:
    """Two processes look at a number, then set it."""
    box = [0]

    async def increment() -> None:
        seen = box[0]
        await checkpoint()
        box[0] = seen + 1

    watches = [monitor(spawn(increment)) for _ in range(2)]
    assert {down.ref for down in [await receive(), await receive()]} == set(watches)
    assert box[0] == 2


@pytest.mark.parametrize("options", [{}, {"preemptions": 2}], ids=["reduced", "bounded"])
def test_a_late_reply_is_found_with_as_few_deviations_as_will_do(options: dict[str, int]) -> None:
    with pytest.raises(AssertionError) as caught:
        explore(late_reply, preemptions=options.get("preemptions"))
    order = eval(caught.value.__notes__[0].partition(", of ")[0])  # noqa: S307 - what it shows is to be pasted
    assert isinstance(order, Schedule)
    assert "this one has the fewest deviations of those that fail" in caught.value.__notes__[-1]
    with pytest.raises(AssertionError):
        order.run(late_reply)
    assert len(order.deviations) == 1


def test_without_time_as_a_choice_the_reply_is_never_late() -> None:
    assert explore(late_reply, timeouts=0).complete


def test_shared_python_state_is_told_of_and_may_be_declared() -> None:
    assert str(explore(shared, timeouts=0)).splitlines()[-1] == ("processes share `box`: it was ignored: see `shared`")
    result = explore(shared, timeouts=0, shared="dependent")
    assert result.plays > 1
    assert result.complete


async def shared() -> None:
    box: list[str] = []

    async def write(name: str) -> None:
        box.append(name)

    for name in "ab":
        spawn(write, name)
    await checkpoint()


def test_a_lost_update_is_found_once_the_sharing_is_declared() -> None:
    with pytest.raises(AssertionError):
        explore(check_then_act, shared="dependent")
    with pytest.raises(AssertionError):
        explore(check_then_act, preemptions=1)


@pytest.mark.parametrize("name", ["three_in_a_row", "somebody_is_never_absent"])
def test_bugs_of_shared_python_state_are_found_once_it_is_declared(name: str) -> None:
    result = explore(BUGS[name].program)
    assert result.shared
    assert not result.complete
    with pytest.raises(AssertionError):
        explore(BUGS[name].program, shared="dependent")


def test_a_deadlock_is_a_failure_and_so_is_an_exit() -> None:
    async def forgotten() -> None:
        main = self_pid()

        async def one() -> None:
            main.send("a")

        spawn(one)
        await checkpoint()
        if main.statistics().length:
            await receive()
        await receive(lambda message: message == "a")

    async def ended() -> None:
        raise Exit("boom")

    with pytest.raises(DeadlockError):
        explore(forgotten)
    with pytest.raises(AssertionError, match="boom"):
        explore(ended)


def test_a_program_that_is_not_the_same_twice_is_told_of() -> None:
    async def fickle() -> None:
        for _ in range(1 + random.randrange(8)):  # noqa: S311 - the point
            spawn(checkpoint)
        await checkpoint()

    with pytest.raises(ChangedError, match="not the same twice"):
        explore(fickle, timeouts=0, preemptions=3)


# --------------------------------------------------------------------------------------------------- reports


def test_a_bound_is_named_and_is_not_complete() -> None:
    result = explore(two_senders, preemptions=1, timeouts=0)
    assert not result.complete
    assert str(result).startswith(f"all {result.plays} orders with at most 1 deviations pass")


def test_a_time_limit_says_what_was_not_tried() -> None:
    for bound in (None, 3):
        result = explore(two_senders, preemptions=bound, timeouts=0, seconds=0)
        assert result.plays == 1
        assert not result.complete
        assert "untried: " in str(result)


@pytest.mark.parametrize("bound", [None, 2], ids=["reduced", "bounded"])
def test_a_search_goes_on_where_it_was(bound: int | None, tmp_path: Path) -> None:
    file = tmp_path / "search"
    whole = explore(two_senders, preemptions=bound, timeouts=0)
    parts: list[Explored] = []
    while not parts or parts[-1].untried:
        parts.append(explore(two_senders, preemptions=bound, timeouts=0, seconds=0.01, file=file))
        assert file.exists() == bool(parts[-1].untried)
    assert parts[-1].plays == whole.plays
    explore(two_senders, preemptions=bound, timeouts=0, seconds=0, file=file)
    with pytest.raises(ValueError, match="of another exploration"):
        explore(two_senders, preemptions=None if bound else 2, timeouts=0, file=file)


def test_several_workers_find_the_same() -> None:
    assert explore(two_senders, preemptions=2, timeouts=0, workers=2).plays == (
        explore(two_senders, preemptions=2, timeouts=0).plays
    )
    with pytest.raises(AssertionError) as caught:
        explore(late_reply, preemptions=2, workers=2)
    assert caught.value.__notes__[0].startswith("Schedule({")
    with pytest.raises(ValueError, match="with a bound only"):
        explore(late_reply, workers=2)


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phxactor.testing.explore.EVERY", 0.0)
    lines: list[str] = []
    explore(two_senders, timeouts=0, progress=lines.append)
    assert lines[0].startswith("explore: 1 orders pass so far")
