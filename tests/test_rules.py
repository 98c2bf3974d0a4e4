"""Every rule of the specification has a test, or a reason to have none."""

from __future__ import annotations

from tests.rules import problems


def test_every_rule_has_a_test_or_a_reason_to_have_none() -> None:
    assert problems() == []
