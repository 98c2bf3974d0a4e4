"""Significant children and automatic shutdown: S90 to S94."""

from __future__ import annotations

from typing import Any

import pytest

from phxactor.otp import Error, Supervisor
from phxactor.runtime import NORMAL, SHUTDOWN, Exited, Reason, Shutdown, receive
from phxactor.testing import settle

from .supervision import Log, crash, supervised, worker


@pytest.mark.parametrize(
    ("auto_shutdown", "restart", "clash"),
    [
        ("never", "transient", ("auto_shutdown", "never")),
        ("any_significant", "permanent", ("restart", "permanent")),
        ("all_significant", "permanent", ("restart", "permanent")),
    ],
)
async def test_S90_significance_that_could_never_matter_is_refused(
    auto_shutdown: Any,  # noqa: ANN401
    restart: str,
    clash: object,
    log: Log,
) -> None:
    async with supervised(auto_shutdown=auto_shutdown) as supervisor:
        refused = await Supervisor.start_child(supervisor, worker(log, "a", restart=restart, significant=True))
        assert refused == Error(("bad_combination", (clash, ("significant", True))))
        assert log.starts["a"] == 0


@pytest.mark.parametrize(
    ("restart", "reason"),
    [("transient", NORMAL), ("transient", Shutdown("x")), ("temporary", NORMAL), ("temporary", "boom")],
)
async def test_S91_any_significant_child_that_ends_for_good_ends_the_supervisor(
    restart: str, reason: Reason, log: Log
) -> None:
    children = [
        worker(log, "a"),
        worker(log, "s", restart=restart, significant=True),
        worker(log, "t", restart=restart, significant=True),
    ]
    async with supervised(*children, auto_shutdown="any_significant") as supervisor:
        await crash(log, "s", reason=reason)
        assert await receive() == Exited(supervisor, SHUTDOWN)
        assert log.ids("end") == ["s", "t", "a"]


async def test_S91_other_children_end_nothing(log: Log) -> None:
    async with supervised(worker(log, "a", restart="temporary"), auto_shutdown="any_significant") as supervisor:
        await crash(log, "a")
        assert supervisor.alive


async def test_S92_all_significant_waits_for_the_last_one(log: Log) -> None:
    children = [
        worker(log, "a"),
        worker(log, "s", restart="transient", significant=True),
        worker(log, "t", restart="temporary", significant=True),
    ]
    async with supervised(*children, auto_shutdown="all_significant") as supervisor:
        await crash(log, "s", reason=NORMAL)
        assert supervisor.alive
        await crash(log, "t")
        assert await receive() == Exited(supervisor, SHUTDOWN)


async def test_S93_a_significant_transient_that_crashes_is_started_again(log: Log) -> None:
    children = [worker(log, "s", restart="transient", significant=True)]
    async with supervised(*children, auto_shutdown="any_significant") as supervisor:
        await crash(log, "s")
        assert supervisor.alive
        assert log.starts["s"] == 2


async def test_S94_a_significant_child_that_is_terminated_ends_nothing(log: Log) -> None:
    children = [worker(log, "s", restart="transient", significant=True)]
    async with supervised(*children, auto_shutdown="any_significant") as supervisor:
        await Supervisor.terminate_child(supervisor, "s")
        await settle()
        assert supervisor.alive


async def test_S94_a_significant_child_that_ends_with_its_siblings_restart_ends_nothing(log: Log) -> None:
    children = [worker(log, "a"), worker(log, "s", restart="temporary", significant=True)]
    async with supervised(*children, strategy="one_for_all", auto_shutdown="any_significant") as supervisor:
        await crash(log, "a")
        assert supervisor.alive
        assert log.starts == {"a": 2, "s": 1}
