"""Admin calls and the picture of a supervisor: S75 to S85."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import (
    IGNORE,
    RESTARTING,
    ChildCount,
    ChildInfo,
    DynamicSupervisor,
    Error,
    Ok,
    Supervisor,
    child_spec,
    system,
)
from phxactor.runtime import NORMAL, Exit, Pid, open_runtime, self_pid, spawn
from phxactor.testing import settle

from .supervision import REFUSED, Log, Worker, crash, pids, start_worker, supervised, worker


async def test_S75_which_children_lists_the_last_started_first(log: Log) -> None:
    inner = child_spec((Supervisor, [worker(log, "deep")]))
    async with supervised(worker(log, "a", modules=(Worker,)), inner) as supervisor:
        b = (await Supervisor.start_child(supervisor, worker(log, "b"))).unwrap()
        await Supervisor.terminate_child(supervisor, "a")
        first, second, third = await Supervisor.which_children(supervisor)
        assert first == ChildInfo(id="b", pid=b, type="worker", modules=(start_worker,))
        assert (second.id, second.type, second.modules) == ("Supervisor", "supervisor", (Supervisor,))
        assert third == ChildInfo(id="a", pid=None, type="worker", modules=(Worker,))


async def test_S76_count_children_asks_who_is_alive(log: Log) -> None:
    children = [
        worker(log, "a"),
        worker(log, "gone", plan=["unlinked"]),
        worker(log, "finished", restart="transient"),
        child_spec((Supervisor, [])),
    ]
    async with supervised(*children) as supervisor:
        await crash(log, "gone", "finished", reason=NORMAL)
        counted = await Supervisor.count_children(supervisor)
        assert counted == ChildCount(specs=4, active=2, supervisors=1, workers=3)


async def test_S77_a_started_child_is_the_last_in_start_order(log: Log) -> None:
    async with supervised(worker(log, "a"), strategy="one_for_all") as supervisor:
        assert await Supervisor.start_child(supervisor, worker(log, "b")) == Ok(log.pids["b"])
        await crash(log, "a")
        assert log.ids("start") == ["a", "b", "a", "b"]


async def test_S77_start_child_gives_the_info_of_the_start_function(log: Log) -> None:
    async with supervised() as supervisor:
        started = await Supervisor.start_child(supervisor, worker(log, "a", plan=["info"]))
        assert started == Ok(log.pids["a"], info="extra")


async def test_S78_an_id_can_be_there_once(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        running = log.pids["a"]
        assert await Supervisor.start_child(supervisor, worker(log, "a")) == Error(("already_started", running))
        await Supervisor.terminate_child(supervisor, "a")
        assert await Supervisor.start_child(supervisor, worker(log, "a")) == Error("already_present")


async def test_S79_a_child_that_does_not_start_is_discarded(log: Log) -> None:
    async with supervised() as supervisor:
        spec = worker(log, "a", plan=[REFUSED])
        assert await Supervisor.start_child(supervisor, spec) == Error(("refused", spec))
        assert await Supervisor.which_children(supervisor) == []


async def test_S79_a_restart_by_hand_that_fails_gives_the_bare_reason(log: Log) -> None:
    async with supervised(worker(log, "a", plan=["ok", REFUSED])) as supervisor:
        await Supervisor.terminate_child(supervisor, "a")
        assert await Supervisor.restart_child(supervisor, "a") == REFUSED
        assert await pids(supervisor) == {"a": None}


async def test_S80_a_child_that_ignores_is_kept_unless_it_is_temporary(log: Log) -> None:
    async with supervised() as supervisor:
        assert await Supervisor.start_child(supervisor, worker(log, "a", plan=[IGNORE])) == Ok(None)
        temporary = worker(log, "b", plan=[IGNORE], restart="temporary")
        assert await Supervisor.start_child(supervisor, temporary) == Ok(None)
        assert await pids(supervisor) == {"a": None}
        assert await Supervisor.restart_child(supervisor, "a") == Ok(None)


async def test_S81_terminate_child_keeps_the_specification_unless_temporary(log: Log) -> None:
    async with supervised(worker(log, "a"), worker(log, "t", restart="temporary")) as supervisor:
        assert await Supervisor.terminate_child(supervisor, "a") == Ok()
        assert await Supervisor.terminate_child(supervisor, "a") == Ok()
        assert await Supervisor.terminate_child(supervisor, "t") == Ok()
        assert await Supervisor.terminate_child(supervisor, "t") == Error("not_found")
        assert await pids(supervisor) == {"a": None}


Request = Callable[[Pid, str], Awaitable[object]]


@pytest.mark.parametrize(
    ("request_", "answer", "starts"),
    [
        (Supervisor.terminate_child, Ok(), 2),  # S81: this stops the attempts
        (Supervisor.restart_child, Error("restarting"), 3),  # S82
        (Supervisor.delete_child, Error("restarting"), 3),  # S83
    ],
)
async def test_S81_S82_S83_calls_about_a_child_that_is_restarting(
    request_: Request, answer: object, starts: int, log: Log, autojump_clock: MockClock
) -> None:
    async with supervised(worker(log, "a", plan=["ok", "slow", "ok"])) as supervisor:
        await crash(log, "a")
        asked: dict[str, object] = {}

        async def ask(name: str, request: Awaitable[object]) -> None:
            asked[name] = await request

        requests = {
            "start": Supervisor.start_child(supervisor, worker(log, "a")),
            "pids": pids(supervisor),
            "count": Supervisor.count_children(supervisor),
            "request": request_(supervisor, "a"),
        }
        for name, request in requests.items():  # each is in the mailbox before the supervisor sends itself the retry
            spawn(ask, name, request)
            await settle()
        await trio.sleep(2)
        assert asked == {
            "start": Error("already_present"),
            "pids": {"a": RESTARTING},
            "count": ChildCount(specs=1, active=0, supervisors=0, workers=1),
            "request": answer,
        }
        assert log.starts["a"] == starts


async def test_S82_restart_child_is_for_children_that_are_down(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        assert await Supervisor.restart_child(supervisor, "a") == Error("running")
        assert await Supervisor.restart_child(supervisor, "zz") == Error("not_found")
        await Supervisor.terminate_child(supervisor, "a")
        assert await Supervisor.restart_child(supervisor, "a") == Ok(log.pids["a"])
        assert log.starts["a"] == 2


async def test_S83_delete_child_is_for_children_that_are_down(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        assert await Supervisor.delete_child(supervisor, "a") == Error("running")
        assert await Supervisor.delete_child(supervisor, "zz") == Error("not_found")
        await Supervisor.terminate_child(supervisor, "a")
        assert await Supervisor.delete_child(supervisor, "a") == Ok()
        assert await Supervisor.which_children(supervisor) == []


async def test_S84_get_childspec_fills_the_defaults_in(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        spec = (await Supervisor.get_childspec(supervisor, "a")).unwrap()
        assert (spec.shutdown, spec.modules) == (5.0, (start_worker,))
        assert await Supervisor.get_childspec(supervisor, log.pids["a"]) == Ok(spec)
        assert await Supervisor.get_childspec(supervisor, "zz") == Error("not_found")


async def test_S85_admin_calls_wait_for_a_busy_supervisor_unless_told_otherwise(
    log: Log, autojump_clock: MockClock
) -> None:
    async with supervised(worker(log, "a", trap=True, terminating=100.0, shutdown=1000)) as supervisor:
        spawn(Supervisor.terminate_child, supervisor, "a")
        await settle()
        with pytest.raises(Exit) as caught:
            await Supervisor.which_children(supervisor, timeout=1.0)
        assert isinstance(caught.value.reason, tuple)
        assert caught.value.reason[0] == "timeout"
        assert await pids(supervisor) == {"a": None}
        assert trio.current_time() == pytest.approx(100.0)


async def test_statistics_are_read_without_a_message_even_from_a_busy_supervisor(
    log: Log, autojump_clock: MockClock
) -> None:
    children = [worker(log, "a"), worker(log, "slow", trap=True, terminating=1.0)]
    async with supervised(*children, strategy="rest_for_one", max_restarts=7, max_seconds=9) as supervisor:
        await crash(log, "a")
        await trio.sleep(2)
        supervisor.exit("enough")
        await settle()
        statistics = Supervisor.statistics(supervisor)
        assert (statistics.strategy, statistics.max_restarts, statistics.max_seconds) == ("rest_for_one", 7, 9)
        assert statistics.restarts == 1
        assert [(child.id, child.restarts) for child in statistics.children] == [("a", 1), ("slow", 1)]


async def test_statistics_of_what_is_no_supervisor_exit_with_noproc(log: Log) -> None:
    async with open_runtime():
        for wrong in (self_pid(), "nobody"):
            with pytest.raises(Exit) as caught:
                DynamicSupervisor.statistics(wrong)
            assert isinstance(caught.value.reason, tuple)
            assert caught.value.reason[0] == "noproc"


async def test_Y9_the_state_of_a_supervisor_is_its_statistics_and_cannot_be_replaced(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        assert await system.get_state(supervisor) == Supervisor.statistics(supervisor)
        with pytest.raises(system.RequestError):
            await system.replace_state(supervisor, lambda state: state)
        assert supervisor.alive


async def test_Y9_a_suspended_supervisor_restarts_nothing(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        await system.suspend(supervisor)
        await crash(log, "a")
        assert log.starts["a"] == 1
        await system.resume(supervisor)
        await settle()
        assert log.starts["a"] == 2


async def test_Y6_answers_of_a_supervisor_are_told_to_who_watches_it(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        await system.log(supervisor)
        counted = await Supervisor.count_children(supervisor)
        assert any(counted in vars_of(event) for event in await system.get_log(supervisor))


def vars_of(event: object) -> tuple[object, ...]:
    """List the fields of a debug event."""
    return attrs.astuple(event, recurse=False)  # type: ignore[arg-type]
