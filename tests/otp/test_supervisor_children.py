"""The start of a supervisor and its children: S10 to S16."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import IGNORE, ChildSpec, DynamicSupervisor, Error, GenServer, Ok, StartError, Supervisor, child_spec
from phxactor.runtime import Crash, Exit, Shutdown, open_runtime, receive, self_pid, spawn, spawn_monitor, trap_exit
from phxactor.testing import settle

from .supervision import REFUSED, Log, crash, pids, supervised, worker


async def test_S10_children_start_one_after_the_other_in_order(autojump_clock: MockClock) -> None:
    order = []

    class Slow(GenServer):
        async def init(self, id_: str, seconds: float) -> None:
            order.append(f"{id_} begins")
            await trio.sleep(seconds)
            order.append(f"{id_} has started")

    async with open_runtime():
        await Supervisor.start_link([child_spec((Slow, id_, 1.0), id=id_) for id_ in "ab"])
        assert order == ["a begins", "a has started", "b begins", "b has started"]


async def test_S11_what_a_start_function_may_return(log: Log) -> None:
    children = [worker(log, "ok"), worker(log, "info", plan=["info"]), worker(log, "ignore", plan=[IGNORE])]
    async with supervised(*children) as supervisor:
        running = await pids(supervisor)
        assert running == {"ok": log.pids["ok"], "info": log.pids["info"], "ignore": None}


@pytest.mark.parametrize(
    ("step", "reason"),
    [(REFUSED, "refused"), (Exit("gone"), "gone"), (Exit("normal"), "normal"), (42, 42), (None, None), (Ok(7), Ok(7))],
)
async def test_S11_anything_else_is_an_error(step: object, reason: object, log: Log) -> None:
    async with open_runtime():
        trap_exit()
        error = await Supervisor.start_link([worker(log, "a", plan=[step])])
        assert error == Error(Shutdown(("failed_to_start_child", "a", reason)))


async def test_S11_a_start_function_that_raises_is_an_error_with_its_exception(log: Log) -> None:
    failure = ValueError("no")
    async with open_runtime():
        trap_exit()
        started = await Supervisor.start_link([worker(log, "a", plan=[failure])])
        match started:
            case Error(Shutdown(("failed_to_start_child", "a", Crash(exception=exception)))):
                assert exception is failure
            case _:
                pytest.fail(f"{started}")


async def test_S11_a_start_function_may_answer_at_once() -> None:
    async def body() -> None:
        await receive()

    def start() -> Ok[Any]:
        return Ok(self_pid().runtime.spawn(body, link=True))

    async with supervised(ChildSpec(id="a", start=(start, (), {}))) as supervisor:
        assert (await Supervisor.count_children(supervisor)).active == 1


async def test_S12_if_a_child_fails_the_others_are_shut_down_and_start_link_fails(log: Log) -> None:
    children = [worker(log, "a"), worker(log, "b"), worker(log, "c", plan=[REFUSED]), worker(log, "d")]
    async with open_runtime() as runtime:
        trap_exit()
        reason = Shutdown(("failed_to_start_child", "c", "refused"))
        assert await Supervisor.start_link(children, name="tree") == Error(reason)
        assert log.take() == [("start", "a"), ("start", "b"), ("fail", "c"), ("end", "b"), ("end", "a")]
        assert runtime.statistics().processes == 1
        assert runtime.names.whereis("tree") is None


async def test_S13_a_caller_that_does_not_trap_dies_with_a_supervisor_that_does_not_start(log: Log) -> None:
    async def body() -> None:
        await Supervisor.start_link([worker(log, "a", plan=[REFUSED])])

    async with open_runtime():
        pid, _ = spawn_monitor(body)
        await receive()
        assert pid.exit_reason == Shutdown(("failed_to_start_child", "a", "refused"))


async def test_S14_a_child_that_ignores_is_kept_for_later_unless_it_is_temporary(log: Log) -> None:
    children = [
        worker(log, "a", plan=[IGNORE, "ok"]),
        worker(log, "b", plan=[IGNORE], restart="temporary"),
        worker(log, "c"),
    ]
    async with supervised(*children) as supervisor:
        assert await pids(supervisor) == {"a": None, "c": log.pids["c"]}
        restarted = await Supervisor.restart_child(supervisor, "a")
        assert restarted == Ok(log.pids["a"])


async def test_S15_an_unlinked_child_is_accepted_and_its_death_never_noticed(log: Log) -> None:
    async with supervised(worker(log, "a", plan=["unlinked"])) as supervisor:
        await crash(log, "a")
        assert await pids(supervisor) == {"a": log.pids["a"]}
        assert (await Supervisor.count_children(supervisor)).active == 0
        assert log.starts["a"] == 1
        assert await Supervisor.terminate_child(supervisor, "a") == Ok()


async def test_S16_a_child_that_asks_its_own_supervisor_in_init_gets_no_answer(autojump_clock: MockClock) -> None:
    answers: list[object] = []

    class Curious(GenServer):
        async def init(self) -> None:
            try:
                await Supervisor.which_children("tree", timeout=1.0)
            except Exit as error:
                answers.append(error.reason)

    async with open_runtime():
        await Supervisor.start_link([Curious], name="tree")
        assert [reason[0] for reason in answers if isinstance(reason, tuple)] == ["timeout"]


async def test_G12_a_second_supervisor_of_the_same_name_is_not_started(log: Log) -> None:
    async with supervised(worker(log, "a"), name="tree") as first:
        assert await Supervisor.start_link([worker(log, "b")], name="tree") == Error(("already_started", first))
        assert log.starts["b"] == 0


async def test_supervisors_are_children_of_supervisors(log: Log) -> None:
    inner = (Supervisor, [worker(log, "a")])
    async with supervised(child_spec(inner), child_spec(DynamicSupervisor)) as supervisor:
        running = await pids(supervisor)
        assert list(running) == ["DynamicSupervisor", "Supervisor"]
        assert (await Supervisor.count_children(supervisor)).supervisors == 2


async def test_a_supervisor_killed_while_a_child_starts_takes_that_child_along(
    autojump_clock: MockClock,
) -> None:
    born: list[Any] = []

    class Endless(GenServer):
        async def init(self) -> None:
            born.append(self_pid())
            await receive()

    async def body() -> None:
        await Supervisor.start_link([Endless], name="tree")

    async with open_runtime() as runtime:
        starter = spawn(body)
        await settle()
        tree = runtime.names.whereis("tree")
        assert tree is not None
        tree.exit("kill")
        assert await runtime.ended(starter) == "killed"
        assert await runtime.ended(born[0]) == "killed"


def test_unwrap_of_a_failed_start_names_the_child() -> None:
    with pytest.raises(StartError, match="failed_to_start_child"):
        Error(Shutdown(("failed_to_start_child", "c", "refused"))).unwrap()
