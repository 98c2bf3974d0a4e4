from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.socket import Assigns
from phxactor.socket._assigns import assign

names = st.sampled_from(["a", "b", "items", "_values", "current", "self"])
values = st.dictionaries(names, st.integers())


def test_values_are_read_as_items_and_as_attributes() -> None:
    assigns = Assigns({"user_id": 42}, role="admin")
    assert assigns["user_id"] == assigns.user_id == 42
    assert assigns.role == "admin"
    assert assigns.get("missing") is None
    assert list(assigns) == ["user_id", "role"]


def test_a_missing_value_says_what_is_there() -> None:
    with pytest.raises(AttributeError, match="'user' is not assigned; there is: user_id, role"):
        _ = Assigns(user_id=1, role=2).user
    with pytest.raises(AttributeError, match="there is: nothing"):
        _ = Assigns().user
    with pytest.raises(KeyError, match="user"):
        _ = Assigns()["user"]


def test_a_missing_value_may_have_a_default() -> None:
    assert getattr(Assigns(), "user", "nobody") == "nobody"


def test_assigns_do_not_change_by_themselves() -> None:
    source = {"a": 1}
    assigns = Assigns(source)
    source["a"] = 2
    assert assigns == {"a": 1}
    with pytest.raises(TypeError):
        assigns["a"] = 2
    with pytest.raises(AttributeError, match=r"set with assign\(a=\.\.\.\)"):
        assigns.a = 2  # type: ignore[assignment]


def test_assigns_equal_any_mapping_of_the_same_values() -> None:
    assert Assigns(a=1) == {"a": 1} == Assigns({"a": 1})
    assert Assigns(a=1) != Assigns(a=2)
    assert repr(Assigns(a=1)) == "Assigns({'a': 1})"


def test_assigns_can_be_copied_and_pickled() -> None:
    assigns = Assigns(a=[1])
    assert pickle.loads(pickle.dumps(assigns)) == copy.copy(assigns) == assigns  # noqa: S301 - its own
    assert copy.deepcopy(assigns).a is not assigns.a


@given(values, values)
def test_all_forms_of_assign_merge_alike(before: dict[str, int], new: dict[str, int]) -> None:
    current = Assigns(before)
    expected = {**before, **new}
    assert assign(current, new) == expected
    assert assign(current, MappingProxyType(new)) == expected
    assert assign(current, **new) == expected
    assert assign(current, lambda _assigns: new) == expected
    assert current == before
    for name, value in new.items():
        current = assign(current, name, value)
    assert current == expected


def test_a_function_gets_the_current_assigns() -> None:
    def counted(assigns: Assigns) -> Mapping[str, Any]:
        return {"count": assigns.count + 1}

    assert assign(Assigns(count=1), counted) == {"count": 2}


def test_keywords_win_over_what_else_is_given() -> None:
    assert assign(Assigns(a=0), {"a": 1, "b": 1}, a=2) == {"a": 2, "b": 1}
    assert assign(Assigns(), "a", 1, b=2) == {"a": 1, "b": 2}


def test_nothing_to_assign_changes_nothing() -> None:
    assert assign(Assigns(a=1)) == {"a": 1}


@pytest.mark.parametrize("args", [(1,), ("name",), (None,), ("a", 1, "b"), ([("a", 1)],)])
def test_anything_else_is_refused(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="assign takes a name and a value, a mapping, a function or"):
        assign(Assigns(), *args)


@pytest.mark.parametrize("args", [(1, 2), ({1: 2},), (lambda _assigns: {1: 2},)])
def test_a_name_that_is_no_string_is_refused(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="a name to assign must be a string; got 1"):
        assign(Assigns(), *args)


def test_a_function_that_returns_no_mapping_is_refused() -> None:
    with pytest.raises(TypeError, match="given to assign must return a mapping; it returned None"):
        assign(Assigns(), lambda _assigns: None)  # type: ignore[arg-type, return-value]
