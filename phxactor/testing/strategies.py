"""Hypothesis strategies: schedules, exit reasons, supervision trees, crash scripts, outages. Needs Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from phxactor.otp import Restart, Strategy
from phxactor.runtime import KILLED, NOPROC, NORMAL, SHUTDOWN, Reason, Shutdown
from phxactor.runtime import Crash as Crashed
from phxactor.testing import outages as outages_
from phxactor.testing._drawn_orders import DrawnOrders
from phxactor.testing.crash import Crash, Step, Together, Wait, Way
from phxactor.testing.exploration import TIMEOUTS, Faults
from phxactor.testing.schedule import Schedule
from phxactor.testing.trees import Branch, Kind, Leaf, paths


def outages(names: Sequence[str], max_size: int = 10) -> SearchStrategy[list[outages_.Outage]]:
    """Draw what befalls the nodes with these names; the simplest is nothing."""
    name = st.sampled_from(names)
    passing = st.builds(outages_.Pass, st.sampled_from([0.5, 2.0, 6.0, 21.0]))
    steps = st.one_of(
        passing,
        passing,
        st.builds(outages_.Cut, name, name),
        st.builds(outages_.Isolate, name),
        st.just(outages_.Heal()),
        st.builds(outages_.Freeze, name),
        st.builds(outages_.Thaw, name),
        st.builds(outages_.Kill, name, st.booleans()),
        st.builds(outages_.Leave, name),
        st.builds(outages_.Restart, name),
    )
    return st.lists(steps, max_size=max_size)


def schedule(*, timeouts: float = TIMEOUTS, faults: Faults | None = None) -> SearchStrategy[Schedule]:
    """Draw orders of steps. The first is first come, first served, and failures shrink towards it.

    Each play has a strategy of the portfolio (`exploration`). Hypothesis may change each choice of it. `timeouts` and
    `faults` are those of `Schedule`.
    """
    return DrawnOrders(timeouts, faults).strategy()


def benign_reasons() -> SearchStrategy[Reason]:
    """Draw normal exit reasons: a transient child is not restarted, and no error is reported."""
    return st.sampled_from([NORMAL, SHUTDOWN, Shutdown("closed"), Shutdown(("code", 7))])


def abnormal_reasons() -> SearchStrategy[Reason]:
    """Draw all other reasons: atoms, tuples, exceptions, and those of the runtime, e.g. of a killed process."""
    return st.one_of(
        st.sampled_from(["boom", KILLED, NOPROC, ("boom", 1), 7, None, "", ("shutdown",)]),
        st.sampled_from([ValueError, KeyError, RuntimeError]).map(lambda error: Crashed(error("boom"))),
    )


def reasons() -> SearchStrategy[Reason]:
    """Draw any exit reasons; the simplest is `NORMAL`."""
    return st.one_of(benign_reasons(), abnormal_reasons())


RESTARTS: Final = st.sampled_from(get_args(Restart))


def leaves(identity: object = "leaf", *, failing: bool = True) -> SearchStrategy[Leaf]:
    """Draw servers of a tree. If `failing`, some of their later starts fail."""
    fails = st.frozensets(st.integers(1, 6), max_size=3 if failing else 0)
    return st.builds(Leaf, st.just(identity), RESTARTS, st.booleans(), fails)


@st.composite
def trees(draw: st.DrawFn, identity: object = "root", depth: int = 2, *, failing: bool = True) -> Branch:
    """Draw supervision trees with at most `depth` levels of supervisors; the simplest has one child."""
    kind: Kind = draw(st.sampled_from(get_args(Kind)))
    children: list[Leaf | Branch] = []
    for child in "abcd"[: draw(st.integers(1, 4))]:
        below = depth > 1 and kind == "supervisor" and draw(st.booleans())
        one: SearchStrategy[Leaf | Branch] = leaves(child, failing=failing)
        children.append(draw(trees(child, depth - 1, failing=failing) if below else one))
    return Branch(
        identity,
        tuple(children),
        draw(st.sampled_from(get_args(Strategy))) if kind != "dynamic" else "one_for_one",
        draw(RESTARTS) if identity != "root" else "permanent",
        draw(st.integers(0, 4)),
        draw(st.integers(1, 5)),
        kind,
    )


def scripts(tree: Branch, max_size: int = 12, *, at_once: int = 1) -> SearchStrategy[list[Step]]:
    """Draw crash scripts for a tree: which node ends, how, at which message, and the seconds in between.

    With `at_once` above 1, up to that many nodes end at one time; use it for trees without failing leaves.
    """
    root, *below = (path for path, _ in paths(tree))
    crashes = st.builds(
        Crash,
        st.sampled_from([*below, *below, *below, root]),  # a crash of the root ends the whole tree
        st.sampled_from(get_args(Way)),
        reasons(),
        st.integers(0, 3),
    )
    waits = st.builds(Wait, st.sampled_from([0.4, 1.0, 2.5, 6.0]))
    together = st.lists(crashes, min_size=1, max_size=at_once, unique_by=lambda crash: crash.path)
    steps = crashes if at_once == 1 else together.map(lambda several: Together(tuple(several)))
    return st.lists(st.one_of(steps, steps, steps, waits), max_size=max_size)
