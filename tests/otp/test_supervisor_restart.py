"""Which children start again, and in which order: S20 to S35."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor.otp import IGNORE, RESTARTING, ChildSpec, Ok, Started, Supervise, Supervisor, cast, child_spec
from phxactor.runtime import (
    KILL,
    NORMAL,
    SHUTDOWN,
    Exit,
    Pid,
    Reason,
    Shutdown,
    open_runtime,
    receive,
    self_pid,
    spawn,
    spawn_link,
    whereis,
)
from phxactor.testing import settle

from .supervision import REFUSED, Log, crash, pids, supervised, worker


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, Shutdown("done")])
async def test_S20_S21_after_a_benign_end_only_a_permanent_child_runs_again(reason: Reason, log: Log) -> None:
    children = [worker(log, restart, restart=restart) for restart in ("permanent", "transient", "temporary")]
    async with supervised(*children) as supervisor:
        await crash(log, "permanent", "transient", "temporary", reason=reason)
        assert await pids(supervisor) == {"permanent": log.pids["permanent"], "transient": None}
        assert log.starts == {"permanent": 2, "transient": 1, "temporary": 1}


@pytest.mark.parametrize("reason", ["boom", "killed", "noproc", ValueError("bug")])
async def test_S22_after_an_abnormal_end_a_temporary_child_is_removed_and_the_others_run_again(
    reason: Reason, log: Log
) -> None:
    children = [worker(log, restart, restart=restart) for restart in ("permanent", "transient", "temporary")]
    async with supervised(*children) as supervisor:
        for id_ in ("permanent", "transient", "temporary"):
            cast(log.pids[id_], reason if isinstance(reason, ValueError) else Exit(reason))
        await settle()
        running = await pids(supervisor)
        assert running == {"permanent": log.pids["permanent"], "transient": log.pids["transient"]}
        assert log.starts == {"permanent": 2, "transient": 2, "temporary": 1}


async def test_S22_a_killed_child_runs_again(log: Log) -> None:
    async with supervised(worker(log, "a", restart="transient")) as supervisor:
        log.pids["a"].exit(KILL)
        await settle()
        assert (await pids(supervisor))["a"] is log.pids["a"]
        assert log.starts["a"] == 2


async def test_S25_one_for_one_restarts_only_the_child_that_failed(log: Log) -> None:
    async with supervised(*(worker(log, id_) for id_ in "abc")):
        log.take()
        await crash(log, "b")
        assert log.take() == [("stop", "b", "boom"), ("end", "b"), ("start", "b")]


async def test_S26_one_for_all_restarts_all(log: Log) -> None:
    async with supervised(*(worker(log, id_) for id_ in "abc"), strategy="one_for_all"):
        log.take()
        await crash(log, "b")
        assert log.take("start", "end") == [
            *(("end", id_) for id_ in "bca"),
            *(("start", id_) for id_ in "abc"),
        ]


async def test_S27_rest_for_one_restarts_the_failed_child_and_those_after_it(log: Log) -> None:
    async with supervised(*(worker(log, id_) for id_ in "abcd"), strategy="rest_for_one"):
        log.take()
        await crash(log, "b")
        assert log.take("start", "end") == [
            *(("end", id_) for id_ in "bdc"),
            *(("start", id_) for id_ in "bcd"),
        ]


async def test_S28_children_of_the_group_that_were_down_are_started_with_it(log: Log) -> None:
    children = [
        worker(log, "finished", restart="transient"),
        worker(log, "terminated"),
        worker(log, "ignored", plan=[IGNORE, "ok"]),
        worker(log, "a"),
    ]
    async with supervised(*children, strategy="one_for_all") as supervisor:
        await crash(log, "finished", reason=NORMAL)
        await Supervisor.terminate_child(supervisor, "terminated")
        log.take()
        await crash(log, "a")
        assert log.ids("start") == ["finished", "terminated", "ignored", "a"]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_S29_a_temporary_sibling_is_shut_down_and_removed(strategy: str, log: Log) -> None:
    children = [worker(log, "a"), worker(log, "t", restart="temporary"), worker(log, "b")]
    async with supervised(*children, strategy=strategy) as supervisor:
        log.take()
        await crash(log, "a")
        assert log.take("start", "end") == [*(("end", id_) for id_ in "abt"), ("start", "a"), ("start", "b")]
        assert list(await pids(supervisor)) == ["b", "a"]


async def test_S30_the_end_of_a_child_that_does_not_start_again_leaves_its_siblings_alone(log: Log) -> None:
    children = [worker(log, "a"), worker(log, "t", restart="temporary"), worker(log, "x", restart="transient")]
    async with supervised(*children, strategy="one_for_all") as supervisor:
        log.take()
        await crash(log, "t")
        await crash(log, "x", reason=NORMAL)
        assert log.take("start", "end") == [("end", "t"), ("end", "x")]
        assert await pids(supervisor) == {"a": log.pids["a"], "x": None}


@pytest.mark.parametrize(("strategy", "restarts"), [("one_for_all", 1), ("rest_for_one", 1), ("one_for_one", 2)])
async def test_S31_two_children_that_crash_at_once_are_one_restart_of_a_group(
    strategy: str, restarts: int, log: Log, autojump_clock: MockClock
) -> None:
    children = [worker(log, "a"), worker(log, "b"), worker(log, "slow", trap=True, terminating=1.0)]
    async with supervised(*children, strategy=strategy) as supervisor:
        spawn(Supervisor.terminate_child, supervisor, "slow")
        await settle()
        await crash(log, "a")  # both exits wait until the supervisor has shut the slow one down
        await crash(log, "b")
        assert (await Supervisor.count_children(supervisor)).active >= 2
        assert Supervisor.statistics(supervisor).restarts == restarts
        assert log.starts["a"] == log.starts["b"] == 2


async def test_S32_between_two_attempts_the_supervisor_takes_what_waits_in_its_mailbox(log: Log) -> None:
    class Tree(Supervisor):
        async def init(self) -> Supervise:
            return Supervise([ChildSpec(id="a", start=(start, (), {}))])

        async def handle_info(self, message: object) -> None:
            log.entries.append((message, Supervisor.statistics(self_pid()).children[0].pid))

    def start() -> Started:
        """Start the first and the last time, each time with a message to the supervisor."""
        log.starts["a"] += 1
        log.entries.append(("start", log.starts["a"]))
        self_pid().send("news")
        return REFUSED if log.starts["a"] in (2, 3) else Ok(spawn_link(receive))

    async with open_runtime():
        tree = (await Tree.start_link()).unwrap()
        (child,) = await Supervisor.which_children(tree)
        log.take()
        assert isinstance(child.pid, Pid)
        child.pid.exit(KILL)
        await settle()
        (child,) = await Supervisor.which_children(tree)
        assert log.take() == [
            ("start", 2),
            ("news", RESTARTING),
            ("start", 3),
            ("news", RESTARTING),
            ("start", 4),
            ("news", child.pid),
        ]
        assert Supervisor.statistics(tree).restarts == 3


async def test_S32_an_attempt_that_raises_is_tried_again(log: Log) -> None:
    async with supervised(worker(log, "a", plan=["ok", ValueError("bug"), Exit("gone"), "ok"])) as supervisor:
        await crash(log, "a")
        assert (await pids(supervisor))["a"] is log.pids["a"]
        assert log.starts["a"] == 4


async def test_S33_a_retry_of_one_for_all_shuts_the_whole_group_down_again(log: Log) -> None:
    children = [worker(log, "a"), worker(log, "b", plan=["ok", REFUSED, "ok"]), worker(log, "c")]
    async with supervised(*children, strategy="one_for_all"):
        log.take()
        await crash(log, "a")
        assert log.take("start", "end", "fail") == [
            *(("end", id_) for id_ in "acb"),
            ("start", "a"),
            ("fail", "b"),
            ("end", "a"),
            *(("start", id_) for id_ in "abc"),
        ]


async def test_S33_a_retry_of_rest_for_one_begins_at_the_child_that_failed_to_start(log: Log) -> None:
    children = [worker(log, "a"), worker(log, "b", plan=["ok", REFUSED, "ok"]), worker(log, "c")]
    async with supervised(*children, strategy="rest_for_one"):
        log.take()
        await crash(log, "a")
        assert log.take("start", "end", "fail") == [
            *(("end", id_) for id_ in "acb"),
            ("start", "a"),
            ("fail", "b"),
            *(("start", id_) for id_ in "bc"),
        ]


async def test_S34_a_child_that_ignores_its_restart_is_kept_and_down(log: Log) -> None:
    async with supervised(worker(log, "a", plan=["ok", IGNORE])) as supervisor:
        await crash(log, "a")
        assert await pids(supervisor) == {"a": None}


async def test_S35_a_restart_calls_the_same_start_function_with_the_same_arguments(log: Log) -> None:
    inner = child_spec((Supervisor, [worker(log, "a")]))
    async with supervised(child_spec(inner, start=(Supervisor.start_link, inner.start[1], {"name": "inner"}))):
        before = whereis("inner")
        assert before is not None
        before.exit(KILL)
        await settle()
        after = whereis("inner")
        assert after is not None
        assert after is not before
        assert log.starts["a"] == 2
