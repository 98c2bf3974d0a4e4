"""The runtime's own rules hold in all orders of small programs, and whatever is killed at whatever step."""

from __future__ import annotations

from functools import partial

import pytest

from phxactor.otp import Strategy
from phxactor.testing.explore import Faults, explore
from tests.testing import otp_rules, runtime_rules
from tests.testing.otp_rules import STRATEGIES, restarts, started_child
from tests.testing.runtime_rules import Program, fresh, may_be_killed

RULES = [*runtime_rules.RULES, *otp_rules.RULES]
pytestmark = pytest.mark.allow_leaks("killed processes leave servers behind")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("faults", [None, Faults(kills=1, who=may_be_killed)], ids=["no fault", "one kill"])
def test_a_rule_holds_in_all_orders(rule: Program, faults: Faults | None) -> None:
    result = explore(fresh(rule), timeouts=0, faults=faults)
    assert not result.untried


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds_when_time_is_a_choice(rule: Program) -> None:
    assert not explore(fresh(rule), preemptions=2).untried


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_children_run_again_whichever_is_killed(strategy: Strategy) -> None:
    result = explore(fresh(partial(restarts, strategy)), timeouts=0, preemptions=1, faults=Faults(1, who=started_child))
    assert result.plays > 10
