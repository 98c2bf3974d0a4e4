"""Child specifications and the start of a supervisor: S1 to S16."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.otp import (
    IGNORE,
    Child,
    ChildSpec,
    DynamicSupervisor,
    Error,
    GenServer,
    Ignore,
    Ok,
    StartError,
    Supervise,
    Supervisor,
    child_spec,
)
from phxactor.runtime import (
    Crash,
    Exit,
    Shutdown,
    open_runtime,
    receive,
    self_pid,
    spawn,
    spawn_monitor,
    trap_exit,
)

from .supervision import REFUSED, Log, Worker, crash, pids, supervised, worker


def specification(**fields: Any) -> ChildSpec:  # noqa: ANN401 - some of them wrong
    return ChildSpec(**{"id": "w", "start": (Ok, (), {}), **fields})


# --------------------------------------------------------------------------------------- specifications


def test_S1_defaults_of_a_specification() -> None:
    spec = specification()
    assert (spec.restart, spec.type, spec.significant, spec.grace()) == ("permanent", "worker", False, 5.0)
    assert specification(type="supervisor").grace() == math.inf
    assert specification(shutdown="brutal_kill").grace() == 0
    assert specification().callback_modules() == (Ok,)
    assert Worker.child_spec().callback_modules() == (Worker,)


@pytest.mark.parametrize("shape", [Worker, (Worker,), Worker.child_spec()])
def test_S2_a_child_is_a_class_or_a_tuple_with_start_arguments_or_a_specification(shape: Child) -> None:
    assert child_spec(shape) == Worker.child_spec()
    assert child_spec((Worker, 1, 2)) == Worker.child_spec(1, 2)


@pytest.mark.parametrize("shape", [42, "Worker", (), ("a", 1), {"id": 1}, Log])
async def test_S2_other_shapes_raise_in_the_caller_before_there_is_a_process(shape: object) -> None:
    async with open_runtime() as runtime:
        before = runtime.statistics().processes
        with pytest.raises(TypeError, match="is no child"):
            await Supervisor.start_link([shape])
        assert runtime.statistics().processes == before


def test_S2_a_class_whose_child_spec_returns_something_else_is_named() -> None:
    class Wrong:
        @staticmethod
        def child_spec() -> str:
            return "nothing"

    with pytest.raises(TypeError, match="Wrong'> returned 'nothing'"):
        child_spec(Wrong)  # type: ignore[arg-type]


def test_S3_overrides_change_known_fields_only() -> None:
    assert child_spec(Worker, id="other", restart="transient").restart == "transient"
    with pytest.raises(TypeError, match="retsart"):
        child_spec(Worker, retsart="transient")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("restart", "sometimes"),
        ("type", "boss"),
        ("shutdown", -1),
        ("shutdown", "gently"),
        ("shutdown", math.nan),
        ("shutdown", True),
        ("start", (None, (), {})),
    ],
)
def test_S4_a_field_that_cannot_be_meant_so_raises_where_it_is_given(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field} of the child 'w' is"):
        specification(**{field: value})


async def test_S4_S90_children_that_do_not_fit_together_are_an_error_of_start_link(log: Log) -> None:
    async with open_runtime():
        trap_exit()
        twice = await Supervisor.start_link([worker(log, "a"), worker(log, "a")])
        assert twice == Error(("start_spec", ("duplicate_child_name", "a")))
        significant = await Supervisor.start_link([worker(log, "a", restart="transient", significant=True)])
        assert significant == Error(
            ("start_spec", ("bad_combination", (("auto_shutdown", "never"), ("significant", True))))
        )
        assert log.entries == []


@pytest.mark.parametrize(
    "flags",
    [
        {"strategy": "all_for_one"},
        {"strategy": None},
        {"max_restarts": -1},
        {"max_seconds": 0},
        {"auto_shutdown": "sometimes"},
    ],
)
async def test_S5_bad_flags_raise_in_the_caller(flags: dict[str, Any]) -> None:
    async with open_runtime():
        with pytest.raises(ValueError, match=f"{next(iter(flags))}"):
            await Supervisor.start_link([], **flags)


async def test_S7_a_class_of_its_own_says_in_init_what_to_supervise(log: Log) -> None:
    class Tree(Supervisor):
        async def init(self, *ids: str) -> Supervise | Ignore:
            log.entries.append(("init", self_pid().name))
            return Supervise([worker(log, id_) for id_ in ids], strategy="one_for_all") if ids else IGNORE

    async with open_runtime():
        trap_exit()
        tree = (await Tree.start_link("a", "b", name="tree")).unwrap()
        assert log.take() == [("init", "tree"), ("start", "a"), ("start", "b")]
        assert Supervisor.statistics("tree").strategy == "one_for_all"
        assert await Tree.start_link() is IGNORE
        assert child_spec((Tree, "c")) == ChildSpec(id="Tree", start=(Tree.start_link, ("c",), {}), type="supervisor")
        assert tree.initial_call.endswith("Tree.init")


async def test_S7_an_init_that_returns_something_else_is_told_as_a_bad_return() -> None:
    class Tree(Supervisor):
        async def init(self) -> Supervise:
            return [Worker]  # type: ignore[return-value]

    async with open_runtime():
        trap_exit()
        assert await Tree.start_link() == Error(("bad_return", (Tree, "init", [Worker])))


async def test_S8_defaults_of_the_flags(log: Log) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        statistics = Supervisor.statistics(supervisor)
        assert (statistics.strategy, statistics.max_restarts, statistics.max_seconds) == ("one_for_one", 3, 5)


# ------------------------------------------------------------------------------------------------- start


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
        await wait_all_tasks_blocked()
        tree = runtime.names.whereis("tree")
        assert tree is not None
        tree.exit("kill")
        assert await runtime.ended(starter) == "killed"
        assert await runtime.ended(born[0]) == "killed"


def test_unwrap_of_a_failed_start_names_the_child() -> None:
    with pytest.raises(StartError, match="failed_to_start_child"):
        Error(Shutdown(("failed_to_start_child", "c", "refused"))).unwrap()
