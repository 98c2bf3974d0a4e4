"""Start and stop orders of all strategies against a model: S10, S12, S25 to S29, S32, S33, S50.

The model knows nothing of processes: it says who must have ended and started, in which order, after each step.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.otp import IGNORE, ChildSpec, Error, Restart, Strategy, Supervisor, stop
from phxactor.runtime import NORMAL, Reason, open_runtime, trap_exit
from phxactor.testing import settle

from .supervision import REFUSED, Log, crash, simulate, supervised, worker

OUTCOMES = {"ok": "ok", "refused": REFUSED, "ignore": IGNORE}
Entry = tuple[str, str]


@attrs.define
class Plan:
    """A child: how it is restarted, and how its starts go; the last outcome, which is "ok", holds on."""

    id: str
    restart: Restart
    outcomes: list[str]
    starts: int = 0
    running: bool = False

    def start(self) -> str:
        """Return how the next start goes."""
        outcome = self.outcomes[min(self.starts, len(self.outcomes) - 1)]
        self.starts += 1
        self.running = outcome == "ok"
        return outcome


@attrs.define
class Model:
    """What a supervisor must do."""

    strategy: Strategy
    children: list[Plan]

    def begin(self) -> tuple[list[Entry], bool]:
        """Start all in order; if one refuses, end the others in reverse. Tells whether the supervisor runs."""
        entries, failed = self.start(self.children)
        if failed is not None:
            entries += self.end(self.children)
        return entries, failed is None

    def start(self, group: Sequence[Plan]) -> tuple[list[Entry], Plan | None]:
        """Start these until one refuses; return that one."""
        entries: list[Entry] = []
        for child in group:
            outcome = child.start()
            entries.append(("start" if outcome == "ok" else "fail", child.id))
            if outcome == "refused":
                return entries, child
            if outcome == "ignore" and child.restart == "temporary":
                self.children = [other for other in self.children if other is not child]
        return entries, None

    def end(self, group: Sequence[Plan]) -> list[Entry]:
        """End those that run in reverse; temporary ones are forgotten."""
        entries = [("end", child.id) for child in reversed(group) if child.running]
        for child in group:
            child.running = False
        self.children = [child for child in self.children if child not in group or child.restart != "temporary"]
        return entries

    def crash(self, id_: str, reason: Reason) -> list[Entry]:
        """A child ends by itself."""
        found = [child for child in self.children if child.id == id_ and child.running]
        if not found:
            return []
        (child,) = found
        child.running = False
        entries = [("end", id_)]
        if child.restart == "temporary":
            self.children.remove(child)
        failed = child if child.restart == "permanent" or (child.restart == "transient" and reason != NORMAL) else None
        while failed is not None:
            match self.strategy:
                case "one_for_one":
                    group = [failed]
                case "one_for_all":
                    group = self.children
                case _:
                    group = self.children[self.children.index(failed) :]
            entries += self.end(group)
            started, failed = self.start([member for member in group if member.restart != "temporary"])
            entries += started
        return entries

    def terminate(self, id_: str) -> list[Entry]:
        """A child is shut down by hand."""
        return self.end([child for child in self.children if child.id == id_])


IDS = "abcde"
strategies = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
plans = st.lists(
    st.tuples(
        st.sampled_from(["permanent", "permanent", "transient", "temporary"]),
        st.lists(st.sampled_from(["ok", "ok", "ok", "refused", "ignore"]), max_size=5),
    ),
    min_size=1,
    max_size=len(IDS),
)
steps = st.lists(
    st.tuples(st.sampled_from(["crash", "crash", "normal", "terminate"]), st.sampled_from(IDS)), max_size=8
)


def tree(
    log: Log, children: list[tuple[Restart, list[str]]], first: Sequence[str] = ()
) -> tuple[list[Plan], list[ChildSpec]]:
    """Make the model's children and the supervisor's; `first` says how the first starts go."""
    model = [
        Plan(id_, restart, [*first, *outcomes, "ok"]) for id_, (restart, outcomes) in zip(IDS, children, strict=False)
    ]
    specs = [
        worker(log, plan.id, restart=plan.restart, plan=[OUTCOMES[outcome] for outcome in plan.outcomes])
        for plan in model
    ]
    return model, specs


@settings(deadline=None)
@given(strategies, plans, steps)
def test_S25_S26_S27_S28_S29_S32_S33_S50_children_start_and_end_in_the_order_of_the_model(
    strategy: Strategy, children: list[tuple[Restart, list[str]]], commands: list[tuple[str, str]]
) -> None:
    log = Log()
    plans_, specs = tree(log, children, ["ok"])
    model = Model(strategy, plans_)

    async def body() -> None:
        async with supervised(*specs, strategy=strategy, max_restarts=1000) as supervisor:
            assert log.take("start", "end", "fail") == model.begin()[0]
            for command, id_ in commands:
                if command == "terminate":
                    expected = model.terminate(id_)
                    await Supervisor.terminate_child(supervisor, id_)
                else:
                    reason = "boom" if command == "crash" else NORMAL
                    expected = model.crash(id_, reason)
                    if id_ in log.pids:
                        await crash(log, id_, reason=reason)
                assert log.take("start", "end", "fail") == expected
            await stop(supervisor)
            assert log.take("start", "end", "fail") == model.end(model.children)

    simulate(body)


@settings(deadline=None)
@given(plans)
def test_S10_S12_children_start_in_order_and_end_in_reverse_when_one_refuses(
    children: list[tuple[Restart, list[str]]],
) -> None:
    log = Log()
    plans_, specs = tree(log, children)
    model = Model("one_for_one", plans_)

    async def body() -> None:
        async with open_runtime():
            trap_exit()
            expected, runs = model.begin()
            started = await Supervisor.start_link(specs)
            assert isinstance(started, Error) is not runs
            await settle()
            assert log.take("start", "end", "fail") == expected

    simulate(body)
