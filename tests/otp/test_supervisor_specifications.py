"""Child specifications and flags of supervisors: S1 to S8."""

from __future__ import annotations

import math
from typing import Any

import pytest

from phxactor.otp import IGNORE, Child, ChildSpec, Error, Ignore, Ok, Supervise, Supervisor, child_spec
from phxactor.runtime import open_runtime, self_pid, trap_exit

from .supervision import Log, Worker, supervised, worker


def specification(**fields: Any) -> ChildSpec:  # noqa: ANN401 - some of them wrong
    return ChildSpec(**{"id": "w", "start": (Ok, (), {}), **fields})


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
