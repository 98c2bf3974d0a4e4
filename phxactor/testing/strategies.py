"""Hypothesis strategies: for schedules and exit reasons. Needs Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from phxactor.runtime import KILLED, NOPROC, NORMAL, SHUTDOWN, Crash, Reason, Shutdown
from phxactor.testing.schedule import Schedule


def schedule() -> SearchStrategy[Schedule]:
    """Orders of steps; the simplest is first come, first served, and one that fails shrinks towards that."""
    return st.randoms(use_true_random=False).map(Schedule)


def benign_reasons() -> SearchStrategy[Reason]:
    """Reasons of an end as it should be: a transient child stays down, nobody reports."""
    return st.sampled_from([NORMAL, SHUTDOWN, Shutdown("closed"), Shutdown(("code", 7))])


def abnormal_reasons() -> SearchStrategy[Reason]:
    """All other reasons: atoms, tuples, exceptions, and those that the runtime gives, as of a killed process."""
    return st.one_of(
        st.sampled_from(["boom", KILLED, NOPROC, ("boom", 1), 7, None, "", ("shutdown",)]),
        st.sampled_from([ValueError, KeyError, RuntimeError]).map(lambda error: Crash(error("boom"))),
    )


def reasons() -> SearchStrategy[Reason]:
    """Any exit reasons, `NORMAL` the simplest."""
    return st.one_of(benign_reasons(), abnormal_reasons())
