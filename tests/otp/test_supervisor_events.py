"""What supervisors tell (L7), and at which level it is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest
from trio.testing import MockClock

from phxactor.otp import DynamicSupervisor, Supervisor, stop
from phxactor.otp import supervisor_events as events
from phxactor.runtime import KILLED, NORMAL, Pid
from phxactor.telemetry import Event

from .supervision import REFUSED, Log, crash, supervised, worker

ALL = [
    events.child_started,
    events.child_terminated,
    events.start_error,
    events.restarted,
    events.gave_up,
    events.shutdown_error,
]

Told = list[tuple[str, Mapping[str, object]]]


@pytest.fixture
def told() -> Iterator[Told]:
    """All events of supervisors, by the last part of the name."""
    entries: Told = []

    def handler(event: Event, fields: Mapping[str, object]) -> None:
        entries.append((event.name.rpartition(".")[2], fields))

    for event in ALL:
        event.attach(handler)
    yield entries
    for event in ALL:
        event.detach(handler)


def names(told: Told) -> list[str]:
    return [name for name, _ in told]


async def test_L7_progress_tells_the_supervisor_the_specification_and_the_pid(log: Log, told: Told) -> None:
    spec = worker(log, "a")
    async with supervised(spec) as supervisor:
        assert told == [("child_started", {"supervisor": supervisor, "spec": spec, "pid": log.pids["a"]})]


async def test_L7_a_crash_is_told_with_its_reason_and_the_restart_with_its_count(log: Log, told: Told) -> None:
    spec = worker(log, "a")
    async with supervised(spec) as supervisor:
        first = log.pids["a"]
        await crash(log, "a")
        await crash(log, "a")
        assert names(told) == ["child_started"] + ["child_terminated", "child_started", "restarted"] * 2
        end = {"supervisor": supervisor, "spec": spec, "pid": first, "reason": "boom", "told": True}
        assert told[1][1] == end
        restart = {"supervisor": supervisor, "spec": spec, "pid": log.pids["a"], "restarts": 2}
        assert told[-1] == ("restarted", restart)


async def test_L7_a_benign_end_is_told_for_permanent_children_only(log: Log, told: Told) -> None:
    async with supervised(worker(log, "t", restart="transient"), worker(log, "p")):
        told.clear()
        await crash(log, "t", reason=NORMAL)
        assert told == []
        await crash(log, "p", reason=NORMAL)
        assert names(told) == ["child_terminated", "child_started", "restarted"]


async def test_L7_a_failed_start_and_giving_up(log: Log, told: Told) -> None:
    spec = worker(log, "a", plan=["ok", REFUSED])
    async with supervised(spec, max_restarts=2) as supervisor:
        told.clear()
        await crash(log, "a")
        assert names(told) == ["child_terminated", "start_error", "start_error", "gave_up"]
        assert told[1][1] == {
            "supervisor": supervisor, "spec": spec, "reason": "refused", "told": False, "exception": None
        }  # fmt: skip
        assert told[-1][1] == {"supervisor": supervisor, "spec": spec}


async def test_L7_a_child_that_had_to_be_killed(log: Log, told: Told, autojump_clock: MockClock) -> None:
    spec = worker(log, "a", trap=True, terminating=10)
    async with supervised(spec) as supervisor:
        told.clear()
        await stop(supervisor)
        error = {"supervisor": supervisor, "spec": spec, "pid": log.pids["a"], "reason": KILLED}
        assert told == [("shutdown_error", error)]


async def test_L7_a_dynamic_supervisor_tells_the_same(log: Log, told: Told, autojump_clock: MockClock) -> None:
    async with supervised(DynamicSupervisor) as supervisor:  # type: ignore[arg-type]
        (pool,) = (child.pid for child in await Supervisor.which_children(supervisor))
        assert isinstance(pool, Pid)
        told.clear()
        child = worker(log, "a", plan=["ok", REFUSED, "ok"], trap=True, terminating=10)
        await DynamicSupervisor.start_child(pool, child)
        log.pids["a"].exit("kill")
        await crash(log)
        await stop(supervisor)
        assert names(told) == [
            "child_started",
            "child_terminated",
            "start_error",
            "child_started",
            "restarted",
            "shutdown_error",
        ]


async def test_by_default_what_went_wrong_is_logged_as_an_error_and_progress_for_debugging(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "phxactor.supervisor")
    async with supervised(worker(log, "a", plan=["ok", "ok", REFUSED]), max_restarts=2):
        await crash(log, "a")
        await crash(log, "a")
    lines = [record for record in caplog.records if record.name.startswith("phxactor.supervisor")]
    assert [(record.levelname, record.name.rpartition(".")[2]) for record in lines] == [
        ("DEBUG", "child_started"),
        ("DEBUG", "child_terminated"),
        ("DEBUG", "child_started"),
        ("INFO", "restarted"),
        ("DEBUG", "child_terminated"),
        ("ERROR", "start_error"),
        ("ERROR", "gave_up"),
    ]
    assert "child 'a' of supervisor #PID<" in lines[1].message
    assert "terminated: :boom" in lines[1].message
