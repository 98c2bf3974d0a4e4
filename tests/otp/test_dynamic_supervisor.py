"""Children of a DynamicSupervisor: D1 to D10, D13 to D15, D17."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import (
    IGNORE,
    RESTARTING,
    ChildCount,
    ChildInfo,
    ChildSpec,
    DynamicSupervisor,
    Error,
    Ignore,
    Ok,
    SuperviseDynamically,
    Supervisor,
    child_spec,
)
from phxactor.runtime import (
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    From,
    Pid,
    Reason,
    Shutdown,
    open_runtime,
    receive,
    self_pid,
    spawn,
    spawn_link,
    trap_exit,
)
from phxactor.testing import settle

from .supervision import REFUSED, Log, Worker, crash, pool, start_worker, worker

start_child = DynamicSupervisor.start_child
which_children = DynamicSupervisor.which_children
count_children = DynamicSupervisor.count_children
terminate_child = DynamicSupervisor.terminate_child


async def test_D1_it_starts_without_children_and_restarts_each_for_itself(log: Log) -> None:
    async with pool() as supervisor:
        assert await which_children(supervisor) == []
        await start_child(supervisor, worker(log, "a"))
        await start_child(supervisor, worker(log, "b"))
        await crash(log, "a")
        assert log.starts == {"a": 2, "b": 1}
        assert DynamicSupervisor.statistics(supervisor).strategy == "one_for_one"


@pytest.mark.parametrize("flags", [{"max_children": -1}, {"max_restarts": -1}, {"max_seconds": 0}])
async def test_D1_bad_flags_raise_in_the_caller(flags: dict[str, Any]) -> None:
    async with open_runtime():
        with pytest.raises(ValueError, match=next(iter(flags))):
            await DynamicSupervisor.start_link(**flags)


async def test_D1_a_class_of_its_own_says_in_init_what_the_rules_are(log: Log) -> None:
    class Rooms(DynamicSupervisor):
        async def init(self, limit: int) -> SuperviseDynamically | Ignore:
            return SuperviseDynamically(max_children=limit) if limit else IGNORE

    async with open_runtime():
        trap_exit()
        rooms = (await Rooms.start_link(1, name="rooms")).unwrap()
        await start_child("rooms", worker(log, "a"))
        assert await start_child(rooms, worker(log, "b")) == Error("max_children")
        assert await Rooms.start_link(0) is IGNORE
        assert child_spec((Rooms, 1)) == ChildSpec(id="Rooms", start=(Rooms.start_link, (1,), {}), type="supervisor")


async def test_D2_the_same_specification_can_run_many_times(log: Log) -> None:
    async with pool() as supervisor:
        spec = worker(log, "a")
        started = [(await start_child(supervisor, spec)).unwrap() for _ in range(3)]
        assert [child.pid for child in await which_children(supervisor)] == started


async def test_D2_what_is_no_child_raises_in_the_caller() -> None:
    async with pool() as supervisor:
        with pytest.raises(TypeError, match="is no child"):
            await start_child(supervisor, 42)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="is no child"):
            DynamicSupervisor.request_child(supervisor, 42, From(self_pid()))  # type: ignore[arg-type]
        assert supervisor.alive


async def test_D3_answers_are_bare(log: Log) -> None:
    async with pool() as supervisor:
        assert await start_child(supervisor, worker(log, "a")) == Ok(log.pids["a"])
        assert await start_child(supervisor, worker(log, "b", plan=["info"])) == Ok(log.pids["b"], info="extra")
        assert await start_child(supervisor, worker(log, "c", plan=[IGNORE])) is IGNORE
        assert await start_child(supervisor, worker(log, "d", plan=[REFUSED])) == Error("refused")


async def test_D4_nothing_is_kept_of_a_child_that_does_not_start(log: Log) -> None:
    failure = ValueError("no")
    async with pool() as supervisor:
        raised = await start_child(supervisor, worker(log, "a", plan=[failure]))
        match raised:
            case Error(Crash(exception=exception)):
                assert exception is failure
            case _:
                pytest.fail(f"{raised}")
        assert await start_child(supervisor, worker(log, "b", plan=[Exit("gone")])) == Error("gone")
        assert await start_child(supervisor, worker(log, "c", plan=[42])) == Error(42)
        assert await which_children(supervisor) == []


@pytest.mark.parametrize(
    ("restart", "reason"),
    [("transient", NORMAL), ("transient", Shutdown("x")), ("temporary", NORMAL), ("temporary", "boom")],
)
async def test_D5_nothing_is_kept_of_a_child_that_does_not_start_again(restart: str, reason: Reason, log: Log) -> None:
    async with pool() as supervisor:
        await start_child(supervisor, worker(log, "a", restart=restart))
        await crash(log, "a", reason=reason)
        assert await which_children(supervisor) == []
        assert log.starts["a"] == 1


async def test_D5_arguments_of_a_temporary_child_are_not_kept_alive(log: Log) -> None:
    class Payload:
        pass

    async def body() -> None:
        await receive()

    async def start(_: Payload) -> Ok[Pid]:
        return Ok(spawn_link(body))

    async with pool() as supervisor:
        payload = Payload()
        gone = weakref.ref(payload)
        spec = ChildSpec(id="a", start=(start, (payload,), {}), restart="temporary", shutdown=1.5)
        pid = (await start_child(supervisor, spec)).unwrap()
        del payload, spec
        await count_children(supervisor)  # a server holds its last message until the next one
        gc.collect()
        assert gone() is None
        kept = (await DynamicSupervisor.get_childspec(supervisor, pid)).unwrap()
        assert (kept.id, kept.restart, kept.shutdown, kept.start) == ("a", "temporary", 1.5, (start, (), {}))


async def test_D6_max_children_counts_those_that_are_restarting(log: Log, autojump_clock: MockClock) -> None:
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await start_child(supervisor, worker(log, "b")))

    async with pool(max_children=1) as supervisor:
        await start_child(supervisor, worker(log, "a", plan=["ok", "slow", "ok"]))
        assert await start_child(supervisor, worker(log, "b")) == Error("max_children")
        await crash(log, "a")
        spawn(ask)
        await trio.sleep(2)
        assert answers == [Error("max_children")]
        await terminate_child(supervisor, log.pids["a"])
        assert await start_child(supervisor, worker(log, "b")) == Ok(log.pids["b"])


async def test_D7_extra_arguments_come_first_also_on_restarts(log: Log) -> None:
    spec = ChildSpec(id="a", start=(start_worker, ("a", ["ok"]), {"trap": False, "terminating": 0}))
    async with pool(extra_arguments=[log]) as supervisor:
        await start_child(supervisor, spec)
        await crash(log, "a")
        assert log.starts["a"] == 2


async def test_D8_terminate_child_is_by_pid(log: Log) -> None:
    async with pool() as supervisor:
        pid = (await start_child(supervisor, worker(log, "a", trap=True))).unwrap()
        assert await terminate_child(supervisor, pid) == Ok()
        assert ("stop", "a", SHUTDOWN) in log.entries
        assert await terminate_child(supervisor, pid) == Error("not_found")
        assert await terminate_child(supervisor, self_pid()) == Error("not_found")
        assert await terminate_child(supervisor, "a") == Error("not_found")  # type: ignore[arg-type]
        assert supervisor.statistics().length == 0


async def test_D9_a_restart_has_a_new_pid_in_the_place_of_the_old_one(log: Log) -> None:
    async with pool() as supervisor:
        old = (await start_child(supervisor, worker(log, "a"))).unwrap()
        await crash(log, "a")
        assert [child.pid for child in await which_children(supervisor)] == [log.pids["a"]]
        assert await terminate_child(supervisor, old) == Error("not_found")


async def test_D9_a_failing_restart_stays_under_its_old_pid_and_every_attempt_counts(
    log: Log, autojump_clock: MockClock
) -> None:
    seen: list[object] = []

    async def look() -> None:
        seen.extend(await which_children(supervisor))
        seen.append(await count_children(supervisor))

    async with pool(max_restarts=2) as supervisor:
        spec = worker(log, "a", plan=["ok", "slow", REFUSED])
        await start_child(supervisor, spec)
        await crash(log, "a")
        spawn(look)  # its requests wait until the first attempt has failed
        await trio.sleep(0.5)
        spawn(count_children, supervisor)
        await trio.sleep(1)
        assert seen[0] == ChildInfo(id=None, pid=RESTARTING, type="worker", modules=spec.callback_modules())
        assert not supervisor.alive
        assert log.starts["a"] == 3


async def test_D9_a_child_that_is_restarting_can_be_terminated_by_its_old_pid(
    log: Log, autojump_clock: MockClock
) -> None:
    async with pool() as supervisor:
        old = (await start_child(supervisor, worker(log, "a", plan=["ok", "slow", "ok"]))).unwrap()
        await crash(log, "a")
        assert await terminate_child(supervisor, old) == Ok()
        assert await count_children(supervisor) == ChildCount(specs=0, active=0, supervisors=0, workers=0)
        await settle()
        assert log.starts["a"] == 2


async def test_D10_a_restart_that_ignores_removes_the_child(log: Log) -> None:
    async with pool() as supervisor:
        await start_child(supervisor, worker(log, "a", plan=["ok", IGNORE]))
        await crash(log, "a")
        assert await which_children(supervisor) == []


async def test_D13_which_children_has_no_ids(log: Log) -> None:
    async with pool() as supervisor:
        spec = worker(log, "a", modules=(Worker,))
        pid = (await start_child(supervisor, spec)).unwrap()
        assert await which_children(supervisor) == [ChildInfo(id=None, pid=pid, type="worker", modules=(Worker,))]


async def test_D14_count_children_does_not_ask_who_is_alive(log: Log) -> None:
    async with pool() as supervisor:
        await start_child(supervisor, worker(log, "gone", plan=["unlinked"]))
        await start_child(supervisor, (Supervisor, []))
        await crash(log, "gone")
        assert await count_children(supervisor) == ChildCount(specs=2, active=2, supervisors=1, workers=1)


async def test_D15_the_caller_is_not_linked_to_the_child(log: Log) -> None:
    async with pool() as supervisor:
        child = (await start_child(supervisor, worker(log, "a"))).unwrap()
        assert child.parent is supervisor
        assert set(child.links or ()) == {supervisor}


async def test_D17_significant_children_are_rejected(log: Log) -> None:
    async with pool() as supervisor:
        refused = await start_child(supervisor, worker(log, "a", restart="transient", significant=True))
        assert refused == Error(("invalid_significant", True))
        assert log.starts["a"] == 0
