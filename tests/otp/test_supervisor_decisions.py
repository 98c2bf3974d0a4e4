"""Restart decisions as plain functions: S20 to S30, S56, S90 to S92, D12."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.otp import ChildSpec, Ok, Strategy
from phxactor.otp._restart import AutoShutdown, affected, obeyed, reported, restarts, shuts_down
from phxactor.runtime import KILLED, NOPROC, NORMAL, SHUTDOWN, Crash, Shutdown

BENIGN = [NORMAL, SHUTDOWN, Shutdown("why")]
ABNORMAL = [KILLED, NOPROC, "boom", Crash(ValueError()), ("normal",), None]


def spec(restart: str, shutdown: object = None) -> ChildSpec:
    return ChildSpec(id="w", start=(Ok, (), {}), restart=restart, shutdown=shutdown)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", BENIGN)
def test_S20_S21_only_a_permanent_child_starts_again_after_a_benign_end(reason: object) -> None:
    assert restarts("permanent", reason)
    assert not restarts("transient", reason)
    assert not restarts("temporary", reason)


@pytest.mark.parametrize("reason", ABNORMAL)
def test_S22_a_temporary_child_never_starts_again_after_an_abnormal_end(reason: object) -> None:
    assert restarts("permanent", reason)
    assert restarts("transient", reason)
    assert not restarts("temporary", reason)


def test_L7_the_end_of_a_child_is_reported_if_abnormal_or_permanent() -> None:
    assert all(reported(restart, "boom") for restart in ("permanent", "transient", "temporary"))
    assert reported("permanent", NORMAL)
    assert not any(reported(restart, reason) for restart in ("transient", "temporary") for reason in BENIGN)


def test_S25_one_for_one_concerns_the_failed_child_only() -> None:
    assert affected("one_for_one", ["a", "b", "c"], "b") == ("b",)


def test_S26_one_for_all_concerns_all_in_start_order() -> None:
    assert affected("one_for_all", ["a", "b", "c"], "b") == ["a", "b", "c"]


def test_S27_rest_for_one_concerns_the_failed_child_and_those_after_it() -> None:
    assert affected("rest_for_one", ["a", "b", "c"], "b") == ["b", "c"]


@given(st.lists(st.integers(), min_size=1, unique=True), st.data(), st.sampled_from(["one_for_all", "rest_for_one"]))
def test_affected_children_are_a_tail_in_start_order_with_the_failed_one(
    ids: list[int], data: st.DataObject, strategy: Strategy
) -> None:
    failed = data.draw(st.sampled_from(ids))
    group = affected(strategy, ids, failed)
    assert failed in group
    assert list(group) == ids[len(ids) - len(group) :]


@pytest.mark.parametrize(
    ("auto_shutdown", "significant", "others_left", "ends"),
    [
        ("never", True, False, False),
        ("any_significant", True, True, True),
        ("any_significant", False, False, False),
        ("all_significant", True, True, False),
        ("all_significant", True, False, True),
        ("all_significant", False, False, False),
    ],
)
def test_S91_S92_significant_children_end_their_supervisor(
    auto_shutdown: AutoShutdown, significant: bool, others_left: bool, ends: bool
) -> None:
    assert shuts_down(auto_shutdown, significant=significant, others_left=others_left) is ends


@pytest.mark.parametrize("dynamic", [False, True])
def test_S56_shutdown_is_the_way_to_end_when_told_to(dynamic: bool) -> None:
    assert obeyed(spec("permanent"), SHUTDOWN, dynamic=dynamic)
    assert not obeyed(spec("permanent"), NORMAL, dynamic=dynamic)
    assert obeyed(spec("transient"), NORMAL, dynamic=dynamic)
    assert obeyed(spec("temporary"), Shutdown("x"), dynamic=dynamic)
    assert not obeyed(spec("temporary"), KILLED, dynamic=dynamic)


def test_S56_a_brutally_killed_child_may_have_ended_well_if_it_is_not_permanent() -> None:
    assert obeyed(spec("permanent", "brutal_kill"), KILLED)
    assert not obeyed(spec("permanent", "brutal_kill"), SHUTDOWN)
    assert all(obeyed(spec("transient", "brutal_kill"), reason) for reason in BENIGN)
    assert not obeyed(spec("transient", "brutal_kill"), "boom")


def test_D12_a_dynamic_supervisor_expects_killed_only_and_lets_a_shutdown_with_detail_pass() -> None:
    assert not any(obeyed(spec("transient", "brutal_kill"), reason, dynamic=True) for reason in BENIGN)
    assert obeyed(spec("permanent"), Shutdown("x"), dynamic=True)
    assert not obeyed(spec("permanent"), Shutdown("x"))
