"""How children are shut down, and what signals do to a supervisor: S50 to S70."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import ChildSpec, Ok, Supervisor, call, cast, stop
from phxactor.otp.supervisor_events import shutdown_error
from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    Pid,
    Reason,
    Shutdown,
    link,
    receive,
    self_pid,
    spawn,
    unlink,
)
from phxactor.telemetry import Event
from phxactor.testing import settle

from .supervision import Log, crash, supervised, worker


@pytest.fixture
def errors() -> Iterator[list[Reason]]:
    """The reasons of all `shutdown_error`s."""
    reasons: list[Reason] = []

    def handler(_: Event, fields: Mapping[str, object]) -> None:
        reasons.append(fields["reason"])

    shutdown_error.attach(handler)
    yield reasons
    shutdown_error.detach(handler)


async def test_S50_children_are_shut_down_one_by_one_last_started_first(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(*(worker(log, id_, trap=True, terminating=1.0) for id_ in "abc")) as supervisor:
        log.take()
        await stop(supervisor)
        assert log.take() == [entry for id_ in "cba" for entry in (("stop", id_, SHUTDOWN), ("end", id_))]
        assert trio.current_time() == pytest.approx(3.0)


async def test_S51_a_child_that_takes_too_long_is_killed(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a", trap=True, terminating=10.0, shutdown=2.0)) as supervisor:
        await stop(supervisor)
        assert trio.current_time() == pytest.approx(2.0)
        assert log.pids["a"].exit_reason == KILLED


async def test_S51_a_worker_has_five_seconds(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a", trap=True, terminating=10.0)) as supervisor:
        await stop(supervisor)
        assert trio.current_time() == pytest.approx(5.0)


async def test_S52_infinity_never_kills(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a", trap=True, terminating=9999.0, shutdown=math.inf)) as supervisor:
        await stop(supervisor)
        assert trio.current_time() == pytest.approx(9999.0)
        assert log.pids["a"].exit_reason == SHUTDOWN


async def test_S53_brutal_kill_calls_no_terminate(log: Log) -> None:
    async with supervised(worker(log, "a", trap=True, shutdown="brutal_kill")) as supervisor:
        await stop(supervisor)
        assert log.take() == [("start", "a"), ("end", "a")]
        assert log.pids["a"].exit_reason == KILLED


async def test_S54_shutdown_0_is_a_signal_and_an_immediate_kill(log: Log, autojump_clock: MockClock) -> None:
    children = [worker(log, "a", trap=True, terminating=1.0, shutdown=0), worker(log, "b", shutdown=0)]
    async with supervised(*children) as supervisor:
        await stop(supervisor)
        assert trio.current_time() == 0
        assert log.pids["a"].exit_reason == KILLED
        assert log.pids["b"].exit_reason == SHUTDOWN


async def test_S55_a_child_that_does_not_trap_ends_at_once_without_terminate(log: Log) -> None:
    async with supervised(worker(log, "a", terminating=1.0)) as supervisor:
        await stop(supervisor)
        assert log.take() == [("start", "a"), ("end", "a")]
        assert log.pids["a"].exit_reason == SHUTDOWN


async def test_S56_unexpected_reasons_are_reported_and_the_shutdown_goes_on(
    log: Log, errors: list[Reason], autojump_clock: MockClock
) -> None:
    children = [
        worker(log, "a"),
        worker(log, "good", restart="transient"),
        worker(log, "bad", restart="transient"),
        worker(log, "permanent"),
        worker(log, "slow", trap=True, terminating=1.0),
    ]
    async with supervised(*children) as supervisor:
        supervisor.exit(SHUTDOWN)
        await trio.sleep(0.5)  # the supervisor waits for the slow one, and sees the ends of these on its way
        for id_, reason in (("good", Shutdown("x")), ("bad", "boom"), ("permanent", NORMAL)):
            await crash(log, id_, reason=reason)
        assert await receive() == Exited(supervisor, SHUTDOWN)
        assert errors == [NORMAL, "boom"]
        assert log.pids["a"].exit_reason == SHUTDOWN


async def test_S57_a_child_that_had_to_be_killed_is_reported_and_does_not_change_the_supervisors_reason(
    log: Log, errors: list[Reason], autojump_clock: MockClock
) -> None:
    async with supervised(worker(log, "a", trap=True, terminating=10.0)) as supervisor:
        supervisor.exit("enough")
        assert await receive() == Exited(supervisor, "enough")
        assert errors == [KILLED]


async def test_S58_a_child_that_has_unlinked_itself_is_shut_down_too() -> None:
    async def body(parent: Pid) -> None:
        unlink(parent)
        await receive()

    def start_child() -> Ok[Pid]:
        return Ok(self_pid().runtime.spawn(body, self_pid(), link=True))

    async with supervised(ChildSpec(id="a", start=(start_child, (), {}))) as supervisor:
        (child,) = await Supervisor.which_children(supervisor)
        await settle()
        await stop(supervisor)
        assert isinstance(child.pid, Pid)
        assert child.pid.exit_reason == SHUTDOWN


async def test_S59_the_exit_of_a_child_that_was_shut_down_is_never_taken_for_a_crash(log: Log) -> None:
    async with supervised(worker(log, "a", trap=True)) as supervisor:
        await Supervisor.terminate_child(supervisor, "a")
        await settle()
        assert supervisor.statistics().length == 0
        assert log.starts["a"] == 1
        assert not supervisor.links or log.pids["a"] not in supervisor.links


async def test_S60_a_sibling_that_ends_while_another_is_shut_down_is_noticed_in_its_turn(
    log: Log, errors: list[Reason], autojump_clock: MockClock
) -> None:
    children = [worker(log, "a"), worker(log, "slow", trap=True, terminating=1.0)]
    async with supervised(*children) as supervisor:
        supervisor.exit(SHUTDOWN)
        await trio.sleep(0.5)
        await crash(log, "a")
        assert await receive() == Exited(supervisor, SHUTDOWN)
        assert log.starts["a"] == 1
        assert errors == ["boom"]


# ----------------------------------------------------------------------------------- signals to the supervisor


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, "boom"])
async def test_S65_the_exit_of_the_parent_shuts_down_in_order(reason: Reason, log: Log) -> None:
    async with supervised(worker(log, "a"), worker(log, "b")) as supervisor:
        supervisor.exit(reason)
        assert await receive() == Exited(supervisor, reason)
        assert log.ids("end") == ["b", "a"]


async def test_S66_an_exit_signal_from_anybody_else_is_ignored(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:

        async def stranger() -> None:
            supervisor.exit(SHUTDOWN)
            supervisor.exit("boom")

        spawn(stranger)
        await settle()
        assert supervisor.alive


async def test_S67_a_linked_stranger_that_crashes_is_ignored(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:

        async def stranger() -> None:
            link(supervisor)
            raise Exit("boom")

        spawn(stranger)
        await settle()
        assert supervisor.alive
        assert log.starts["a"] == 1


async def test_S68_a_killed_supervisor_takes_its_children_along_without_order(log: Log) -> None:
    async with supervised(worker(log, "plain"), worker(log, "trapping", trap=True)) as supervisor:
        supervisor.exit(KILL)
        assert await receive() == Exited(supervisor, KILLED)
        await settle()
        assert ("stop", "trapping", KILLED) in log.entries
        assert log.pids["plain"].exit_reason == log.pids["trapping"].exit_reason == KILLED


async def test_S69_stop_shuts_the_children_down_and_exits_with_the_reason_given(log: Log) -> None:
    async with supervised(worker(log, "a", trap=True)) as supervisor:
        await stop(supervisor, "enough")
        assert await receive() == Exited(supervisor, "enough")
        assert ("stop", "a", SHUTDOWN) in log.entries


async def test_S70_an_unexpected_message_is_ignored(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        supervisor.send("hello")
        await settle()
        assert supervisor.alive


async def test_S70_an_unknown_cast_crashes_a_supervisor(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        cast(supervisor, "hello")
        await settle()
        assert isinstance(supervisor.exit_reason, Crash)
        assert log.pids["a"].exit_reason == SHUTDOWN


async def test_S70_an_unknown_call_crashes_a_supervisor(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        with pytest.raises(Exit):
            await call(supervisor, "hello")
        assert isinstance(supervisor.exit_reason, Crash)
