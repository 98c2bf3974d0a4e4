"""Checks of options: what each allows, what it refuses, and how the error names the option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf, nan
from typing import Any, Literal

import attrs
import pytest

from phxactor import _checks as check

KINDS = ("unique", ("duplicate", "pid"), False)


class Awkward:
    """Equals everything."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Literal[True]:
        return True


@pytest.mark.parametrize(
    ("checked", "allowed", "of_a_wrong_type", "not_allowed"),
    [
        (check.seconds, [0.1, 5, inf], ["1", None, True], [0, -1, nan]),
        (check.whole, [1, 70], [1.5, "1", None, True, inf], [0, -1]),
        (partial(check.whole, least=0), [0], [0.0], [-1]),
        (check.most, [0, 3, inf], [1.5, "3", None, False, nan], [-1]),
        (check.per_second, [0.5, 3], ["3", None, True], [0, -1, inf, nan]),
        (check.flag, [True, False], [1, 0, "yes", None], []),
        (check.function, [print, Awkward], ["print", None], []),
        (partial(check.choice, choices=KINDS), KINDS, [], ["Unique", ("duplicate",), 0, None, Awkward()]),
        (check.one_of(KINDS), KINDS, [], ["Unique", ("duplicate",), 0, None, Awkward()]),
        (check.path, ["/", "/a/b"], [b"/", None], ["", "a", "/a?b", "/a#b"]),
        (check.mapping, [{}, {"a": 1}], [[], "a", None], []),
        (check.optional(check.flag), [None, True], [1], []),
    ],
)
def test_a_check(
    checked: Callable[[str, Any], Any],
    allowed: list[object],
    of_a_wrong_type: list[object],
    not_allowed: list[object],
) -> None:
    for value in allowed:
        assert checked("the_option", value) == value
    for error, values in ((TypeError, of_a_wrong_type), (ValueError, not_allowed)):
        for value in values:
            with pytest.raises(error, match=r"^the_option must ") as raised:
                checked("the_option", value)
            assert str(raised.value).endswith(f"not {value!r}")


def test_a_list_is_anything_that_can_be_listed_but_text() -> None:
    assert check.listed("kinds", [1, 2]) == check.listed("kinds", iter((1, 2))) == (1, 2)
    for wrong in ("kinds", b"kinds", 3, None):
        with pytest.raises(TypeError, match=r"^kinds must be a list, not "):
            check.listed("kinds", wrong)  # type: ignore[arg-type]


def test_a_validator_names_the_field() -> None:
    @attrs.frozen
    class Options:
        batch: int = attrs.field(default=1, validator=check.validator(check.whole))
        extra: Mapping[str, int] = attrs.field(factory=dict, validator=check.validator(check.mapping))

    assert Options(2).batch == 2
    with pytest.raises(ValueError, match=r"^batch must be a whole number of at least 1, not 0$"):
        Options(0)
    with pytest.raises(TypeError, match=r"^extra must be a mapping, not 3$"):
        Options(extra=3)  # type: ignore[arg-type]
